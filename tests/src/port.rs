//! Ports for programs that must be told their port before they bind it. A listener of this process binds port 0 instead.

use std::net::TcpListener;
use std::ops::Range;

use anyhow::{Result, bail};

/// Below the ports that Linux assigns to connections and for port 0 (`net.ipv4.ip_local_port_range`, from 32768).
const PORTS: Range<u16> = 20_000..32_000;
/// Ports that are tried until one is free.
const ATTEMPTS: usize = 100;

/// A free port of the loopback interface. The kernel does not assign it to another program before it is used, and another
/// call returns the same one only by chance.
pub fn free() -> Result<u16> {
    for _ in 0..ATTEMPTS {
        let port = rand::random_range(PORTS);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on 127.0.0.1 from {} to {}, after {ATTEMPTS} attempts", PORTS.start, PORTS.end)
}
