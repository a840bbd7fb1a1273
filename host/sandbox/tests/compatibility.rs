//! The promise of the contract: a plugin that was built for a published version is admitted, says what it said, and
//! delivers, for ever. The files in `fixtures/v1` were built when version 1 was published and are never built again.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::far::Far;
use common::pager::{channel, does_what_a_pager_does, one_of_each, parcels};
use common::{Place, delivery, grant};
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::{Capability, Manifest};
use tidings_domain::outcome::Outcome;
use tidings_sandbox::{Admitted, ChannelSettings};
use wit_component::{OutputToString, WitPrinter};
use wit_parser::Resolve;

const FROZEN: &str = "\
wit/v1 is published and frozen: linking compares every record, variant, enum and function, so this change breaks every \
plugin that was built for it. Undo it. What is new goes into an `extra` list, or into a version of its own: wit/v2 with \
a module host/sandbox/src/abi/v2 and fixtures/v2, served beside version 1.";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn unpacked(name: &str) -> Vec<u8> {
    let packed = fixture(&format!("{name}.wasm.zst"));
    let mut component = Vec::new();
    let mut unpacked = ruzstd::decoding::StreamingDecoder::new(&packed[..]).expect("zstd");
    unpacked.read_to_end(&mut component).expect("unpacked");
    component
}

/// The plugin of this name, as it was then: admitted, and still saying what it is in the same words.
async fn admitted(place: &Place, name: &str) -> Admitted {
    let admitted = place.sandbox.admit(&unpacked(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let now = serde_json::to_string_pretty(admitted.manifest()).expect("JSON");
    let then: Manifest = serde_json::from_slice(&fixture(&format!("{name}.json"))).expect("a manifest");
    assert_eq!(admitted.manifest(), &then, "{name} says now:\n{now}");
    admitted
}

#[tokio::test]
async fn a_rust_plugin_of_version_1_still_runs() {
    let place = Place::new();
    let admitted = admitted(&place, "ntfy").await;
    let far = Far::start().await;
    let plugin = channel(&place, &admitted, "server", far.port);
    assert_eq!(plugin.check_address(" Ralph ").await, Ok(Ok("Ralph".to_owned())));
    let report = plugin.deliver(&parcels(&one_of_each("Ralph"))).await;
    assert_eq!(report.crash, None);
    assert_eq!(report.outcomes, vec![Outcome::Delivered { receipt: None }; 3]);
    let topics = far.seen().into_iter().map(|request| {
        let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
        body["topic"].as_str().expect("a topic").to_owned()
    });
    assert_eq!(topics.collect::<Vec<_>>(), ["Ralph"; 3]);
}

/// It imports every interface of the contract, so linking checks all their types; of the calls, some are made here.
#[tokio::test]
async fn every_import_of_version_1_is_still_linked_and_each_outcome_understood() {
    let place = Place::new();
    let admitted = admitted(&place, "hostile").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let grants = vec![grant(Capability::Net, port, true, true), grant(Capability::Http, port, true, true)];
    let limits = PluginLimits { connections: 3, state_keys: 5, ..PluginLimits::default() };
    let plugin = place.plugin(&admitted, limits, grants, port);
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
        let report = plugin.deliver(&common::parcels(&[delivery(&format!("{behaviour}@x"))])).await;
        let said = format!("{:?}", report.outcomes);
        assert!(report.crash.is_none() && said.contains(expected), "{behaviour}: {said} {:?}", report.crash);
    }
}

#[tokio::test]
async fn a_plugin_of_version_1_still_writes_event_streams() {
    let place = Place::new();
    let admitted = admitted(&place, "browser").await;
    assert!(admitted.writes_streams() && admitted.manifest().address_is_account);
    let plugin = place.plugin(&admitted, PluginLimits::default(), Vec::new(), 9);
    let report = plugin.deliver(&common::parcels(&[delivery("ralph"), delivery("ann")])).await;
    assert_eq!((report.crash, report.outcomes), (None, vec![Outcome::Delivered { receipt: None }; 2]));
    let entries = place.host.entries.lock().expect("a lock");
    let written: Vec<&str> = entries.iter().map(|entry| entry.address.as_str()).collect();
    assert_eq!(written, ["ralph", "ann"]);
    assert_eq!(entries[0].delivery, delivery("ralph").id.as_str());
    assert!(entries[0].data.contains("something happened"), "{}", entries[0].data);
}

/// Its export `wake` is bound by hand, so nothing but a component of then shows that it still fits.
#[tokio::test]
async fn a_resident_plugin_of_version_1_still_lives_on() {
    let place = Place::new();
    let admitted = admitted(&place, "lodger").await;
    let config = admitted.manifest().configure(&[("wake_ms".to_owned(), "60".to_owned())].into());
    let settings = ChannelSettings {
        channel: "test".to_owned(),
        config: config.expect("a configuration"),
        grants: Grants::default(),
        limits: PluginLimits::default(),
    };
    let resident = place.sandbox.plugin(&admitted, settings, Arc::clone(&place.host) as _).reside();
    for expected in 1..=2 {
        let report = resident.deliver(&common::parcels(&[delivery("count@x")])).await;
        let said = format!("{:?}", report.outcomes);
        assert!(report.crash.is_none() && said.contains(&format!("{expected}")), "one instance: {said}");
    }
    let woken = async {
        while resident.stats().wakes < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), woken).await.expect("it is woken");
    resident.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_python_plugin_of_version_1_still_runs() {
    let place = Place::new();
    does_what_a_pager_does(&place, &admitted(&place, "python").await).await;
}

#[tokio::test]
async fn a_javascript_plugin_of_version_1_still_runs() {
    let place = Place::new();
    does_what_a_pager_does(&place, &admitted(&place, "js").await).await;
}

/// The contract without its comments and layout, one interface or world after the other by name.
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

/// Once, when a version is published: `cargo test -p tidings-sandbox --test compatibility -- --ignored`.
#[tokio::test]
#[ignore = "writes down what a version is that is about to be published"]
async fn version_1_is_written_down() {
    let place = Place::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    for name in ["ntfy", "hostile", "browser", "lodger", "python", "js"] {
        let admitted = place.sandbox.admit(&unpacked(name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let manifest = serde_json::to_string_pretty(admitted.manifest()).expect("JSON");
        fs::write(directory.join(format!("{name}.json")), manifest + "\n").expect("written");
    }
    fs::write(directory.join("contract.txt"), canonical(&repository().join("wit/v1"))).expect("written");
}

#[test]
fn version_1_of_the_contract_has_not_changed() {
    let now = canonical(&repository().join("wit/v1"));
    let then = String::from_utf8(fixture("contract.txt")).expect("text");
    assert!(now == then, "{FROZEN}\n{}", difference(&then, &now));
}

/// The lines that are in one only.
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
fn a_change_that_matters_is_seen_and_one_that_does_not_is_not() {
    let contract = fs::read_to_string(repository().join("wit/v1/channel.wit")).expect("the contract");
    let place = tempfile::tempdir().expect("a directory");
    let of = |text: &str| {
        fs::write(place.path().join("channel.wit"), text).expect("written");
        canonical(place.path())
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
fn the_templates_have_the_contract_as_it_is() {
    let contract = fs::read(repository().join("wit/v1/channel.wit")).expect("the contract");
    for language in ["python", "js"] {
        let copy = repository().join("plugins/templates").join(language).join("wit/channel.wit");
        let copied = fs::read(&copy).expect("a copy of the contract");
        assert!(copied == contract, "{} differs from wit/v1: copy it again", copy.display());
    }
}
