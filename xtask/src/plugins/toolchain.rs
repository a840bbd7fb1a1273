//! The toolchains that can compile for WebAssembly, and which of them works on this machine. The first needs nothing, the
//! others install what is missing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{self, output};

/// The target of plugins. It has no system interface, so plugins import only the interfaces that they name.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler with the sources of its standard library.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

const ADVICE: &str = "\
What to do: install rustup (https://rustup.rs) and run `rustup target add wasm32-unknown-unknown`. Where rustup cannot
fetch that, on Debian and as root: `apt-get install rustc-web cargo-web rust-web-src`, which use rustup's linker.
Then run this again.";

/// A toolchain that compiles the plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Toolchain {
    /// The active toolchain, which has the target.
    Active,
    /// The active toolchain, for which `rustup target add` fetches the target.
    Rustup,
    /// Debian's packages rustc-web, cargo-web and rust-web-src build the standard library from source.
    Debian,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Toolchain::Active => "with the active toolchain, which has wasm32-unknown-unknown",
            Toolchain::Rustup => "with the active toolchain, for which rustup fetched wasm32-unknown-unknown",
            Toolchain::Debian => "with Debian's rustc-web, standard library included",
        })
    }
}

/// The first toolchain that works, or the requested one, and the start of its `cargo build`.
///
/// Fails where none works, with the reason for each and what to do.
pub fn find(requested: Option<Toolchain>) -> Result<(Toolchain, Command)> {
    let candidates = match &requested {
        Some(toolchain) => std::slice::from_ref(toolchain),
        None => &[Toolchain::Active, Toolchain::Rustup, Toolchain::Debian],
    };
    let mut reasons = Vec::new();
    for toolchain in candidates {
        match prepare(*toolchain) {
            Ok(cargo) => return Ok((*toolchain, cargo)),
            Err(reason) => reasons.push(format!("  {toolchain:?}: {reason:#}")),
        }
    }
    bail!("no toolchain of this machine can compile for {TARGET}.\n{}\n{ADVICE}", reasons.join("\n"))
}

fn prepare(toolchain: Toolchain) -> Result<Command> {
    match toolchain {
        Toolchain::Active => {
            let target = sysroot()?.join("lib/rustlib").join(TARGET);
            if !target.is_dir() {
                bail!("{} does not exist", target.display());
            }
            Ok(active_cargo())
        }
        Toolchain::Rustup => {
            succeed(Command::new("rustup").args(["target", "add", TARGET]))?;
            Ok(active_cargo())
        }
        Toolchain::Debian => {
            let linker = linker_directory()?;
            install_debian_packages()?;
            debian_cargo(&linker)
        }
    }
}

/// `cargo build` of the toolchain that runs this program.
fn active_cargo() -> Command {
    let mut cargo = process::cargo();
    cargo.arg("build");
    cargo
}

/// `cargo build` of Debian's toolchain. Of rustup, only the linker is in its environment.
fn debian_cargo(linker: &Path) -> Result<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(linker.to_owned()).chain(std::env::split_paths(&path)))?;
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.args(["build", "-Z", "build-std=std,panic_abort"]);
    cargo.env("PATH", path).env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    for inherited in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC", "RUSTC_WRAPPER", "RUSTFLAGS", "LD_LIBRARY_PATH"] {
        cargo.env_remove(inherited);
    }
    Ok(cargo)
}

/// Where rustup's toolchain keeps `rust-lld`, which Debian's compiler looks for on the PATH.
fn linker_directory() -> Result<PathBuf> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name its host")?;
    let directory = sysroot()?.join("lib/rustlib").join(host).join("bin");
    if !directory.join("rust-lld").is_file() {
        bail!("the linker {}/rust-lld does not exist", directory.display());
    }
    Ok(directory)
}

fn install_debian_packages() -> Result<()> {
    let query = output(Command::new("dpkg-query").args(["-W", "-f", "${Status}\n"]).args(DEBIAN_PACKAGES));
    let installed = |query: String| query.lines().filter(|line| *line == "install ok installed").count();
    if query.is_ok_and(|query| installed(query) == DEBIAN_PACKAGES.len()) {
        return Ok(());
    }
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("the packages {} are not installed, and only root can install them", DEBIAN_PACKAGES.join(" "));
    }
    eprintln!("installing {}", DEBIAN_PACKAGES.join(" "));
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        apt
    };
    succeed(apt().arg("update"))?;
    succeed(apt().args(["install", "-y", "--no-install-recommends"]).args(DEBIAN_PACKAGES))
}

fn sysroot() -> Result<PathBuf> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(sysroot.trim_end()))
}

/// Runs the command; its output goes to the standard error, since the standard output belongs to this program.
fn succeed(command: &mut Command) -> Result<()> {
    process::run(command.stdout(std::io::stderr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_cargo_inherits_only_the_linker_of_rustup() {
        let cargo = debian_cargo(Path::new("/lld")).unwrap();
        let env: Vec<_> = cargo.get_envs().collect();
        assert!(env.iter().any(|(name, value)| *name == "RUSTUP_TOOLCHAIN" && value.is_none()));
        let path = env.iter().find(|(name, _)| *name == "PATH").and_then(|(_, value)| *value).unwrap();
        assert_eq!(std::env::split_paths(path).next(), Some(PathBuf::from("/lld")));
    }
}
