//! The compiling process: it limits itself first, then reads the component. It needs no configuration and opens no file
//! and no socket.

use std::io::{self, Read as _, Write as _};

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

use super::compiler::{DOES_NOT_COMPILE, compile_in_process};
use super::error::CompileError;
use crate::limits;

/// The lowest priority: deliveries come first.
const LOWEST_PRIORITY: i32 = 19;

/// Compiles the component on standard input to sealed code on standard output. Puts the whole process under these
/// limits, so it is for a process that does nothing else.
///
/// # Errors
/// Returns the exit code, [`DOES_NOT_COMPILE`] or 1, and the text for standard error.
pub fn compile_as_child(memory_bytes: u64, cpu_seconds: u64, code_bytes: u64) -> Result<(), (u8, String)> {
    let broken = |error: io::Error| (1, error.to_string());
    limit(memory_bytes, cpu_seconds, code_bytes).map_err(broken)?;
    let mut file = Vec::new();
    io::stdin().lock().take(tidings_domain::limits::COMPONENT_BYTES as u64).read_to_end(&mut file).map_err(broken)?;
    let code = compile_in_process(&file).map_err(|error| match error {
        CompileError::Refused(text) => (DOES_NOT_COMPILE, text),
        other => (1, other.to_string()),
    })?;
    let mut out = io::stdout().lock();
    out.write_all(&code).and_then(|()| out.flush()).map_err(broken)
}

fn limit(memory_bytes: u64, cpu_seconds: u64, code_bytes: u64) -> io::Result<()> {
    for (resource, most) in [
        // Allocated memory; and all mapped memory, for kernels that do not count the former.
        (Resource::Data, memory_bytes),
        (Resource::As, memory_bytes.saturating_add(limits::COMPILE_PROGRAM_BYTES)),
        (Resource::Cpu, cpu_seconds),
        (Resource::Fsize, code_bytes),
        (Resource::Core, 0),
    ] {
        // The soft limit of processor time has its own signal (SIGXCPU), the hard one kills.
        let hard = if resource == Resource::Cpu { most.saturating_add(1) } else { most };
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(hard) })?;
    }
    // A daemon that was killed cannot end its child.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    nice(LOWEST_PRIORITY)?;
    // The kernel kills this process first when memory runs out. Not every kernel supports it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}
