//! From a plugin author's project to a component of the contract: `toolchain` builds in each language, `artifacts`
//! reads what Cargo built, `encode` wraps a core module. It runs no plugin.
//!
//! The feature `encode` takes most of the compile time; `xtask` does without it and starts `tidings-componentize`.

mod artifacts;
#[cfg(feature = "encode")]
mod encode;
pub mod toolchain;

pub use artifacts::modules;
#[cfg(feature = "encode")]
pub use encode::encode;
