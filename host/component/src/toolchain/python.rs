//! Python, by componentize-py: the interpreter, the plugin and what it imports become one component.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{WORLD, installed, need, places, run};

/// The project's own environment, and what says that it has what `requirements.txt` names.
const VENV: &str = ".venv";
const PINS: &str = "requirements.txt";

const NO_PYTHON: &str = "install Python 3.10 or later with its module venv: on Debian, `apt-get install python3-venv`";

/// Builds the plugin in `project` into the component `out`. The first time, and when `requirements.txt` has changed,
/// componentize-py is installed into `.venv`, for which the network is needed.
pub fn build(project: &Path, out: &Path) -> Result<()> {
    let (project, out) = places(project, out)?;
    need(&project, PINS, "it names the componentize-py that builds the plugin")?;
    need(&project, "app.py", "it has the class `Plugin`")?;
    need(&project, "wit", "it is a copy of the contract")?;
    let bin = project.join(VENV).join("bin");
    let (stamp, pins) = (project.join(VENV).join("installed"), project.join(PINS));
    if !installed(&stamp, &pins) {
        let venv = ["-m", "venv", "--clear", VENV].map(AsRef::as_ref);
        run("python3", &venv, &project, NO_PYTHON).context(format!("no environment for the build; {NO_PYTHON}"))?;
        let pip = ["install", "--quiet", "--disable-pip-version-check", "-r", PINS].map(AsRef::as_ref);
        run(bin.join("pip"), &pip, &project, NO_PYTHON).context("pip did not install what requirements.txt names")?;
        fs::copy(&pins, &stamp).with_context(|| format!("writing {}", stamp.display()))?;
    }
    let arguments = ["-d", "wit", "-w", WORLD, "componentize", "app", "-o"].map(AsRef::as_ref);
    let arguments = [&arguments[..], &[out.as_ref()]].concat();
    let missing = "requirements.txt must name componentize-py";
    run(bin.join("componentize-py"), &arguments, &project, missing).context("componentize-py built no component")
}
