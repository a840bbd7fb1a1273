//! Why a sandbox cannot be set up.

use std::io;
use std::path::PathBuf;

use tidings_tls::TlsError;

/// Why a sandbox cannot be set up. Each of them stops the daemon at its start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    #[error("cannot start the thread of the engine's epochs")]
    Thread(#[source] io::Error),
    #[error("cannot use the cache of compiled code in {}", path.display())]
    Cache { path: PathBuf, source: io::Error },
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
}
