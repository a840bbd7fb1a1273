//! The host functions of plugins: one file for each interface of the contract, as methods of [`InstanceState`] and
//! [`ChannelContext`]. They use the domain's types and not the generated ones, so that every version of the contract
//! can share them.
//!
//! [`InstanceState`]: crate::instance::InstanceState
//! [`ChannelContext`]: crate::instance::ChannelContext

mod clock;
mod config;
mod event_stream;
pub(crate) mod http;
mod inbox;
mod log;
mod net;
mod progress;
mod random;
mod state;

#[cfg(test)]
mod egress_tests;
