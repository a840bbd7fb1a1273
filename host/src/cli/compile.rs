//! The hidden command that the daemon runs for itself: compile one component under limits. See `tidings_sandbox::Compiler`.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tidings_sandbox::{CompileLimits, Compiler, compile_as_child};

/// The name of the command.
const COMMAND: &str = "compile-component";

#[derive(Debug, Args)]
pub(super) struct CompileArgs {
    memory_bytes: u64,
    cpu_seconds: u64,
    code_bytes: u64,
}

/// The compiler: this program as a child process.
pub(super) fn compiler() -> Compiler {
    // The very file that runs, even where it was replaced meanwhile: another version's code would be refused.
    let running = PathBuf::from("/proc/self/exe");
    let program = if running.exists() { running } else { std::env::current_exe().unwrap_or(running) };
    Compiler::Child { program, arguments: vec![OsString::from(COMMAND)], limits: CompileLimits::default() }
}

/// Standard output carries the code, so nothing else may write to it.
pub(super) fn run(args: &CompileArgs) -> ExitCode {
    match compile_as_child(args.memory_bytes, args.cpu_seconds, args.code_bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, text)) => {
            // The exit code has to do where that cannot be written.
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::from(code)
        }
    }
}
