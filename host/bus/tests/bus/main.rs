//! The bus over real sockets: sources and publisher against each other, and against peers that misbehave. Loopback only.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod publisher;
mod support;
mod zmq;
