//! Compiles components. The daemon lets a child process compile, which can be limited and killed. The child is this
//! program again: it reads the component from standard input and writes sealed code to standard output, both temporary
//! files in the cache's private directory. It blocks no thread of the daemon.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tidings_domain::limits::REASON_CHARS;
use tidings_domain::text::one_line;
use tokio::process::Command;
use tokio::task::spawn_blocking;

use super::cache::CodeCache;
use super::error::CompileError;
use super::sealed::seal;
use crate::{engine, limits};

/// The exit code of a child whose component does not compile (`EX_DATAERR` of sysexits.h).
pub const DOES_NOT_COMPILE: u8 = 65;

/// Where components are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In this process, without limits: for tests, and for tools that handle the user's own files.
    InProcess,
    /// In a child process for each component: `program` with `arguments`, then the limits (see [`CompileLimits`]). It
    /// must call
    /// [`compile_as_child`](crate::compile_as_child).
    Child { program: PathBuf, arguments: Vec<OsString>, limits: CompileLimits },
}

/// Limits of the compilation of one component. The child gets `memory_bytes`, `cpu_seconds` and `code_bytes` as
/// arguments, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Processor time.
    pub cpu_seconds: u64,
    /// The compiled code, in bytes.
    pub code_bytes: u64,
    /// The time after which the child is killed.
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
    /// The limits that the child imposes on itself.
    fn arguments(&self) -> [String; 3] {
        [self.memory_bytes, self.cpu_seconds, self.code_bytes].map(|number| number.to_string())
    }
}

impl Compiler {
    /// Compiles a component to [sealed](seal) code. Dropping the future kills the child.
    pub(super) async fn compile(&self, cache: &Arc<CodeCache>, file: Arc<[u8]>) -> Result<Vec<u8>, CompileError> {
        let Compiler::Child { program, arguments, limits } = self else {
            let compiled = spawn_blocking(move || compile_in_process(&file)).await;
            return compiled.unwrap_or_else(|error| Err(CompileError::Crashed(error.to_string())));
        };
        let unavailable = |error: io::Error| CompileError::Unavailable(error.to_string());
        let cache = Arc::clone(cache);
        let files = spawn_blocking(move || ChildFiles::prepare(&cache, &file)).await;
        let mut files = files.map_err(|error| unavailable(error.into()))?.map_err(unavailable)?;
        let mut command = Command::new(program);
        command.args(arguments).args(limits.arguments()).env_clear().current_dir("/").kill_on_drop(true);
        files.attach(&mut command).map_err(unavailable)?;
        let named = |error: io::Error| CompileError::Unavailable(format!("{}: {error}", program.display()));
        let mut child = command.spawn().map_err(named)?;
        // The command holds the child's files open too.
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
            check_exit(status, &files.read_stderr().map_err(unavailable)?, &limits)?;
            files.read_code(limits.code_bytes).map_err(unavailable)
        });
        read.await.map_err(|error| unavailable(error.into()))?
    }
}

pub(super) fn compile_in_process(file: &[u8]) -> Result<Vec<u8>, CompileError> {
    let engine = engine::compiler().map_err(|error| CompileError::Unavailable(format!("{error:#}")))?;
    let code = engine.precompile_component(file);
    let code = code.map_err(|error| CompileError::Refused(one_line(&format!("{error:#}"), REASON_CHARS)))?;
    Ok(seal(&code))
}

/// The standard input, output and error of a child.
struct ChildFiles {
    component: File,
    code: File,
    stderr: File,
}

impl ChildFiles {
    fn prepare(cache: &CodeCache, file: &[u8]) -> io::Result<ChildFiles> {
        let mut component = cache.temp_file()?;
        component.write_all(file)?;
        component.rewind()?;
        Ok(ChildFiles { component, code: cache.temp_file()?, stderr: cache.temp_file()? })
    }

    fn attach(&self, command: &mut Command) -> io::Result<()> {
        command.stdin(Stdio::from(self.component.try_clone()?));
        command.stdout(Stdio::from(self.code.try_clone()?)).stderr(Stdio::from(self.stderr.try_clone()?));
        Ok(())
    }

    fn read_stderr(&mut self) -> io::Result<String> {
        self.stderr.rewind()?;
        let mut bytes = Vec::new();
        (&self.stderr).take(limits::COMPILE_STDERR_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads at most `limit` bytes. More code than that is cut, so that its seal does not match.
    fn read_code(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        self.code.rewind()?;
        let mut code = Vec::new();
        (&self.code).take(limit).read_to_end(&mut code)?;
        Ok(code)
    }
}

/// Fails unless the child exited with success.
fn check_exit(status: ExitStatus, stderr: &str, limits: &CompileLimits) -> Result<(), CompileError> {
    if status.success() {
        return Ok(());
    }
    let stderr = one_line(stderr.trim(), REASON_CHARS);
    if status.code() == Some(DOES_NOT_COMPILE.into()) {
        return Err(CompileError::Refused(stderr));
    }
    Err(match status.signal().and_then(Signal::from_named_raw) {
        Some(Signal::XCPU) => CompileError::Time(limits.cpu_seconds, "of processor time"),
        Some(Signal::XFSZ) => CompileError::Size(limits.code_bytes),
        // The kernel killed it for lack of memory, or the child aborted when it was refused memory.
        Some(Signal::KILL) => CompileError::Memory(limits.memory_bytes),
        _ if stderr.contains("memory allocation of") => CompileError::Memory(limits.memory_bytes),
        _ if stderr.is_empty() => CompileError::Crashed(status.to_string()),
        _ => CompileError::Crashed(format!("{status}; standard error: {stderr}")),
    })
}

#[cfg(test)]
#[path = "compiler_tests.rs"]
mod tests;
