//! Starts other programs and reports how they ended. Every command runs in the root of the repository unless told.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The root of the repository that this program was built from.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The Cargo that runs this program, in the root of the repository.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository());
    cargo
}

/// The path of another program of the workspace. Cargo puts the programs of one profile into one directory, and this
/// program is one of them.
pub fn sibling(program: &str) -> Result<PathBuf> {
    Ok(env::current_exe().context("the path of this program")?.with_file_name(program))
}

/// Runs the command and shows its output. Fails where it does not end with status 0.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("`{}` cannot be started", line(command)))?;
    if status.success() { Ok(()) } else { bail!("`{}` failed: {status}", line(command)) }
}

/// Prints the title, then runs the command.
pub fn step(title: &str, command: &mut Command) -> Result<()> {
    eprintln!("==> {title}");
    run(command)
}

/// Runs the command and returns what it printed. Fails with its errors where it does not end with status 0.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("`{}` cannot be started", line(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", line(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed text that is not UTF-8", line(command)))
}

/// Whether the command can be started and ends with status 0. Its output is not shown.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The program and its arguments, as messages show them.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_command_and_repeats_its_errors() {
        let error = output(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("`sh -c"), "{error}");
        assert!(error.to_string().contains("broken"), "{error}");
        let error = run(&mut Command::new("/missing/rustup")).unwrap_err();
        assert!(error.to_string().contains("`/missing/rustup` cannot be started"), "{error}");
    }
}
