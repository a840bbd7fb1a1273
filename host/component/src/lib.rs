//! From a plugin author's project to a component of the contract: `toolchain` builds in each language, `artifacts`
//! reads what Cargo built, `encode` wraps a core module. It runs no plugin.

mod artifacts;
mod encode;
pub mod toolchain;

pub use artifacts::modules;
pub use encode::encode;
