//! Plugins of other toolchains, as `cargo xtask build-samples` builds them, run with the default limits.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use common::http_server::TestHttpServer;
use common::pager::{behaves_as_the_template, channel};
use common::{SandboxFixture, built, delivery, requests};
use tidings_domain::delivery::Content;
use tidings_domain::limits::PluginLimits;
use tidings_sandbox::Admitted;

async fn runs(name: &str) {
    let fixture = SandboxFixture::new();
    let admitted = fixture.sandbox.admit(&built(&format!("{name}-sample.wasm"))).await.expect(name);
    assert_eq!((admitted.manifest().name.as_str(), admitted.manifest().grants.len()), ("pager", 1));
    behaves_as_the_template(&fixture, &admitted).await;
    unusual_text_is_delivered(&fixture, &admitted, name).await;
}

/// Text that an interpreter may fail on, and a lot of it.
async fn unusual_text_is_delivered(fixture: &SandboxFixture, admitted: &Admitted, name: &str) {
    let server = TestHttpServer::start().await;
    let plugin = channel(fixture, admitted, "url", server.port);
    for text in ["", "\0\u{1b}[2J\u{2028}\u{202e}", "\u{10ffff}\u{fffe}🚀", &"long \u{e9}".repeat(50_000)] {
        let mut unusual = delivery("ralph");
        let Content::Single(event) = &mut unusual.content else { panic!("a single event") };
        std::sync::Arc::make_mut(event).subtitle = text.to_owned();
        let report = plugin.deliver(&requests(&[unusual])).await;
        assert_eq!(report.crash, None, "{name}: {text:.20}");
        let [request] = &server.requests()[..] else { panic!("one request") };
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
