//! What every implementation of the store must do, in one suite for each role. A test is a function that is generic
//! over a `Backend`; the macro `suite!` of its module instantiates it. `sqlite.rs` is one instantiation. Another
//! implementation adds a file like it, and may begin with the suites of the roles that it has:
//!
//! ```text
//! mod tokens {
//!     crate::tokens::suite!(super::Postgres);
//! }
//! ```
//!
//! Nothing in the suites depends on an implementation.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may panic")]

/// Instantiates test functions of a module for a backend, each as a test of its own.
macro_rules! cases {
    ($backend:ty, $module:tt: $($test:ident),+ $(,)?) => {
        $(case! { $backend, $module, $test })+
    };
}

macro_rules! case {
    ($backend:ty, [$($module:tt)+], $test:ident) => {
        #[tokio::test]
        async fn $test() {
            $($module)+::$test::<$backend>().await;
        }
    };
}

mod access_lists;
mod backend;
mod change_feed;
mod channels;
mod components;
mod confirmations;
mod deliveries;
mod event_streams;
mod maintenance;
mod model;
mod outbox;
mod plugin_state;
mod samples;
mod sqlite;
mod subscriptions;
mod tokens;
