//! Tests of sources and publisher over real sockets: against each other, and against peers that break the protocol.
//! Loopback only.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod publisher;
mod support;
mod zmq;
