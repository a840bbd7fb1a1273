//! The cache before a service that is slow, broken or changing, in tokio's paused time.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod bounds;
mod freshness;
mod support;
