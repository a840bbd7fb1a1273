//! Ports that nobody listens on.

use std::net::TcpListener;

use anyhow::{Context, Result};

/// A free port of the loopback interface. It is free at the moment of asking: use it soon.
pub fn free() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}
