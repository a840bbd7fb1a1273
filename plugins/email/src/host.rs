//! The host's functions as the traits that the rest of the plugin uses. The only place that calls them.

use tidings_plugin::net::{Connection, Error, TlsOptions, Verification};
use tidings_plugin::{clock, net};

use crate::smtp::{Clock, Network, Stream};

pub struct HostClock;

impl Clock for HostClock {
    fn remaining_ms(&self) -> u64 {
        clock::remaining_ms()
    }
}

pub struct HostNetwork;

impl Network for HostNetwork {
    type Stream = Connection;

    fn connect(&self, host: &str, port: u16, tls: Option<Verification>) -> Result<Connection, Error> {
        net::connect(host, port, tls.map(options).as_ref())
    }
}

impl Stream for Connection {
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Error> {
        Connection::read(self, max)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        Connection::write(self, bytes)
    }

    fn start_tls(&mut self, verification: Verification) -> Result<(), Error> {
        Connection::start_tls(self, &options(verification))
    }

    fn set_timeout_ms(&mut self, timeout: u32) {
        Connection::set_timeout_ms(self, timeout);
    }
}

/// For the host that was connected to.
fn options(verification: Verification) -> TlsOptions {
    TlsOptions { server_name: None, verification, identity: None }
}
