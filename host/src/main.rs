//! The program `tidings`. What it can do is in `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidings::cli::run(std::env::args_os())
}
