//! The plugins of this repository pass; the one that misbehaves fails, in the cases that are about what it does.

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

async fn tried(name: &str, sample: Option<Sample>) -> ConformanceReport {
    // Shared by runs: what an interpreter's component takes to compile is long.
    let cache_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("code");
    let options = SandboxOptions { cache_dir, tls_ca_file: None, max_instances: 4, compiler: Compiler::InProcess };
    let sandbox = Sandbox::new(options).expect("a sandbox");
    let admitted = sandbox.admit(&built(name)).await.expect(name);
    match sample {
        None => run(&sandbox, &admitted).await,
        Some(sample) => run_with(&sandbox, &admitted, &sample).await,
    }
}

fn failures(findings: &ConformanceReport) -> Vec<String> {
    findings.failures().map(|case| format!("{}: {}", case.name, case.verdict.why())).collect()
}

fn count(findings: &ConformanceReport, passed: bool) -> usize {
    findings.cases.iter().filter(|case| (case.verdict == CaseResult::Passed) == passed).count()
}

#[tokio::test]
async fn email_passes() {
    let findings = tried("email.wasm", None).await;
    assert_eq!(failures(&findings), Vec::<String>::new());
    assert_eq!(count(&findings, false), 18, "all but those about HTTP: {findings:?}");
}

#[tokio::test]
async fn ntfy_passes() {
    let findings = tried("ntfy.wasm", None).await;
    assert_eq!(failures(&findings), Vec::<String>::new());
    assert_eq!(count(&findings, false), 0, "{findings:?}");
}

#[tokio::test]
async fn matrix_passes() {
    let findings = tried("matrix.wasm", None).await;
    assert_eq!(failures(&findings), Vec::<String>::new());
    assert_eq!(
        count(&findings, false),
        1,
        "all but a single message, for which there would have to be a room: {findings:?}"
    );
}

#[tokio::test]
async fn webhook_passes_as_it_is_and_with_settings_that_work() {
    assert_eq!(failures(&tried("webhook.wasm", None).await), Vec::<String>::new());
    let settings = [("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), ("plain_http", "true")];
    let config = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let findings = tried("webhook.wasm", Some(Sample { config, address: Some("{url}/hook".to_owned()) })).await;
    assert_eq!(failures(&findings), Vec::<String>::new());
    assert_eq!(count(&findings, false), 0, "{findings:?}");
}

/// Where the far side would have to speak the plugin's own protocol, what is left is judged.
#[tokio::test]
async fn plugins_whose_far_side_is_more_than_this_one_break_nothing() {
    for name in ["irc.wasm", "android.wasm"] {
        let findings = tried(name, None).await;
        assert_eq!(failures(&findings), Vec::<String>::new(), "{name}");
        assert!(count(&findings, true) >= 8, "{name}: {findings:?}");
    }
}

#[tokio::test]
async fn a_plugin_that_writes_event_streams_passes() {
    let findings = tried("browser.wasm", None).await;
    assert_eq!(failures(&findings), Vec::<String>::new());
    let single = findings.cases.iter().find(|case| case.name == "a single message");
    assert_eq!(single.map(|case| &case.verdict), Some(&CaseResult::Passed), "its entries are seen");
}

#[tokio::test]
async fn the_samples_of_other_toolchains_pass() {
    for name in ["python-sample.wasm", "js-sample.wasm"] {
        let findings = tried(name, None).await;
        assert_eq!(failures(&findings), Vec::<String>::new(), "{name}");
        assert_eq!(count(&findings, false), 0, "{name}: {findings:?}");
    }
}

#[tokio::test]
async fn a_plugin_that_misbehaves_fails_where_it_does() {
    let nobody = "it said `delivered`, and nobody took it";
    for (behaviour, case, why) in [
        ("ok", "a single message", "it said `delivered`, and nothing was sent"),
        ("ok", "the far side refuses connections", nobody),
        ("ok", "the far side says nothing", nobody),
        ("trap", "a single message", "no answer (trap)"),
        ("short", "a single message", "answered 0 outcomes for a batch of 1"),
        ("long", "a batch of 100", "answered 101 outcomes for a batch of 100"),
        ("memory", "a single message", "no answer (memory)"),
        ("huge-result", "a digest", "no answer (host_calls)"),
        ("loop", "a single message", "no answer (timeout)"),
        ("connect", "the far side refuses connections", "a passing failure ends the delivery: rejected"),
        ("slow", "a single message", "no answer (timeout)"),
    ] {
        let sample = Sample { config: BTreeMap::new(), address: Some(format!("{behaviour}@example.org")) };
        let findings = tried("hostile.wasm", Some(sample)).await;
        assert!(!findings.passed(), "{behaviour}");
        let failed = findings.failures().find(|failed| failed.name == case);
        let said = failed.map(|failed| failed.verdict.why().to_owned());
        assert!(said.as_ref().is_some_and(|said| said.contains(why)), "{behaviour}: {case}: {:?}", failures(&findings));
    }
}
