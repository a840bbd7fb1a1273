//! The host as a channel over HTTP uses it, behind a trait, so that such a channel is tested without a host. Channels
//! with their own connections use [`crate::stream`].

use crate::http::{Error, Request, Response};
use crate::{Outcome, clock, http, progress};

/// What one call of a plugin may ask of the host.
pub trait Host {
    /// Sends an HTTP request. An error status is a response.
    fn send(&self, request: &Request) -> Result<Response, Error>;
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
    /// The time until the deadline of this call, in milliseconds.
    fn remaining_ms(&self) -> u64;
    /// Reports the final outcome of the delivery at this index of the batch. It counts even if the plugin traps later.
    fn settled(&self, index: usize, outcome: &Outcome);
}

/// The host of a plugin that runs in the sandbox.
pub struct Sandbox;

impl Host for Sandbox {
    fn send(&self, request: &Request) -> Result<Response, Error> {
        http::send(request)
    }

    fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    fn remaining_ms(&self) -> u64 {
        clock::remaining_ms()
    }

    fn settled(&self, index: usize, outcome: &Outcome) {
        progress::settled(index as u32, outcome);
    }
}
