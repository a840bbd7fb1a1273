//! The daemon `tidings`: bus -> verify -> facts -> match -> store -> dispatch -> sandbox -> outcome. This crate wires the
//! parts together and owns the edges (configuration, command line, API, telemetry). It uses neither SQL nor wasmtime.

pub mod access_lists;
pub mod api;
pub mod app;
pub mod changes;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dispatch;
pub mod fetch;
pub mod intake;
pub mod link_signer;
pub mod matching_state;
pub mod precondition;
pub mod static_data;
pub mod streams;
pub mod telemetry;
pub mod trust;
pub mod verify;
