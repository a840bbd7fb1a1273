//! One plugin instance: the data of its `Store`, the context that its channel gives it, and the limits on what it holds
//! (memory, tables, connections, printed text). It knows neither the contract's versions nor how calls are made.

mod connection;
mod context;
mod growth_limiter;
mod log_stream;
mod rate_limit;
mod state;
mod wasi_context;

pub use connection::Connection;
pub(crate) use connection::TlsOptions;
pub(crate) use context::ChannelContext;
pub(crate) use state::InstanceState;
pub(crate) use wasi_context::WasiContext;
