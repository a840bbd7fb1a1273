//! Building plugins: in other languages than Rust, the tools are installed into the project, pinned by it, and run there.
//! An installation takes a while and is announced on standard error; nothing else is printed.

pub mod js;
pub mod python;
pub mod rust;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The world of the contract that a plugin is.
const WORLD: &str = "channel";

/// Runs a program in the project's directory. Its output is shown to nobody unless it fails.
fn run(command: &mut Command, project: &Path, missing: &str) -> Result<()> {
    command.current_dir(project).stdin(Stdio::null());
    let ended = command.output();
    let ended = ended.with_context(|| format!("{} does not start; {missing}", command.get_program().display()))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = [ended.stdout, ended.stderr].concat();
    bail!("{command:?} ended with {}:\n{}", ended.status, String::from_utf8_lossy(&said).trim())
}

/// Says that something takes a while. Nobody has to hear it.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The file of the project that this language cannot do without.
fn need(project: &Path, file: &str, why: &str) -> Result<()> {
    if project.join(file).exists() { Ok(()) } else { bail!("{} has no {file}: {why}", project.display()) }
}

/// The absolute path of a project and of what is to be built.
fn places(project: &Path, out: &Path) -> Result<(PathBuf, PathBuf)> {
    let project = project.canonicalize().with_context(|| format!("there is no {}", project.display()))?;
    let out = std::path::absolute(out)?;
    if let Some(directory) = out.parent() {
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    }
    Ok((project, out))
}

/// What says for which pins, and where, the tools were installed: what they install may hold the project's absolute path.
fn stamp(project: &Path, pins: &str) -> Result<Vec<u8>> {
    let pins = fs::read(project.join(pins)).with_context(|| format!("reading {pins}"))?;
    Ok([project.as_os_str().as_encoded_bytes(), b"\n", &pins].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Build = fn(&Path, &Path) -> Result<()>;

    #[test]
    fn a_project_that_lacks_something_is_told_what() {
        let place = tempfile::tempdir().expect("a directory");
        let steps: [(Build, &str, &str, &str); 6] = [
            (python::build, "app.py", "", "has no requirements.txt"),
            (python::build, "requirements.txt", "", "has no wit"),
            (js::build, "x", "", "has no package.json"),
            (js::build, "package.json", "no JSON", "has no wit"),
            (js::build, "wit", "", "package.json is no JSON"),
            (js::build, "package.json", "{}", "package.json has no `main`"),
        ];
        for (build, file, content, expected) in steps {
            fs::write(place.path().join(file), content).expect("written");
            let error = build(place.path(), &place.path().join("out/x.wasm")).expect_err(expected);
            assert!(format!("{error:#}").contains(expected), "expected `{expected}`, got `{error:#}`");
        }
        let nowhere = python::build(&place.path().join("nowhere"), Path::new("x.wasm")).expect_err("no project");
        assert!(nowhere.to_string().contains("there is no"), "{nowhere}");
    }

    #[test]
    fn tools_count_as_installed_for_the_same_pins_in_the_same_place_only() {
        let place = tempfile::tempdir().expect("a directory");
        let (here, moved) = (place.path().join("here"), place.path().join("moved"));
        assert!(stamp(&here, "pins").is_err(), "there is no project");
        fs::create_dir(&here).expect("made");
        fs::write(here.join("pins"), "a==1").expect("written");
        let first = stamp(&here, "pins").expect("a stamp");
        assert_eq!(stamp(&here, "pins").expect("a stamp"), first);
        fs::rename(&here, &moved).expect("moved");
        assert_ne!(stamp(&moved, "pins").expect("a stamp"), first, "scripts in it name the old place");
        fs::rename(&moved, &here).expect("moved back");
        fs::write(here.join("pins"), "a==2").expect("written");
        assert_ne!(stamp(&here, "pins").expect("a stamp"), first);
    }

    #[test]
    fn what_a_failing_tool_said_is_in_the_error() {
        let place = tempfile::tempdir().expect("a directory");
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let error = run(&mut shell, place.path(), "").expect_err("a failure").to_string();
        assert!(error.contains("exit status: 3") && error.contains("out\nerr"), "{error}");
        let mut none = Command::new("no-such-program");
        let error = run(&mut none, place.path(), "install it").expect_err("no program").to_string();
        assert!(error.contains("no-such-program does not start; install it"), "{error}");
    }
}
