//! `build-plugins`: compiles every plugin of the workspace `plugins/` to a WebAssembly module, wraps each into a
//! component of the contract, checks that it imports nothing else, and puts it into `target/plugins/`.
//!
//! It uses no tool outside of Cargo: `tidings-componentize` of the workspace wraps the modules. A component that did not
//! change is not rewritten.

mod toolchain;

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context, Result, bail};

use crate::process::{self, repository};
pub use toolchain::Toolchain;

/// The program that wraps a module.
const ENCODER: &str = "tidings-componentize";

/// How to build the plugins. The defaults suit everything but a test of this command.
#[derive(clap::Args, Debug, Default)]
pub struct PluginBuildArgs {
    /// Build only the plugin of this name; may be given more than once. All plugins are built by default.
    #[arg(long = "plugin", value_name = "NAME")]
    pub plugins: Vec<String>,
    /// Use this toolchain only, instead of the first that works.
    #[arg(long, value_enum)]
    pub toolchain: Option<Toolchain>,
    /// Where the modules are compiled; plugins/target by default.
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,
    /// Where the components go; target/plugins by default.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Builds the plugins and prints the path and size of each component.
pub fn run(args: &PluginBuildArgs) -> Result<()> {
    for (path, written) in build(args)? {
        let size = fs::metadata(&path)?.len();
        let state = if written { "written" } else { "unchanged" };
        println!("{} ({} kB, {state})", path.display(), size.div_ceil(1000));
    }
    Ok(())
}

/// Builds the plugins. Returns the path of each component and whether it was written.
pub fn build(args: &PluginBuildArgs) -> Result<Vec<(PathBuf, bool)>> {
    let out = args.out.clone().unwrap_or_else(|| repository().join("target/plugins"));
    fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;
    let (toolchain, cargo) = toolchain::find(args.toolchain)?;
    eprintln!("plugins are built {toolchain}");
    let modules = compile(cargo, args)?;
    let encoder = build_encoder()?;
    modules.iter().map(|module| wrap(&encoder, module, &out)).collect()
}

/// Builds the program that wraps a module, and returns its path. The selection `--workspace` has the features with which
/// all other programs are built; with another selection, Cargo compiles the dependencies again.
fn build_encoder() -> Result<PathBuf> {
    process::run(process::cargo().args(["build", "--workspace", "--bin", ENCODER]))?;
    process::sibling(ENCODER)
}

/// Runs Cargo in the plugins' workspace and returns the modules of the selected crates that are plugins (`cdylib`).
fn compile(mut cargo: Command, args: &PluginBuildArgs) -> Result<Vec<PathBuf>> {
    let workspace = repository().join("plugins");
    let target_dir = match &args.target_dir {
        Some(dir) => std::path::absolute(dir)?,
        None => workspace.join("target"),
    };
    cargo.args(["--release", "--target", toolchain::TARGET]);
    if args.plugins.is_empty() {
        cargo.arg("--workspace");
    }
    cargo.args(args.plugins.iter().flat_map(|plugin| ["--package", plugin]));
    cargo.args(["--message-format", "json-render-diagnostics", "--target-dir"]).arg(target_dir);
    cargo.current_dir(workspace).stdout(Stdio::piped());
    let mut child = cargo.spawn().with_context(|| format!("starting {}", cargo.get_program().display()))?;
    let stdout = child.stdout.take().context("Cargo's output is not piped")?;
    let modules = tidings_component::modules(BufReader::new(stdout));
    if !child.wait()?.success() {
        bail!("the plugins do not compile; the errors of Cargo are above");
    }
    modules
}

/// Makes the module's component and puts it into `out`, unless the same one is there. The file is named after the
/// package: Cargo names a module with `_` where the package has `-`.
fn wrap(encoder: &Path, module: &Path, out: &Path) -> Result<(PathBuf, bool)> {
    let name = module.file_name().with_context(|| format!("{} is not a file", module.display()))?;
    let name = name.to_string_lossy().replace('_', "-");
    let encoded = Command::new(encoder).arg(module).stderr(Stdio::inherit()).output();
    let encoded = encoded.with_context(|| format!("starting {}", encoder.display()))?;
    if !encoded.status.success() {
        bail!("{} cannot be made a component; the error is above", module.display());
    }
    let path = out.join(name);
    let written = replace(&path, &encoded.stdout).with_context(|| format!("writing {}", path.display()))?;
    Ok((path, written))
}

/// Replaces the file atomically. Returns false where it has this content already.
fn replace(path: &Path, content: &[u8]) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&unfinished, content)?;
    fs::rename(&unfinished, path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_the_same_content_is_not_rewritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        assert!(replace(&path, b"one").unwrap());
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(!replace(&path, b"one").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        assert!(replace(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
