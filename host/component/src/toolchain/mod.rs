//! Building plugins: in other languages than Rust, the tools are installed into the project, pinned by it, and run there.

pub mod js;
pub mod python;
pub mod rust;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The world of the contract that a plugin is.
const WORLD: &str = "channel";

/// Runs a program in the project's directory. Its output is shown to nobody unless it fails.
fn run(program: impl AsRef<OsStr>, arguments: &[&OsStr], project: &Path, missing: &str) -> Result<()> {
    let program = program.as_ref();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(project).stdin(Stdio::null());
    let ended = command.output().with_context(|| format!("{} does not start; {missing}", program.display()))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = [ended.stdout, ended.stderr].concat();
    bail!("{command:?} ended with {}:\n{}", ended.status, String::from_utf8_lossy(&said).trim())
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

/// Whether `stamp` was written for what is in `pins` now: then the tools are installed.
fn installed(stamp: &Path, pins: &Path) -> bool {
    matches!((fs::read(stamp), fs::read(pins)), (Ok(then), Ok(now)) if then == now)
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
    fn tools_count_as_installed_for_the_same_pins_only() {
        let place = tempfile::tempdir().expect("a directory");
        let (stamp, pins) = (place.path().join("stamp"), place.path().join("pins"));
        assert!(!installed(&stamp, &pins), "neither is there");
        fs::write(&pins, "a==1").expect("written");
        assert!(!installed(&stamp, &pins));
        fs::copy(&pins, &stamp).expect("copied");
        assert!(installed(&stamp, &pins));
        fs::write(&pins, "a==2").expect("written");
        assert!(!installed(&stamp, &pins));
    }

    #[test]
    fn what_a_failing_tool_said_is_in_the_error() {
        let place = tempfile::tempdir().expect("a directory");
        let shell = ["-c", "echo out; echo err >&2; exit 3"].map(AsRef::as_ref);
        let error = run("sh", &shell, place.path(), "").expect_err("a failure").to_string();
        assert!(error.contains("exit status: 3") && error.contains("out\nerr"), "{error}");
        let error = run("no-such-program", &[], place.path(), "install it").expect_err("no program").to_string();
        assert!(error.contains("no-such-program does not start; install it"), "{error}");
    }
}
