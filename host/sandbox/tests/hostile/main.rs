//! A plugin that misbehaves in every way that the contract leaves open: each way has a defined outcome within a limit,
//! and affects nothing else. `docs/hostile-set of hostile plugins.md` lists the outcomes; row numbers are those of the list of failures.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod egress;
mod floods;
mod limits;

use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::Outcome;
use tidings_sandbox::{CallReport, Plugin};

use common::{SandboxFixture, delivery, requests};

/// Delivers a batch of this many deliveries, each with this behaviour, in a sandbox of its own.
async fn deliver_as(behaviour: &str, batch: usize, limits: PluginLimits) -> CallReport {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, limits, Vec::new(), 9);
    let deliveries: Vec<_> = (0..batch).map(|_| delivery(&format!("{behaviour}@example.org"))).collect();
    plugin.deliver(&requests(&deliveries)).await
}

/// Delivers one delivery to this address.
async fn deliver_one(plugin: &Plugin, address: &str) -> CallReport {
    plugin.deliver(&requests(&[delivery(address)])).await
}

/// Fails unless the plugin delivers to a well-behaved address.
async fn still_delivers(plugin: &Plugin, after: &str) {
    let report = deliver_one(plugin, "ok@x").await;
    assert_eq!((report.crash, report.outcomes), (None, vec![Outcome::Delivered { receipt: None }]), "after {after}");
}
