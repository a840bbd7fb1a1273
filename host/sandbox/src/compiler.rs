//! Where components are compiled: what a compiler does with a hostile file is not bounded by anything in the file, so the
//! daemon lets a child do it, a process that can be limited and lost. The child is this program again. It reads the
//! component from its standard input and writes the code, as the cache keeps it, to its standard output; both are files
//! without a name in the cache's private directory. It takes no thread of the daemon while it runs.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use tidings_domain::text::one_line;
use tokio::process::Command;
use tokio::task::spawn_blocking;

use crate::cache::{self, CodeCache};
use crate::engine;

mod child;

pub use child::{DOES_NOT_COMPILE, compile_as_child};

/// Who compiles.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// This process, without a limit: for tests and tools that look at files their user made.
    InProcess,
    /// A child for each component: `program` with `arguments` and then the limits, see [`CompileLimits::arguments`]. It is
    /// to call [`compile_as_child`].
    Child { program: PathBuf, arguments: Vec<OsString>, limits: CompileLimits },
}

/// What the compilation of one component may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Processor time.
    pub cpu_seconds: u64,
    /// The code that comes out, in bytes.
    pub code_bytes: u64,
    /// Until the child is killed.
    pub time: Duration,
}

impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits {
            memory_bytes: limits::COMPILE_MEMORY_BYTES,
            cpu_seconds: limits::COMPILE_CPU_SECONDS,
            code_bytes: limits::COMPILED_BYTES,
            time: limits::COMPILE_TIME,
        }
    }
}

impl CompileLimits {
    /// Those that the child imposes on itself: bytes of memory, seconds of processor time, bytes of code.
    fn arguments(&self) -> [String; 3] {
        [self.memory_bytes, self.cpu_seconds, self.code_bytes].map(|number| number.to_string())
    }
}

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The compiler's own words.
    #[error("the component does not compile: {0}")]
    Refused(String),
    #[error("compiling the component takes more than {} MiB of memory", .0 >> 20)]
    Memory(u64),
    #[error("compiling the component takes too long: more than {0} s {1}")]
    Time(u64, &'static str),
    #[error("the component's compiled code has more than {} MiB", .0 >> 20)]
    Size(u64),
    #[error("the compiler crashed on the component: {0}")]
    Crashed(String),
    #[error("what the compiler gave back is not whole")]
    Damaged,
    /// Nothing is wrong with the component, as far as is known.
    #[error("the compiler cannot be run: {0}")]
    Unavailable(String),
}

impl Compiler {
    /// The code of a component, [sealed](cache::seal). Whoever stops waiting kills the child.
    pub(crate) async fn compile(&self, cache: &Arc<CodeCache>, file: Arc<[u8]>) -> Result<Vec<u8>, CompileError> {
        let Compiler::Child { program, arguments, limits } = self else {
            let compiled = spawn_blocking(move || in_process(&file)).await;
            return compiled.unwrap_or_else(|error| Err(CompileError::Crashed(error.to_string())));
        };
        let unavailable = |error: io::Error| CompileError::Unavailable(error.to_string());
        let scratch = Arc::clone(cache);
        let files = spawn_blocking(move || Files::prepare(&scratch, &file)).await;
        let mut files = files.map_err(|error| unavailable(error.into()))?.map_err(unavailable)?;
        let mut command = Command::new(program);
        command.args(arguments).args(limits.arguments()).env_clear().current_dir("/").kill_on_drop(true);
        files.give_to(&mut command).map_err(unavailable)?;
        let named = |error: io::Error| CompileError::Unavailable(format!("{}: {error}", program.display()));
        let mut child = command.spawn().map_err(named)?;
        // What was given to the child is open in the command too.
        drop(command);
        let status = match tokio::time::timeout(limits.time, child.wait()).await {
            Ok(status) => status.map_err(unavailable)?,
            Err(_) => {
                child.kill().await.map_err(unavailable)?;
                return Err(CompileError::Time(limits.time.as_secs(), "in all"));
            }
        };
        let limits = *limits;
        let read = spawn_blocking(move || {
            judge(status, &files.said().map_err(unavailable)?, &limits)?;
            files.code(limits.code_bytes).map_err(unavailable)
        });
        read.await.map_err(|error| unavailable(error.into()))?
    }
}

fn in_process(file: &[u8]) -> Result<Vec<u8>, CompileError> {
    let engine = engine::compiler().map_err(|error| CompileError::Unavailable(format!("{error:#}")))?;
    let code = engine.precompile_component(file);
    let code = code.map_err(|error| {
        CompileError::Refused(one_line(&format!("{error:#}"), tidings_domain::limits::REASON_CHARS))
    })?;
    Ok(cache::seal(&code))
}

/// What a child is given to read and to write.
struct Files {
    component: File,
    code: File,
    says: File,
}

impl Files {
    fn prepare(cache: &CodeCache, file: &[u8]) -> io::Result<Files> {
        let mut component = cache.scratch()?;
        component.write_all(file)?;
        component.rewind()?;
        Ok(Files { component, code: cache.scratch()?, says: cache.scratch()? })
    }

    fn give_to(&self, command: &mut Command) -> io::Result<()> {
        command.stdin(Stdio::from(self.component.try_clone()?));
        command.stdout(Stdio::from(self.code.try_clone()?)).stderr(Stdio::from(self.says.try_clone()?));
        Ok(())
    }

    fn said(&mut self) -> io::Result<String> {
        self.says.rewind()?;
        let mut said = Vec::new();
        (&self.says).take(limits::COMPILE_SAYS_BYTES).read_to_end(&mut said)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// No more than the child was allowed to write: one that is not limited is cut off, and its code is not whole.
    fn code(&mut self, most: u64) -> io::Result<Vec<u8>> {
        self.code.rewind()?;
        let mut code = Vec::new();
        (&self.code).take(most).read_to_end(&mut code)?;
        Ok(code)
    }
}

/// What became of a child that has ended by itself.
fn judge(status: ExitStatus, said: &str, limits: &CompileLimits) -> Result<(), CompileError> {
    if status.success() {
        return Ok(());
    }
    let said = one_line(said.trim(), tidings_domain::limits::REASON_CHARS);
    if status.code() == Some(DOES_NOT_COMPILE.into()) {
        return Err(CompileError::Refused(said));
    }
    Err(match status.signal().and_then(rustix::process::Signal::from_named_raw) {
        Some(rustix::process::Signal::XCPU) => CompileError::Time(limits.cpu_seconds, "of processor time"),
        Some(rustix::process::Signal::XFSZ) => CompileError::Size(limits.code_bytes),
        // The kernel, which is short of memory, or the child itself, which was refused some.
        Some(rustix::process::Signal::KILL) => CompileError::Memory(limits.memory_bytes),
        _ if said.contains("memory allocation of") => CompileError::Memory(limits.memory_bytes),
        _ if said.is_empty() => CompileError::Crashed(status.to_string()),
        _ => CompileError::Crashed(format!("{status}; it said: {said}")),
    })
}

#[cfg(test)]
mod tests;
