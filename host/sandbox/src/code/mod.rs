//! Compiled code: from a component file to code that the engine runs, by the cache or by a compiler. A compiler is a
//! child process under limits, since nothing in a hostile file bounds what compiling it takes.

mod cache;
mod child;
mod compiler;
mod error;
mod sealed;
mod store;

pub use child::compile_as_child;
pub use compiler::{CompileLimits, Compiler, DOES_NOT_COMPILE};
pub use error::CompileError;
pub(crate) use store::CodeStore;
