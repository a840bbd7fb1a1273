//! Tests of the plugin as a component, by the program `tidings`.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};

/// Builds the project in this directory (`env!("CARGO_MANIFEST_DIR")`) and runs it against the contract: `tidings
/// plugin build` and `tidings plugin test`. The variable `TIDINGS` names the program; by default it is found on the
/// PATH. The first build takes half a minute.
///
/// # Errors
/// Returns the command that failed and its output, or that the program was not found.
pub fn conforms(project: &str) -> Result<(), String> {
    let program = env::var_os("TIDINGS").unwrap_or_else(|| OsString::from("tidings"));
    for command in ["build", "test"] {
        let mut tidings = Command::new(&program);
        tidings.args(["plugin", command, project]).stdin(Stdio::null());
        let output = tidings.output();
        check(command, output.map(|output| (output.status.success(), [output.stdout, output.stderr].concat())))?;
    }
    Ok(())
}

fn check(command: &str, result: io::Result<(bool, Vec<u8>)>) -> Result<(), String> {
    match result {
        Ok((true, _)) => Ok(()),
        Ok((false, output)) => Err(format!("tidings plugin {command}:\n{}", String::from_utf8_lossy(&output))),
        Err(error) => Err(format!(
            "tidings does not start ({error}): set the variable TIDINGS to its path, or put it on the PATH"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_output_or_names_the_variable() {
        assert_eq!(check("test", Ok((true, b"fine".to_vec()))), Ok(()));
        let failed = check("test", Ok((false, b"1 failed".to_vec())));
        assert_eq!(failed, Err("tidings plugin test:\n1 failed".to_owned()));
        let absent = check("build", Err(io::ErrorKind::NotFound.into())).expect_err("the program is missing");
        assert!(absent.contains("TIDINGS"), "{absent}");
    }
}
