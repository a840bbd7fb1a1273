//! Builds plugins in each language. For other languages than Rust, the tools are installed into the project, in the
//! versions that it pins, and run there. An installation is announced on standard error; nothing else is printed.

pub mod js;
pub mod python;
#[cfg(feature = "encode")]
pub mod rust;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The contract's world for plugins.
const WORLD: &str = "channel";

/// Runs a program in the project's directory. Its output is shown only if it fails. `missing` says what to do if the
/// program does not start.
fn run(command: &mut Command, project: &Path, missing: &str) -> Result<()> {
    command.current_dir(project).stdin(Stdio::null());
    let output = command.output();
    let output = output.with_context(|| format!("{} does not start; {missing}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    bail!("{command:?} failed with {}:\n{}", output.status, String::from_utf8_lossy(&text).trim())
}

/// Announces a step that takes a while. A failure to print is ignored.
fn announce(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Fails if the project lacks a file; `why` says what the file is for.
fn require_file(project: &Path, file: &str, why: &str) -> Result<()> {
    if project.join(file).exists() { Ok(()) } else { bail!("{} has no {file}: {why}", project.display()) }
}

/// The absolute paths of a project and of the component to build. Creates the component's directory.
fn absolute_paths(project: &Path, out: &Path) -> Result<(PathBuf, PathBuf)> {
    let project = project.canonicalize().with_context(|| format!("there is no {}", project.display()))?;
    let out = std::path::absolute(out)?;
    if let Some(directory) = out.parent() {
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    }
    Ok((project, out))
}

/// Identifies an installation: the pinned versions and the project's path, since installed tools may contain absolute
/// paths.
fn stamp(project: &Path, pins: &str) -> Result<Vec<u8>> {
    let pins = fs::read(project.join(pins)).with_context(|| format!("reading {pins}"))?;
    Ok([project.as_os_str().as_encoded_bytes(), b"\n", &pins].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Build = fn(&Path, &Path) -> Result<()>;

    #[test]
    fn the_error_names_what_a_project_lacks() {
        let directory = tempfile::tempdir().expect("a directory");
        let steps: [(Build, &str, &str, &str); 6] = [
            (python::build, "app.py", "", "has no requirements.txt"),
            (python::build, "requirements.txt", "", "has no wit"),
            (js::build, "x", "", "has no package.json"),
            (js::build, "package.json", "no JSON", "has no wit"),
            (js::build, "wit", "", "package.json is not JSON"),
            (js::build, "package.json", "{}", "package.json has no `main`"),
        ];
        for (build, file, content, expected) in steps {
            fs::write(directory.path().join(file), content).expect("written");
            let error = build(directory.path(), &directory.path().join("out/x.wasm")).expect_err(expected);
            assert!(format!("{error:#}").contains(expected), "expected `{expected}`, got `{error:#}`");
        }
        let nowhere = python::build(&directory.path().join("nowhere"), Path::new("x.wasm")).expect_err("no project");
        assert!(nowhere.to_string().contains("there is no"), "{nowhere}");
    }

    #[test]
    fn tools_count_as_installed_for_the_same_pins_in_the_same_directory_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let (here, moved) = (directory.path().join("here"), directory.path().join("moved"));
        assert!(stamp(&here, "pins").is_err(), "there is no project");
        fs::create_dir(&here).expect("made");
        fs::write(here.join("pins"), "a==1").expect("written");
        let first = stamp(&here, "pins").expect("a stamp");
        assert_eq!(stamp(&here, "pins").expect("a stamp"), first);
        fs::rename(&here, &moved).expect("moved");
        assert_ne!(stamp(&moved, "pins").expect("a stamp"), first, "installed scripts name the old directory");
        fs::rename(&moved, &here).expect("moved back");
        fs::write(here.join("pins"), "a==2").expect("written");
        assert_ne!(stamp(&here, "pins").expect("a stamp"), first);
    }

    #[test]
    fn the_error_contains_the_output_of_a_failing_tool() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let error = run(&mut shell, directory.path(), "").expect_err("a failure").to_string();
        assert!(error.contains("exit status: 3") && error.contains("out\nerr"), "{error}");
        let mut none = Command::new("no-such-program");
        let error = run(&mut none, directory.path(), "install it").expect_err("no program").to_string();
        assert!(error.contains("no-such-program does not start; install it"), "{error}");
    }
}
