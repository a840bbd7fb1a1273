//! The host as a channel that speaks HTTP uses it, behind a trait, so that such a channel is tested without a host.

use crate::http::{Error, Request, Response};
use crate::{Outcome, clock, http, progress};

/// What one call of `deliver` may ask of the host.
pub trait Host {
    fn send(&self, request: &Request) -> Result<Response, Error>;
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
    /// What is left before the deadline of this call: milliseconds.
    fn remaining_ms(&self) -> u64;
    /// Tells what became of the delivery at this place of the batch.
    fn settled(&self, place: usize, outcome: &Outcome);
}

/// The real one, within the sandbox.
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

    fn settled(&self, place: usize, outcome: &Outcome) {
        progress::settled(place as u32, outcome);
    }
}
