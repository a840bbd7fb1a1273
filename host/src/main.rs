//! The program `tidings`. Its commands are in `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidings::cli::run(std::env::args_os())
}
