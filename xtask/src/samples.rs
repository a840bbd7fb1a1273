//! `build-samples`: builds the plugin templates in Python and JavaScript as their authors build them, for the tests that
//! run them. It builds copies below `target/samples`, where the tools of the templates stay installed.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use tidings_component::toolchain::{js, python};

use crate::process::repository;
use crate::setup;

/// A template, the function that builds it, and the command that runs its own tests.
struct Sample {
    name: &'static str,
    build: fn(&Path, &Path) -> Result<()>,
    test: &'static [&'static str],
}

const SAMPLES: [Sample; 2] = [
    Sample { name: "python", build: python::build, test: &["python3", "-m", "unittest", "--quiet"] },
    Sample { name: "js", build: js::build, test: &["node", "--test", "--test-reporter=dot"] },
];

/// Tests and builds the templates that changed since the last build, with the tools that `setup` installs.
pub fn run() -> Result<()> {
    let path = setup::path()?;
    if std::env::var_os("PATH") != Some(path.clone()) {
        // Restarts with the new PATH, so that every program it starts finds the tools.
        let this = std::env::current_exe().context("the path of this program")?;
        return Err(Command::new(this).arg("build-samples").env("PATH", path).exec())
            .context("restarting with the PATH of the tools");
    }
    for sample in &SAMPLES {
        sample.refresh().with_context(|| format!("the sample plugin in {}", sample.name))?;
    }
    Ok(())
}

impl Sample {
    fn refresh(&self) -> Result<()> {
        let root = repository();
        let (template, copy) =
            (root.join("plugins/templates").join(self.name), root.join("target/samples").join(self.name));
        let out = root.join("target/plugins").join(format!("{}-sample.wasm", self.name));
        // A copied change was built, unless the build failed: then the component is missing.
        let changed = mirror(&template, &copy)?;
        if changed || !out.exists() {
            let _ = fs::remove_file(&out);
            self.test(&copy)?;
            (self.build)(&copy, &out)?;
            println!("{} (written)", out.display());
        }
        Ok(())
    }

    fn test(&self, project: &Path) -> Result<()> {
        let (program, arguments) = self.test.split_first().context("the sample names no test command")?;
        let output = Command::new(program).args(arguments).current_dir(project).output();
        let output = output.with_context(|| format!("{program} cannot be started; `cargo xtask setup` installs it"))?;
        if output.status.success() {
            return Ok(());
        }
        let printed = [output.stdout, output.stderr].concat();
        bail!("its tests fail:\n{}", String::from_utf8_lossy(&printed))
    }
}

/// Copies the files that differ and keeps other files of the copy. Returns whether it copied any.
fn mirror(from: &Path, to: &Path) -> Result<bool> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    let mut changed = false;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let (entry, path): (_, PathBuf) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        if ["node_modules", ".venv", "__pycache__", "dist"].iter().any(|generated| entry == *generated) {
            continue;
        }
        let target = to.join(&entry);
        if path.is_dir() {
            changed |= mirror(&path, &target)?;
        } else if fs::read(&target).ok() != Some(fs::read(&path)?) {
            fs::copy(&path, &target).with_context(|| format!("writing {}", target.display()))?;
            changed = true;
        }
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changed_files_are_copied_and_installed_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("wit")).unwrap();
        fs::write(from.join("wit/a.wit"), "a").unwrap();
        fs::create_dir_all(from.join("node_modules")).unwrap();
        fs::write(from.join("node_modules/x"), "x").unwrap();
        assert!(mirror(&from, &to).unwrap());
        assert!(!to.join("node_modules").exists());
        fs::create_dir(to.join("node_modules")).unwrap();
        assert!(!mirror(&from, &to).unwrap());
        fs::write(from.join("wit/a.wit"), "b").unwrap();
        assert!(mirror(&from, &to).unwrap());
        assert_eq!(fs::read_to_string(to.join("wit/a.wit")).unwrap(), "b");
        assert!(to.join("node_modules").exists());
    }
}
