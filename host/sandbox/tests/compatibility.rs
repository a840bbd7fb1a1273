//! The contract's promise: a plugin that was built for a published version is admitted, describes itself as before, and
//! delivers, for as long as the version is served. The files in `fixtures/v1` were built when version 1 was published
//! and are never built again.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::http_server::TestHttpServer;
use common::pager::{behaves_as_the_template, channel, one_of_each, requests_with_summary};
use common::{SandboxFixture, delivery, grant, requests};
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::{Capability, Manifest};
use tidings_domain::outcome::Outcome;
use tidings_sandbox::{Admitted, ChannelSettings};
use wit_component::{OutputToString, WitPrinter};
use wit_parser::Resolve;

const FROZEN: &str = "\
wit/v1 is published and frozen: linking compares every record, variant, enum and function, so this change breaks every \
plugin that was built for it. Undo it. Additions go into an `extra` list, or into a new version: wit/v2 with \
a module host/sandbox/src/abi/v2 and fixtures/v2, served beside version 1.";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn frozen_file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn unpacked(name: &str) -> Vec<u8> {
    let packed = frozen_file(&format!("{name}.wasm.zst"));
    let mut component = Vec::new();
    let mut unpacked = ruzstd::decoding::StreamingDecoder::new(&packed[..]).expect("zstd");
    unpacked.read_to_end(&mut component).expect("unpacked");
    component
}

/// Admits the frozen plugin of this name, whose manifest must be unchanged.
async fn admitted(fixture: &SandboxFixture, name: &str) -> Admitted {
    let admitted = fixture.sandbox.admit(&unpacked(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let now = serde_json::to_string_pretty(admitted.manifest()).expect("JSON");
    let then: Manifest = serde_json::from_slice(&frozen_file(&format!("{name}.json"))).expect("a manifest");
    assert_eq!(admitted.manifest(), &then, "the manifest of {name} is now:\n{now}");
    admitted
}

#[tokio::test]
async fn a_rust_plugin_of_version_1_still_runs() {
    let fixture = SandboxFixture::new();
    let admitted = admitted(&fixture, "ntfy").await;
    let server = TestHttpServer::start().await;
    let plugin = channel(&fixture, &admitted, "server", server.port);
    assert_eq!(plugin.check_address(" Ralph ").await, Ok(Ok("Ralph".to_owned())));
    let report = plugin.deliver(&requests_with_summary(&one_of_each("Ralph"))).await;
    assert_eq!(report.crash, None);
    assert_eq!(report.outcomes, vec![Outcome::Delivered { receipt: None }; 3]);
    let topics = server.requests().into_iter().map(|request| {
        let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
        body["topic"].as_str().expect("a topic").to_owned()
    });
    assert_eq!(topics.collect::<Vec<_>>(), ["Ralph"; 3]);
}

/// The plugin imports every interface of the contract, so linking checks all their types; the test makes some of the
/// calls.
#[tokio::test]
async fn every_import_of_version_1_is_still_linked_and_each_outcome_understood() {
    let fixture = SandboxFixture::new();
    let admitted = admitted(&fixture, "hostile").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let grants = vec![grant(Capability::Net, port, true, true), grant(Capability::Http, port, true, true)];
    let limits = PluginLimits { connections: 3, state_keys: 5, ..PluginLimits::default() };
    let plugin = fixture.plugin(&admitted, limits, grants, port);
    for (behaviour, expected) in [
        ("ok", "Delivered"),
        ("garbage-retry", "Retry"),
        ("garbage-gone", "AddressGone"),
        ("garbage-trouble", "ChannelTrouble"),
        ("counter", "count 1"),
        ("handles", "3 connections, then"),
        ("state-flood", "Rejected"),
        ("stream-huge", "Rejected"),
        ("log-huge", "Delivered"),
    ] {
        let report = plugin.deliver(&requests(&[delivery(&format!("{behaviour}@x"))])).await;
        let outcomes = format!("{:?}", report.outcomes);
        assert!(report.crash.is_none() && outcomes.contains(expected), "{behaviour}: {outcomes} {:?}", report.crash);
    }
}

#[tokio::test]
async fn a_plugin_of_version_1_still_writes_event_streams() {
    let fixture = SandboxFixture::new();
    let admitted = admitted(&fixture, "browser").await;
    assert!(admitted.writes_streams() && admitted.manifest().address_is_account);
    let plugin = fixture.plugin(&admitted, PluginLimits::default(), Vec::new(), 9);
    let report = plugin.deliver(&requests(&[delivery("ralph"), delivery("ann")])).await;
    assert_eq!((report.crash, report.outcomes), (None, vec![Outcome::Delivered { receipt: None }; 2]));
    let entries = fixture.host.entries.lock().expect("a lock");
    let written: Vec<&str> = entries.iter().map(|entry| entry.address.as_str()).collect();
    assert_eq!(written, ["ralph", "ann"]);
    assert_eq!(entries[0].delivery, delivery("ralph").id.as_str());
    assert!(entries[0].data.contains("something happened"), "{}", entries[0].data);
}

/// The export `wake` is bound by hand, so only a frozen component shows that it still fits.
#[tokio::test]
async fn a_resident_plugin_of_version_1_still_runs() {
    let fixture = SandboxFixture::new();
    let admitted = admitted(&fixture, "lodger").await;
    let config = admitted.manifest().configure(&[("wake_ms".to_owned(), "60".to_owned())].into());
    let settings = ChannelSettings {
        channel: "test".to_owned(),
        config: config.expect("a configuration"),
        grants: Grants::default(),
        limits: PluginLimits::default(),
    };
    let resident = fixture.sandbox.plugin(&admitted, settings, Arc::clone(&fixture.host) as _).start_resident();
    for expected in 1..=2 {
        let report = resident.deliver(&requests(&[delivery("count@x")])).await;
        let outcomes = format!("{:?}", report.outcomes);
        assert!(report.crash.is_none() && outcomes.contains(&format!("{expected}")), "one instance: {outcomes}");
    }
    let woken = resident.wait_for(|stats| stats.wakes >= 2);
    tokio::time::timeout(Duration::from_secs(30), woken).await.expect("it is woken");
    resident.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_python_plugin_of_version_1_still_runs() {
    let fixture = SandboxFixture::new();
    behaves_as_the_template(&fixture, &admitted(&fixture, "python").await).await;
}

#[tokio::test]
async fn a_javascript_plugin_of_version_1_still_runs() {
    let fixture = SandboxFixture::new();
    behaves_as_the_template(&fixture, &admitted(&fixture, "js").await).await;
}

/// The contract without comments and layout, its interfaces and worlds sorted by name.
fn canonical(directory: &Path) -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(directory).expect("a contract");
    let mut printer = WitPrinter::new(OutputToString::default());
    printer.emit_docs(false).print(&resolve, package, &[]).expect("printed");
    let text = String::from(std::mem::take(&mut printer.output));
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut items: Vec<Vec<&str>> = Vec::new();
    for line in lines {
        match items.last_mut() {
            Some(item) if line.starts_with([' ', '}']) => item.push(line),
            _ => items.push(vec![line]),
        }
    }
    items.sort();
    items.concat().join("\n") + "\n"
}

/// Run once, when a version is published: `cargo test -p tidings-sandbox --test compatibility -- --ignored`.
#[tokio::test]
#[ignore = "writes the frozen files of a version that is about to be published"]
async fn write_the_frozen_files_of_version_1() {
    let fixture = SandboxFixture::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    for name in ["ntfy", "hostile", "browser", "lodger", "python", "js"] {
        let admitted = fixture.sandbox.admit(&unpacked(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let manifest = serde_json::to_string_pretty(admitted.manifest()).expect("JSON");
        fs::write(directory.join(format!("{name}.json")), manifest + "\n").expect("written");
    }
    fs::write(directory.join("contract.txt"), canonical(&repository().join("wit/v1"))).expect("written");
}

#[test]
fn version_1_of_the_contract_has_not_changed() {
    let now = canonical(&repository().join("wit/v1"));
    let then = String::from_utf8(frozen_file("contract.txt")).expect("text");
    assert!(now == then, "{FROZEN}\n{}", difference(&then, &now));
}

/// The lines that only one of them has.
fn difference(then: &str, now: &str) -> String {
    let lacking = |mark: char, these: &str, those: &str| {
        let lines = these.lines().filter(|line| !those.lines().any(|other| other == *line));
        lines.map(|line| format!("{mark} {line}\n")).collect::<String>()
    };
    let lines = lacking('-', then, now) + &lacking('+', now, then);
    if lines.is_empty() {
        "the order of lines changed, which matters in records, variants and enums".to_owned()
    } else {
        lines
    }
}

#[test]
fn only_changes_that_break_plugins_count_as_changes() {
    let contract = fs::read_to_string(repository().join("wit/v1/channel.wit")).expect("the contract");
    let directory = tempfile::tempdir().expect("a directory");
    let of = |text: &str| {
        fs::write(directory.path().join("channel.wit"), text).expect("written");
        canonical(directory.path())
    };
    let then = of(&contract);
    for (old, new, matters) in [
        ("/// Try again later.", "/// Once more,\n  /// and later.", false),
        ("    attempt: u32,", "  attempt   :u32,", false),
        ("    attempt: u32,", "    attempt: u64,", true),
        ("    rejected(string),", "    rejected(string),\n    lost,", true),
        ("enum level { debug, info,", "enum level { info, debug,", true),
        ("now-ms: func()", "now-us: func()", true),
        ("  import inbox;\n", "", true),
    ] {
        assert!(contract.contains(old), "the contract has no `{old}`");
        let changed = contract.replacen(old, new, 1);
        assert_eq!(of(&changed) != then, matters, "{old}");
    }
}

#[test]
fn the_templates_contain_the_current_contract() {
    let contract = fs::read(repository().join("wit/v1/channel.wit")).expect("the contract");
    for language in ["python", "js"] {
        let copy = repository().join("plugins/templates").join(language).join("wit/channel.wit");
        let copied = fs::read(&copy).expect("a copy of the contract");
        assert!(copied == contract, "{} differs from wit/v1: copy it again", copy.display());
    }
}
