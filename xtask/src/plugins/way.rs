//! The ways to compile for WebAssembly, and which of them works here. The first asks nothing of the machine, the others
//! install what is missing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What plugins are compiled for: no system interface at all, so that they import only what they name.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler with the sources of its standard library.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

const ADVICE: &str = "\
What to do: install rustup (https://rustup.rs) and run `rustup target add wasm32-unknown-unknown`. Where rustup cannot
fetch that, on Debian and as root: `apt-get install rustc-web cargo-web rust-web-src`, which use rustup's linker.
Then run this again.";

/// One way to compile the plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// The active toolchain has the target.
    Toolchain,
    /// `rustup target add` fetches it.
    Rustup,
    /// Debian's packages rustc-web, cargo-web and rust-web-src build the standard library from source.
    Debian,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Toolchain => "with the active toolchain, which has wasm32-unknown-unknown",
            Way::Rustup => "with the active toolchain, for which rustup fetched wasm32-unknown-unknown",
            Way::Debian => "with Debian's rustc-web, standard library included",
        })
    }
}

/// The first way that works, or the one that was asked for, and the start of its `cargo build`.
///
/// Fails where none does, with what each lacked and what to do.
pub fn find(forced: Option<Way>) -> Result<(Way, Command)> {
    let ways = match &forced {
        Some(way) => std::slice::from_ref(way),
        None => &[Way::Toolchain, Way::Rustup, Way::Debian],
    };
    let mut lacking = Vec::new();
    for way in ways {
        match prepare(*way) {
            Ok(cargo) => return Ok((*way, cargo)),
            Err(reason) => lacking.push(format!("  {way:?}: {reason:#}")),
        }
    }
    bail!("nothing here can compile for {TARGET}.\n{}\n{ADVICE}", lacking.join("\n"))
}

fn prepare(way: Way) -> Result<Command> {
    match way {
        Way::Toolchain => {
            let target = sysroot()?.join("lib/rustlib").join(TARGET);
            if !target.is_dir() {
                bail!("{} does not exist", target.display());
            }
            Ok(active_cargo())
        }
        Way::Rustup => {
            succeed(Command::new("rustup").args(["target", "add", TARGET]))?;
            Ok(active_cargo())
        }
        Way::Debian => {
            let linker = linker_directory()?;
            install_debian_packages()?;
            debian_cargo(&linker)
        }
    }
}

/// `cargo build` of the toolchain that runs this program.
fn active_cargo() -> Command {
    let mut cargo = super::cargo();
    cargo.arg("build");
    cargo
}

/// `cargo build` of Debian's toolchain, with nothing of rustup's in its environment but the linker.
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
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
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
        bail!("the packages {} are not installed, and only root may do that", DEBIAN_PACKAGES.join(" "));
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

/// Runs it with its output shown, but not as this program's own.
fn succeed(command: &mut Command) -> Result<()> {
    command.stdout(std::io::stderr());
    let status = command.status().with_context(|| format!("{} cannot be run", command.get_program().display()))?;
    if status.success() { Ok(()) } else { bail!("`{}` failed: {status}", shown(command)) }
}

/// Runs it and returns what it printed.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{} cannot be run", command.get_program().display()))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", shown(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no text", shown(command)))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_tells_what_it_was_and_what_it_said() {
        let error = output(Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("no such luck"), "{error}");
        let error = succeed(&mut Command::new("/nowhere/rustup")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/rustup cannot be run"), "{error}");
    }

    #[test]
    fn debian_s_cargo_inherits_nothing_of_rustup_but_the_linker() {
        let cargo = debian_cargo(Path::new("/lld")).unwrap();
        let env: Vec<_> = cargo.get_envs().collect();
        assert!(env.iter().any(|(name, value)| *name == "RUSTUP_TOOLCHAIN" && value.is_none()));
        let path = env.iter().find(|(name, _)| *name == "PATH").and_then(|(_, value)| *value).unwrap();
        assert_eq!(std::env::split_paths(path).next(), Some(PathBuf::from("/lld")));
    }
}
