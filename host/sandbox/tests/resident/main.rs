//! Resident plugins: one instance serves many calls, is woken by connections and timers, is replaced after a crash,
//! keeps its limits, and is stopped in order. The plugin acts as the addresses of deliveries say, over real
//! connections.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

#[path = "../common/mod.rs"]
mod common;

mod bounds;
mod lifecycle;
mod support;
mod wakes;
