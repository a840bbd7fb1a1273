//! SMTP as a client speaks it (RFC 5321 and its extensions), over a byte stream that somebody else provides: one
//! connection for a batch, one transaction for each mail, and an outcome for each reply at each step.
//!
//! It knows neither the host's functions nor how mail is written; time and network come in through the traits below.

mod batch;
mod judge;
mod reply;
mod session;
mod transaction;
mod wire;

pub use batch::deliver;
