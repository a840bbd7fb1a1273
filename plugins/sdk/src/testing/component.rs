//! The plugin as a component, built and judged by the program `tidings`.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};

/// Builds the project in this directory (`env!("CARGO_MANIFEST_DIR")`) and runs it against the contract: `tidings plugin
/// build` and `tidings plugin test`. The program is the one that the variable `TIDINGS` names, else the one on the PATH.
/// The first build takes half a minute.
///
/// # Errors
/// Which command failed, and what it said; or that there is no such program: a contract that was not looked at is not kept.
pub fn conforms(project: &str) -> Result<(), String> {
    let program = env::var_os("TIDINGS").unwrap_or_else(|| OsString::from("tidings"));
    for command in ["build", "test"] {
        let mut tidings = Command::new(&program);
        tidings.args(["plugin", command, project]).stdin(Stdio::null());
        told(command, tidings.output().map(|ended| (ended.status.success(), [ended.stdout, ended.stderr].concat())))?;
    }
    Ok(())
}

fn told(command: &str, ended: io::Result<(bool, Vec<u8>)>) -> Result<(), String> {
    match ended {
        Ok((true, _)) => Ok(()),
        Ok((false, said)) => Err(format!("tidings plugin {command}:\n{}", String::from_utf8_lossy(&said))),
        Err(error) => {
            Err(format!("tidings does not start ({error}): name it in the variable TIDINGS, or put it on the PATH"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_said() {
        assert_eq!(told("test", Ok((true, b"fine".to_vec()))), Ok(()));
        let failed = told("test", Ok((false, b"1 failed".to_vec())));
        assert_eq!(failed, Err("tidings plugin test:\n1 failed".to_owned()));
        let absent = told("build", Err(io::ErrorKind::NotFound.into())).expect_err("no program");
        assert!(absent.contains("TIDINGS"), "{absent}");
    }
}
