//! The pure core of Tidings: messages and their facts, rules and recipients, deliveries and their states. No I/O, no
//! clock, no async: time is an argument, and a decision is a value with its reason. Cargo enforces it: this crate
//! depends on neither tokio, sqlx nor wasmtime.

pub mod acl;
pub mod aliases;
pub mod canonical;
pub mod catalogue;
pub mod credential;
pub mod delivery;
pub mod digest;
pub mod event;
pub mod examples;
pub mod facts;
pub mod gap;
pub mod grant;
pub mod limits;
pub mod manifest;
pub mod message;
pub mod network;
pub mod outcome;
pub mod permissions_text;
pub mod plugin_life;
pub mod retry;
pub mod rule_info;
pub mod rules;
pub mod ruleset;
pub mod secret;
pub mod subscription;
#[cfg(feature = "test-support")]
pub mod testing;
pub mod text;
pub mod time;
pub mod window;
