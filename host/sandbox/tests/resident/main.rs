//! Residents: one instance over many calls, woken when something happens, replaced when it breaks, held to its limits, and
//! ended in order. Each with a plugin that does as its addresses say, against real connections.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

#[path = "../common/mod.rs"]
mod common;

mod bounds;
mod life;
mod rig;
mod wakes;
