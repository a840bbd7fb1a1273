//! JavaScript, with componentize-qjs, jco's QuickJS backend: the engine, the plugin and its modules become one
//! component.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{WORLD, absolute_paths, announce, require_file, run, stamp};

/// The pinned tools, and the directory into which npm installs them.
const PINS: &str = "package-lock.json";
const MODULES: &str = "node_modules";

/// The oldest version of Node.js that the tools support.
const NODE: u32 = 18;
const NO_NODE: &str = "install Node.js 18 or later with npm: on Debian, `apt-get install nodejs npm`";

/// Builds the plugin in `project`, named by `main` in its package.json, into the component `out`. The first time, and
/// when package-lock.json has changed, `npm ci` installs the tools, which needs the network.
pub fn build(project: &Path, out: &Path) -> Result<()> {
    let (project, out) = absolute_paths(project, out)?;
    require_file(&project, "package.json", "it names the plugin's module and the componentize-qjs that builds it")?;
    require_file(&project, "wit", "it is a copy of the contract")?;
    let main = main(&project)?;
    node()?;
    install(&project)?;
    let tool = project.join(MODULES).join(".bin/componentize-qjs");
    let mut tool = Command::new(tool);
    tool.args(["--sync", "--wit", "wit", "--world", WORLD, "--js", &main, "--output"]).arg(out);
    let missing = "package.json must name componentize-qjs among its devDependencies";
    run(&mut tool, &project, missing).context("componentize-qjs failed")
}

/// The plugin's module.
fn main(project: &Path) -> Result<String> {
    let package = fs::read(project.join("package.json")).context("reading package.json")?;
    let package: serde_json::Value = serde_json::from_slice(&package).context("package.json is not JSON")?;
    let main = package.get("main").and_then(|main| main.as_str());
    main.map(str::to_owned).context("package.json has no `main`: the module that exports `plugin`")
}

fn node() -> Result<()> {
    let version =
        Command::new("node").arg("--version").output().with_context(|| format!("cannot run Node.js; {NO_NODE}"))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= NODE => Ok(()),
        _ => bail!("this is Node.js {version}; {NO_NODE}"),
    }
}

/// Installs the tools that package-lock.json pins. npm creates the file if it is missing.
fn install(project: &Path) -> Result<()> {
    let installed = project.join(MODULES).join(".installed");
    let pinned = project.join(PINS).exists();
    if pinned && fs::read(&installed).ok() == Some(stamp(project, PINS)?) {
        return Ok(());
    }
    announce(&format!("installing what package.json names into {MODULES}…"));
    let mut npm = Command::new("npm");
    npm.args([if pinned { "ci" } else { "install" }, "--no-audit", "--no-fund", "--loglevel=error"]);
    run(&mut npm, project, NO_NODE).context("npm failed to install the packages of package.json")?;
    fs::create_dir_all(project.join(MODULES)).context("creating node_modules")?;
    fs::write(&installed, stamp(project, PINS)?).with_context(|| format!("writing {}", installed.display()))
}
