//! The plugins of this repository pass; the one that misbehaves fails in the cases about its behaviour.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

use std::collections::BTreeMap;
use std::path::Path;

use tidings_conformance::{CaseResult, ConformanceReport, Sample, run, run_with};
use tidings_sandbox::{Compiler, Sandbox, SandboxOptions};

/// A component that `cargo xtask build-plugins`, or `build-samples`, has built.
fn built(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins").join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{} cannot be read ({error}); run `cargo xtask build-plugins`, or `build-samples`, first",
            path.display()
        )
    })
}

async fn run_plugin(name: &str, sample: Option<Sample>) -> ConformanceReport {
    // Shared by the tests: an interpreter's component takes long to compile.
    let cache_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("code");
    let options = SandboxOptions { cache_dir, tls_ca_file: None, max_instances: 4, compiler: Compiler::InProcess };
    let sandbox = Sandbox::new(options).expect("a sandbox");
    let admitted = sandbox.admit(&built(name)).await.expect(name);
    match sample {
        None => run(&sandbox, &admitted).await,
        Some(sample) => run_with(&sandbox, &admitted, &sample).await,
    }
}

fn failures(report: &ConformanceReport) -> Vec<String> {
    report.failures().map(|case| format!("{}: {}", case.name, case.verdict.why())).collect()
}

fn count(report: &ConformanceReport, passed: bool) -> usize {
    report.cases.iter().filter(|case| (case.verdict == CaseResult::Passed) == passed).count()
}

#[tokio::test]
async fn email_passes() {
    let report = run_plugin("email.wasm", None).await;
    assert_eq!(failures(&report), Vec::<String>::new());
    assert_eq!(count(&report, false), 18, "all but those about HTTP: {report:?}");
}

#[tokio::test]
async fn ntfy_passes() {
    let report = run_plugin("ntfy.wasm", None).await;
    assert_eq!(failures(&report), Vec::<String>::new());
    assert_eq!(count(&report, false), 0, "{report:?}");
}

#[tokio::test]
async fn matrix_passes() {
    let report = run_plugin("matrix.wasm", None).await;
    assert_eq!(failures(&report), Vec::<String>::new());
    assert_eq!(count(&report, false), 1, "all but a single message, which needs a Matrix space: {report:?}");
}

#[tokio::test]
async fn webhook_passes_as_it_is_and_with_settings_that_work() {
    assert_eq!(failures(&run_plugin("webhook.wasm", None).await), Vec::<String>::new());
    let settings = [("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), ("plain_http", "true")];
    let config = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let report = run_plugin("webhook.wasm", Some(Sample { config, address: Some("{url}/hook".to_owned()) })).await;
    assert_eq!(failures(&report), Vec::<String>::new());
    assert_eq!(count(&report, false), 0, "{report:?}");
}

/// The test server does not speak these plugins' protocols; the other cases are judged.
#[tokio::test]
async fn plugins_with_protocols_beyond_the_test_server_fail_no_case() {
    for name in ["irc.wasm", "android.wasm"] {
        let report = run_plugin(name, None).await;
        assert_eq!(failures(&report), Vec::<String>::new(), "{name}");
        assert!(count(&report, true) >= 8, "{name}: {report:?}");
    }
}

#[tokio::test]
async fn a_plugin_that_writes_event_streams_passes() {
    let report = run_plugin("browser.wasm", None).await;
    assert_eq!(failures(&report), Vec::<String>::new());
    let single = report.cases.iter().find(|case| case.name == "a single message");
    assert_eq!(single.map(|case| &case.verdict), Some(&CaseResult::Passed), "its entries are observed");
}

#[tokio::test]
async fn the_samples_of_other_toolchains_pass() {
    for name in ["python-sample.wasm", "js-sample.wasm"] {
        let report = run_plugin(name, None).await;
        assert_eq!(failures(&report), Vec::<String>::new(), "{name}");
        assert_eq!(count(&report, false), 0, "{name}: {report:?}");
    }
}

#[tokio::test]
async fn a_plugin_that_misbehaves_fails_in_the_cases_about_it() {
    let not_accepted = "it answered `delivered`, but no server accepted it";
    for (behaviour, case, why) in [
        ("ok", "a single message", "it answered `delivered`, but sent nothing"),
        ("ok", "the server refuses connections", not_accepted),
        ("ok", "the server sends nothing", not_accepted),
        ("trap", "a single message", "no answer (trap)"),
        ("short", "a single message", "answered 0 outcomes for a batch of 1"),
        ("long", "a batch of 100", "answered 101 outcomes for a batch of 100"),
        ("memory", "a single message", "no answer (memory)"),
        ("huge-result", "a digest", "no answer (host_calls)"),
        ("loop", "a single message", "no answer (timeout)"),
        ("connect", "the server refuses connections", "a temporary failure ends the delivery: rejected"),
        ("slow", "a single message", "no answer (timeout)"),
    ] {
        let sample = Sample { config: BTreeMap::new(), address: Some(format!("{behaviour}@example.org")) };
        let report = run_plugin("hostile.wasm", Some(sample)).await;
        assert!(!report.passed(), "{behaviour}");
        let failed = report.failures().find(|failed| failed.name == case);
        let reason = failed.map(|failed| failed.verdict.why().to_owned());
        assert!(
            reason.as_ref().is_some_and(|reason| reason.contains(why)),
            "{behaviour}: {case}: {:?}",
            failures(&report)
        );
    }
}
