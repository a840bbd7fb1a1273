//! The host's functions as the trait that the rest of the plugin uses. The only place that calls them.

use tidings_plugin::net::{Connection, Error, TlsOptions};
use tidings_plugin::{clock, inbox, log, net, random};

use crate::engine::{IrcHost, Stream};

/// The real one, within the sandbox.
pub struct SandboxHost;

impl IrcHost for SandboxHost {
    type Stream = Connection;

    fn connect(&self, host: &str, port: u16, tls: Option<TlsOptions>) -> Result<Connection, Error> {
        net::connect(host, port, tls.as_ref())
    }

    fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        clock::monotonic_ms()
    }

    fn remaining_ms(&self) -> u64 {
        clock::remaining_ms()
    }

    fn random(&self) -> u64 {
        random::bytes(8).into_iter().fold(0, |number, byte| number << 8 | u64::from(byte))
    }

    fn submit(&self, address: &str, text: &str) -> Vec<String> {
        inbox::submit(address, text)
    }

    fn log(&self, text: &str) {
        log::log(log::Level::Warning, text);
    }
}

impl Stream for Connection {
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Error> {
        Connection::read(self, max)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        Connection::write(self, bytes)
    }

    fn set_timeout_ms(&mut self, timeout: u32) {
        Connection::set_timeout_ms(self, timeout);
    }
}
