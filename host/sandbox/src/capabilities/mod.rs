//! What a plugin can do: one file for each interface of the contract, as methods of the room. They know the domain's types
//! and not the generated ones, so that another version of the contract can use them as they are.

mod clock;
mod config;
mod event_stream;
pub(crate) mod http;
mod inbox;
mod log;
pub mod net;
mod progress;
mod random;
mod state;

#[cfg(test)]
mod tests;
