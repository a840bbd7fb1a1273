//! The only crate that knows wasmtime. It admits components, instantiates them under limits and grants, calls them, and
//! turns whatever happens (an answer, a trap, a timeout, an invalid answer) into an outcome. It knows neither the
//! store, nor the dispatcher, nor the API: what a plugin needs from the daemon comes through [`ChannelHost`].
//!
//! From a lease to the guest, a delivery passes four types:
//!
//! 1. the daemon's `PluginRunner` turns leases into a [`Batch`];
//! 2. [`Plugin`] waits for a free instance and bounds the call by its caller; for a resident plugin, [`ResidentHandle`]
//!    passes the batch to the task that owns the running instance;
//! 3. `Call` owns the `Store<InstanceState>`: it sets limits and deadline, and makes the [`CallReport`];
//! 4. `abi::LinkedPlugin` calls the typed function `deliver` of the plugin's contract version.

mod abi;
mod admission;
mod admitted;
mod call;
mod capabilities;
mod channel_host;
mod code;
mod credentials;
mod delivery_request;
mod detached_host;
mod engine;
mod error;
mod guest_executor;
mod instance;
pub mod limits;
mod network;
mod plugin;
mod report;
mod resident;
mod runtime;
mod sandbox;
mod violation;
mod wasi;

pub use admission::AdmissionError;
pub use admitted::Admitted;
pub use channel_host::{ChannelHost, LogLevel, StateError, StreamAppend};
pub use code::{CompileError, CompileLimits, Compiler, DOES_NOT_COMPILE, compile_as_child};
pub use credentials::{CredentialProblem, check_credential};
pub use delivery_request::{Batch, DeliveryLinks, DeliveryRequest};
pub use error::SandboxError;
pub use network::Resolver;
pub use plugin::{ChannelSettings, Plugin};
pub use report::{CallReport, CallStats};
pub use resident::{ResidentHandle, ResidentStats};
pub use sandbox::{Sandbox, SandboxOptions};
