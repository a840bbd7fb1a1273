//! An SMTP client (RFC 5321 and extensions): one connection for a batch, one transaction for each mail, and an outcome
//! for each reply at each step. It does not know how a mail is written.

mod batch;
mod reply;
mod reply_policy;
mod session;
mod transaction;
mod transport;

pub use batch::deliver;
