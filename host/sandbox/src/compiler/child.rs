//! The child's side: first it limits itself, then it looks at what it was given. It needs no configuration, opens no file
//! and no socket.

use std::io::{self, Read as _, Write as _};

use crate::limits;
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

use super::{CompileError, in_process};

/// The exit code of a child that read its component to the end and found no code in it (`EX_DATAERR` of sysexits.h).
pub const DOES_NOT_COMPILE: u8 = 65;

/// The least urgent work there is: deliveries come first.
const LAST: i32 = 19;

/// Compiles the component on standard input to standard output, within limits that this whole process is put under: for a
/// program that was started for this and nothing else.
///
/// # Errors
/// What is to be written to standard error, and the exit code: [`DOES_NOT_COMPILE`] or 1.
pub fn compile_as_child(memory_bytes: u64, cpu_seconds: u64, code_bytes: u64) -> Result<(), (u8, String)> {
    let broken = |error: io::Error| (1, error.to_string());
    limit(memory_bytes, cpu_seconds, code_bytes).map_err(broken)?;
    let mut file = Vec::new();
    io::stdin().lock().take(tidings_domain::limits::COMPONENT_BYTES as u64).read_to_end(&mut file).map_err(broken)?;
    let code = in_process(&file).map_err(|error| match error {
        CompileError::Refused(text) => (DOES_NOT_COMPILE, text),
        other => (1, other.to_string()),
    })?;
    let mut out = io::stdout().lock();
    out.write_all(&code).and_then(|()| out.flush()).map_err(broken)
}

fn limit(memory_bytes: u64, cpu_seconds: u64, code_bytes: u64) -> io::Result<()> {
    for (resource, most) in [
        // What it allocates; and, where the kernel does not count that, all that it has mapped.
        (Resource::Data, memory_bytes),
        (Resource::As, memory_bytes.saturating_add(limits::COMPILE_PROGRAM_BYTES)),
        (Resource::Cpu, cpu_seconds),
        (Resource::Fsize, code_bytes),
        (Resource::Core, 0),
    ] {
        // The soft limit on processor time is told by a signal of its own, the hard one by the kill of everybody.
        let hard = if resource == Resource::Cpu { most.saturating_add(1) } else { most };
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(hard) })?;
    }
    // Whoever started it is not there to kill it where it was killed itself.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    nice(LAST)?;
    // The first to go where the machine is short of memory. Not every kernel has it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}
