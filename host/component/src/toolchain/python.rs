//! Python, with componentize-py: the interpreter, the plugin and its packages become one component.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};

use super::{WORLD, absolute_paths, announce, require_file, run, stamp};

/// The project's virtual environment, and the file that pins its packages.
const VENV: &str = ".venv";
const PINS: &str = "requirements.txt";

const NO_PYTHON: &str = "install Python 3.10 or later with its module venv: on Debian, `apt-get install python3-venv`";

/// Builds the plugin in `project` into the component `out`. The first time, and when `requirements.txt` has changed,
/// its packages, componentize-py among them, are installed into `.venv`, which needs the network.
pub fn build(project: &Path, out: &Path) -> Result<()> {
    let (project, out) = absolute_paths(project, out)?;
    require_file(&project, PINS, "it names the componentize-py that builds the plugin")?;
    require_file(&project, "app.py", "it has the class `Plugin`")?;
    require_file(&project, "wit", "it is a copy of the contract")?;
    install(&project)?;
    let mut tool = command(&project, "componentize-py")?;
    tool.args(["-d", "wit", "-w", WORLD, "componentize", "app", "-o"]).arg(out);
    run(&mut tool, &project, "requirements.txt must name componentize-py").context("componentize-py failed")
}

fn install(project: &Path) -> Result<()> {
    let (installed, wanted) = (project.join(VENV).join("installed"), stamp(project, PINS)?);
    if fs::read(&installed).ok().as_ref() == Some(&wanted) {
        return Ok(());
    }
    announce(&format!("installing what {PINS} names into {VENV}…"));
    let mut python = Command::new("python3");
    python.args(["-m", "venv", "--clear", VENV]);
    run(&mut python, project, NO_PYTHON).context(format!("cannot create the virtual environment; {NO_PYTHON}"))?;
    let mut pip = command(project, "pip")?;
    pip.args(["install", "--quiet", "--disable-pip-version-check", "-r", PINS]);
    run(&mut pip, project, NO_PYTHON).context("pip failed to install the packages of requirements.txt")?;
    fs::write(&installed, wanted).with_context(|| format!("writing {}", installed.display()))
}

/// A program of the project's virtual environment, run in it: componentize-py bundles the packages of the active
/// environment.
fn command(project: &Path, program: &str) -> Result<Command> {
    let (venv, system) = (project.join(VENV), env::var_os("PATH").unwrap_or_default());
    let path = env::join_paths([venv.join("bin")].into_iter().chain(env::split_paths(&system)))
        .with_context(|| format!("{} cannot be on the PATH", venv.display()))?;
    let mut command = Command::new(venv.join("bin").join(program));
    command.env("VIRTUAL_ENV", venv).env("PATH", path).env_remove("PYTHONHOME");
    Ok(command)
}
