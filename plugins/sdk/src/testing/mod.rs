//! Fakes and deliveries for a plugin's own tests (feature `testing`): [`FakeHost`] answers HTTP requests from a list,
//! [`MemoryHost`] and [`NativeHost`] provide connections.
//!
//! These tests run the plugin natively, as plain Rust: fast, with a debugger, and without the sandbox's limits.
//! [`conforms`] calls `tidings plugin test`, which tests the plugin as a component, in the real sandbox and against
//! servers that misbehave. Do both: only the first knows what your protocol means, only the second checks the contract.
//!
//! ```
//! use tidings_plugin::host::Host as _;
//! use tidings_plugin::testing::{self, FakeHost};
//!
//! let host = FakeHost::answering([testing::answer(503, &[("retry-after", "30")], "busy")]);
//! let request = testing::request("https://pager.example/");
//! assert_eq!(host.send(&request).map(|response| response.status), Ok(503));
//! assert_eq!(host.requests(), [request]);
//! ```

#[cfg(not(target_family = "wasm"))]
mod component;
mod deliveries;
mod host;
mod memory;
mod native;

#[cfg(not(target_family = "wasm"))]
pub use component::conforms;
pub use deliveries::{confirmation, delivery, digest, event};
pub use host::{FakeHost, NOW_MS, answer, request};
pub use memory::{MemoryHost, MemoryStream, Peer, PeerReply};
pub use native::{NativeHost, NativeStream, now_ms};

use host::CALL_MS;

use crate::Outcome;

/// The settings of a channel, for a function that takes `config::get`. A later value of the same name replaces an
/// earlier one.
pub fn config<'a>(values: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| values.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

/// The kind of an outcome, its wait in milliseconds, and its reason or receipt.
pub fn parts(outcome: &Outcome) -> (&'static str, Option<u64>, &str) {
    match outcome {
        Outcome::Delivered(receipt) => ("delivered", None, receipt.as_deref().unwrap_or_default()),
        Outcome::Retry(retry) => ("retry", retry.after_ms, &retry.reason),
        Outcome::Rejected(reason) => ("rejected", None, reason),
        Outcome::AddressGone(gone) => ("gone", None, &gone.reason),
        Outcome::ChannelTrouble(trouble) => ("trouble", trouble.after_ms, &trouble.reason),
    }
}

/// One letter for each outcome: delivered, retry, rejected (x), gone, trouble (t), or pause where the trouble has a
/// wait.
pub fn letters(outcomes: &[Outcome]) -> String {
    let letter = |outcome: &Outcome| match outcome {
        Outcome::Delivered(_) => 'd',
        Outcome::Retry(_) => 'r',
        Outcome::Rejected(_) => 'x',
        Outcome::AddressGone(_) => 'g',
        Outcome::ChannelTrouble(trouble) if trouble.after_ms.is_some() => 'p',
        Outcome::ChannelTrouble(_) => 't',
    };
    outcomes.iter().map(letter).collect()
}

/// The reason of an outcome, or the receipt of a delivery.
pub fn reason(outcome: &Outcome) -> &str {
    parts(outcome).2
}
