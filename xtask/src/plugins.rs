//! `build-plugins`: compiles every plugin of the workspace `plugins/` to a WebAssembly module, wraps each into a
//! component of the contract, checks that it imports nothing else, and puts it into `target/plugins/`.
//!
//! It uses no tool outside of Cargo: the wrapping is a library. A component that did not change is not rewritten.

mod way;

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context, Result, bail};

pub use way::Way;

/// How to build the plugins. The defaults are what everybody but a test of this command wants.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Build in this way only, instead of the first that works.
    #[arg(long, value_enum)]
    pub way: Option<Way>,
    /// Where the modules are compiled; plugins/target unless told.
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,
    /// Where the components go; target/plugins unless told.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Builds, and tells what came of it.
pub fn run(args: &Args) -> Result<()> {
    for (path, written) in build(args)? {
        let size = fs::metadata(&path)?.len();
        let state = if written { "written" } else { "unchanged" };
        println!("{} ({} kB, {state})", path.display(), size.div_ceil(1000));
    }
    Ok(())
}

/// Builds all plugins. Returns the path of each component and whether it was written.
pub fn build(args: &Args) -> Result<Vec<(PathBuf, bool)>> {
    let out = args.out.clone().unwrap_or_else(|| repository().join("target/plugins"));
    fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;
    let (way, cargo) = way::find(args.way)?;
    eprintln!("plugins are built {way}");
    let modules = compile(cargo, args.target_dir.as_deref())?;
    modules.iter().map(|module| wrap(module, &out)).collect()
}

/// The Cargo that runs this program.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The root of the repository that this program was built from.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Runs Cargo in the plugins' workspace and returns the modules of all crates that are plugins (`cdylib`).
fn compile(mut cargo: Command, target_dir: Option<&Path>) -> Result<Vec<PathBuf>> {
    let workspace = repository().join("plugins");
    let target_dir = match target_dir {
        Some(dir) => std::path::absolute(dir)?,
        None => workspace.join("target"),
    };
    cargo.args(["--release", "--workspace", "--target", way::TARGET]);
    cargo.args(["--message-format", "json-render-diagnostics", "--target-dir"]).arg(target_dir);
    cargo.current_dir(workspace).stdout(Stdio::piped());
    let mut child = cargo.spawn().with_context(|| format!("starting {}", cargo.get_program().display()))?;
    let stdout = child.stdout.take().context("Cargo's output is not piped")?;
    let modules = tidings_component::modules(BufReader::new(stdout));
    if !child.wait()?.success() {
        bail!("the plugins do not compile; Cargo said why above");
    }
    modules
}

/// Makes the module's component and puts it into `out`, unless the same one is there.
fn wrap(module: &Path, out: &Path) -> Result<(PathBuf, bool)> {
    let name = module.file_name().with_context(|| format!("{} is no file", module.display()))?;
    let bytes = fs::read(module).with_context(|| format!("reading {}", module.display()))?;
    let component =
        tidings_component::encode(&bytes).with_context(|| format!("making a component of {}", module.display()))?;
    let path = out.join(name);
    let written = replace(&path, &component).with_context(|| format!("writing {}", path.display()))?;
    Ok((path, written))
}

/// Writes the file at once or not at all. Returns false where it had this content already.
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
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no unfinished file stays behind");
    }
}
