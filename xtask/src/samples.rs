//! `build-samples`: the plugins of `plugins/templates` in other languages than Rust, built as their authors build them, for
//! the tests that run them. They are built in copies below `target/samples`, where their tools stay installed.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use tidings_component::toolchain::{js, python};

use crate::{plugins, setup};

/// A template, how it is built, and what runs its own tests.
struct Sample {
    name: &'static str,
    build: fn(&Path, &Path) -> Result<()>,
    test: &'static [&'static str],
}

const SAMPLES: [Sample; 2] = [
    Sample { name: "python", build: python::build, test: &["python3", "-m", "unittest", "--quiet"] },
    Sample { name: "js", build: js::build, test: &["node", "--test", "--test-reporter=dot"] },
];

/// Builds and tests those that have changed since they were built, with the tools that `setup` installs.
pub fn run() -> Result<()> {
    let path = setup::path()?;
    if std::env::var_os("PATH") != Some(path.clone()) {
        // Anew, so that whatever is started from there on finds them.
        let this = std::env::current_exe().context("this program's own path")?;
        return Err(Command::new(this).arg("build-samples").env("PATH", path).exec()).context("starting itself anew");
    }
    for sample in &SAMPLES {
        sample.refresh().with_context(|| format!("the sample plugin in {}", sample.name))?;
    }
    Ok(())
}

impl Sample {
    fn refresh(&self) -> Result<()> {
        let root = plugins::repository();
        let (template, copy) =
            (root.join("plugins/templates").join(self.name), root.join("target/samples").join(self.name));
        let out = root.join("target/plugins").join(format!("{}-sample.wasm", self.name));
        // What has arrived in the copy was built, unless that failed: then the component is gone.
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
        let (program, arguments) = self.test.split_first().context("no command")?;
        let ended = Command::new(program).args(arguments).current_dir(project).output();
        let ended = ended.with_context(|| format!("{program} does not start; `cargo xtask setup` installs it"))?;
        if ended.status.success() {
            return Ok(());
        }
        let said = [ended.stdout, ended.stderr].concat();
        bail!("its tests fail:\n{}", String::from_utf8_lossy(&said))
    }
}

/// Copies the files that differ; what else is in the copy stays. Returns whether there were any.
fn mirror(from: &Path, to: &Path) -> Result<bool> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    let mut changed = false;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let (entry, path): (_, PathBuf) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        if ["node_modules", ".venv", "__pycache__", "dist"].iter().any(|made| entry == *made) {
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
    fn only_what_differs_is_copied_and_what_was_installed_stays() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
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
