//! What every store must do, written against the trait alone. Each test opens its own store by `fixture::store`; another
//! database joins by being opened there.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod access;
mod confirmation;
mod digest;
mod feed;
mod fixture;
mod intake;
mod lease;
mod life;
mod outcome;
mod property;
mod pruning;
mod setup;
mod stream;
mod subscription;
