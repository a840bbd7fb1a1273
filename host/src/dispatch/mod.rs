//! Sending what is due. Each enabled channel has a worker of its own that leases due deliveries, calls the channel's
//! plugin, and settles the outcomes; channels share nothing but the store. Dispatch opens no socket and knows no protocol.

mod bounded_map;
pub(crate) mod limits;
mod plugin_runner;
mod settings;
mod version_set;
mod wakers;
mod worker;

pub use plugin_runner::PluginRunner;
pub use settings::DispatchSettings;
pub use version_set::{CallableVersion, Rollout, RolloutReport, RolloutReports, RolloutVerdict, VersionSet};
pub use wakers::Wakers;
pub use worker::{ChannelRest, Worker, WorkerHandle, WorkerMonitor};
