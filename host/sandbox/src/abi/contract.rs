//! What all versions of the contract share: the names of its package and interfaces, and why a resident plugin is
//! woken.

/// The package that components of every version name in their imports and exports.
pub(crate) const PACKAGE: &str = "tidings:channel";
/// The interface that a plugin exports.
pub(crate) const PLUGIN: &str = "plugin";
/// The interface that a resident plugin exports as well.
pub(super) const RESIDENT: &str = "resident";
/// The interface that a plugin imports to append to event streams.
pub(crate) const EVENT_STREAM: &str = "event-stream";

/// The full name of an interface in a version of the contract.
pub(super) fn interface(name: &str, version: &str) -> String {
    format!("{PACKAGE}/{name}@{version}")
}

/// Why a resident plugin is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WakeReason {
    Start,
    Readable,
    Timer,
    Stop,
}
