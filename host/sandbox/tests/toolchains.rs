//! Plugins of other toolchains run as they are built by `cargo xtask build-samples`, with the limits that everybody gets.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use common::pager::{channel, does_what_a_pager_does};
use common::{Place, built, delivery, parcels};
use tidings_domain::limits::PluginLimits;

async fn runs(name: &str) {
    let place = Place::new();
    let admitted = place.sandbox.admit(&built(&format!("{name}-sample.wasm"))).await.expect(name);
    assert_eq!((admitted.manifest().name.as_str(), admitted.manifest().grants.len()), ("pager", 1));
    does_what_a_pager_does(&place, &admitted).await;
    odd_text_is_no_crash(&place, &admitted, name).await;
}

/// Text that an interpreter could stumble over, and much of it.
async fn odd_text_is_no_crash(place: &Place, admitted: &tidings_sandbox::Admitted, name: &str) {
    let far = common::far::Far::start().await;
    let plugin = channel(place, admitted, "url", far.port);
    for text in ["", "\0\u{1b}[2J\u{2028}\u{202e}", "\u{10ffff}\u{fffe}🚀", &"long \u{e9}".repeat(50_000)] {
        let mut odd = delivery("ralph");
        let tidings_domain::delivery::Content::Single(event) = &mut odd.content else { panic!("a single one") };
        std::sync::Arc::make_mut(event).subtitle = text.to_owned();
        let report = plugin.deliver(&parcels(&[odd])).await;
        assert_eq!(report.crash, None, "{name}: {text:.20}");
        let [request] = &far.seen()[..] else { panic!("one request") };
        for line in request.body.split('\n') {
            let length = line.chars().count();
            assert!((1..=400).contains(&length) && !line.contains(char::is_control), "{name}: {length}");
        }
        assert!(report.stats.peak_memory_bytes <= PluginLimits::default().memory_bytes);
        println!("{name}: {} MB, {:?}", report.stats.peak_memory_bytes / 1_000_000, report.stats.duration);
    }
}

#[tokio::test]
async fn a_python_plugin_runs() {
    runs("python").await;
}

#[tokio::test]
async fn a_javascript_plugin_runs() {
    runs("js").await;
}
