//! The contract versions that the sandbox serves. Each version has a module with the generated bindings and the
//! conversion to and from the domain's types, which decides nothing. The rest of the sandbox knows only this folder's
//! functions: another version is a module beside `v1` and a variant of [`ContractVersion`].

mod contract;
mod linked;
mod v1;
mod version;

pub(crate) use contract::{EVENT_STREAM, PACKAGE, PLUGIN, WakeReason};
pub(crate) use linked::{LinkedPlugin, linker};
pub(crate) use version::ContractVersion;
