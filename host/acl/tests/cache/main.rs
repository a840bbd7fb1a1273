//! Tests of the cache with a provider that is slow, fails or changes, in tokio's paused time.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod bounds;
mod freshness;
mod support;
