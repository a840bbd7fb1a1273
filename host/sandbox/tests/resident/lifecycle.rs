//! Start, crash, backoff and stop of an instance, and the outcomes of deliveries in each state.

use std::time::Duration;

use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::limits;
use tidings_sandbox::{AdmissionError, CallReport};
use tokio::time::{Instant, timeout};

use crate::common::guest::{plugin as by_hand, plugin_of};
use crate::common::{SandboxFixture, delivery, requests};
use crate::support::{LIMIT, LineServer, deliver, plugin, receipt, wait_for, without_server};

fn crash(report: &CallReport) -> CrashKind {
    report.crash.as_ref().expect("a crash").0
}

/// The wait of a report whose only outcome is trouble of the channel.
fn postponed(report: &CallReport) -> Option<Duration> {
    match &report.outcomes[..] {
        [Outcome::ChannelTrouble { after, .. }] => *after,
        other => panic!("expected trouble, got {other:?}"),
    }
}

#[tokio::test]
async fn one_instance_serves_all_calls() {
    let fixture = SandboxFixture::new();
    let resident = without_server(&fixture, &[]).await;
    for call in 1..=5 {
        assert_eq!(receipt(&resident, "count").await, format!("call {call}"));
    }
    assert_eq!(receipt(&resident, "wakes").await, "start 1 readable 0 timer 0 stop 0");
    let stats = resident.stats();
    assert_eq!((stats.starts, stats.crashes, stats.deliveries, stats.alive), (1, 0, 6, true));
}

#[tokio::test]
async fn it_runs_before_the_first_delivery() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident =
        plugin(&fixture, server.port, &[("start", "connect")], PluginLimits::default()).await.start_resident();
    let mut peer = server.line_connection().await;
    let say = async {
        let report = deliver(&resident, &["send", "send"]).await;
        resident.stop(LIMIT).await;
        report
    };
    let (report, lines) = tokio::join!(say, peer.acknowledge_all());
    assert!(report.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Delivered { .. })), "{report:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("SAY ")).count(), 2, "over one connection: {lines:?}");
}

#[tokio::test]
async fn dropping_the_handle_ends_the_instance() {
    let (fixture, server) = (SandboxFixture::with(1, None), LineServer::start().await);
    let settings = [("start", "connect"), ("wake_ms", "0")];
    let resident = plugin(&fixture, server.port, &settings, PluginLimits::default()).await.start_resident();
    let mut peer = server.line_connection().await;
    drop(resident);
    assert_eq!(peer.line().await, None, "its connection is closed, and it had no last call");
    // The only instance permit is free again.
    let next = without_server(&fixture, &[]).await;
    assert_eq!(receipt(&next, "count").await, "call 1");
}

#[tokio::test]
async fn row_23_after_a_trap_in_deliver_the_next_one_gets_a_new_instance() {
    let fixture = SandboxFixture::new();
    let resident = without_server(&fixture, &[]).await;
    assert_eq!(receipt(&resident, "count").await, "call 1");
    let report = deliver(&resident, &["trap", "count"]).await;
    assert_eq!(crash(&report), CrashKind::Trap);
    assert!(report.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Crash { .. })), "{report:?}");
    assert!(!resident.stats().alive);
    // The delivery waits for the first backoff, which is short.
    assert_eq!(receipt(&resident, "count").await, "call 1");
    let stats = resident.stats();
    assert_eq!((stats.starts, stats.crashes, stats.alive), (2, 1, true));
    assert_eq!(stats.last_crash.expect("a crash").0, CrashKind::Trap);
    assert_eq!((stats.idle_crashes, stats.consecutive_crashes), (0, 1), "it crashed in a delivery");
}

#[tokio::test]
async fn after_repeated_crashes_deliveries_are_postponed_without_a_crash() {
    let fixture = SandboxFixture::new();
    let resident = without_server(&fixture, &[]).await;
    let began = Instant::now();
    while began.elapsed() < LIMIT && resident.stats().crashes < 4 {
        assert_eq!(crash(&deliver(&resident, &["trap"]).await), CrashKind::Trap);
    }
    let backoffs = 1 + 2 + 4;
    assert!(began.elapsed() >= Duration::from_secs(backoffs), "each backoff doubles: {:?}", began.elapsed());
    let report = deliver(&resident, &["count"]).await;
    let after = postponed(&report).expect("a wait");
    assert!(after > limits::RESIDENT_START_WAIT && after <= limits::RESIDENT_BACKOFF_MAX, "{after:?}");
    assert_eq!(report.crash, None);
}

#[tokio::test]
async fn a_plugin_that_never_starts_postpones_every_delivery() {
    let fixture = SandboxFixture::new();
    for (start, kind) in [("trap", CrashKind::Trap), ("loop", CrashKind::Timeout)] {
        let limits = PluginLimits { deadline_ms: 300, ..PluginLimits::default() };
        let resident = plugin(&fixture, 9, &[("start", start)], limits).await.start_resident();
        wait_for(&resident, "a crash", |stats| stats.crashes > 0).await;
        assert!(postponed(&deliver(&resident, &["count"]).await).is_some());
        let stats = resident.idle_crash(0).await;
        assert!(!stats.alive && stats.last_crash.as_ref().is_some_and(|crash| crash.0 == kind), "{stats:?}");
        let later = resident.idle_crash(stats.idle_crashes).await;
        assert!(later.consecutive_crashes > stats.consecutive_crashes, "each crash is counted: {later:?}");
    }
}

#[tokio::test]
async fn what_was_settled_survives_a_trap() {
    let fixture = SandboxFixture::new();
    let resident = without_server(&fixture, &[]).await;
    let report = deliver(&resident, &["settle-trap", "count"]).await;
    assert_eq!(report.outcomes[0], Outcome::Delivered { receipt: Some("settled".to_owned()) });
    assert!(matches!(report.outcomes[1], Outcome::Crash { kind: CrashKind::Trap, .. }));
}

#[tokio::test]
async fn row_24_a_loop_ends_at_the_deadline_with_its_connections() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let limits = PluginLimits { deadline_ms: 300, ..PluginLimits::default() };
    let resident = plugin(&fixture, server.port, &[("start", "connect")], limits).await.start_resident();
    let mut peer = server.line_connection().await;
    assert_eq!(crash(&deliver(&resident, &["loop"]).await), CrashKind::Timeout);
    assert_eq!(peer.line().await, None);
    let _next = server.line_connection().await;
    assert_eq!(receipt(&resident, "count").await, "call 1");
}

#[tokio::test]
async fn stopping_makes_a_last_call_and_returns_when_the_instance_is_gone() {
    let (fixture, server) = (SandboxFixture::with(1, None), LineServer::start().await);
    for (last, line) in [("quit", Some("QUIT".to_owned())), ("loop", None)] {
        let settings = [("start", "connect"), ("stop", last)];
        let resident = plugin(&fixture, server.port, &settings, PluginLimits::default()).await.start_resident();
        let mut peer = server.line_connection().await;
        timeout(LIMIT, resident.stop(Duration::from_millis(500))).await.expect("the grace bounds it");
        assert!(!resident.stats().alive);
        assert_eq!(peer.line().await, line, "{last}");
        assert_eq!(peer.line().await, None, "{last}");
        assert!(postponed(&deliver(&resident, &["count"]).await).is_some(), "a stopped resident delivers nothing");
    }
}

#[tokio::test]
async fn a_call_that_is_cut_off_returns_what_was_settled() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident =
        plugin(&fixture, server.port, &[("start", "connect")], PluginLimits::default()).await.start_resident();
    let mut peer = server.line_connection().await;
    let deliveries = [delivery("send@x"), delivery("loop@x")];
    let cut_off = async {
        let line = peer.line().await.expect("a line");
        let id = line.split(' ').nth(1).expect("an id").to_owned();
        peer.send(&format!("OK {id}\n")).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let settled = resident.deliver_until(&requests(&deliveries), cut_off).await.expect_err("cut off");
    assert!(matches!(settled[..], [Some(Outcome::Delivered { .. }), None]), "{settled:?}");
    let another = timeout(Duration::from_millis(500), server.tcp()).await;
    assert!(another.is_err(), "the caller has time to stop it before another instance connects");
    assert_eq!(receipt(&resident, "count").await, "call 1", "a new one");
}

#[tokio::test]
async fn row_31_a_thousand_cancelled_calls_leave_a_working_resident() {
    let fixture = SandboxFixture::new();
    let resident = without_server(&fixture, &[]).await;
    let (endless, counting) = ([delivery("loop@x")], [delivery("count@x")]);
    for round in 0..1000u64 {
        if round % 50 == 0 {
            wait_for(&resident, "an instance", |stats| stats.alive).await;
        }
        let endless = requests(&endless);
        let cancelled = timeout(Duration::from_micros(round % 5 * 700), resident.deliver(&endless)).await;
        assert!(cancelled.is_err(), "the call is endless");
        if round % 50 == 0 {
            let report = resident.deliver(&requests(&counting)).await;
            assert!(matches!(report.outcomes[..], [Outcome::Delivered { .. }]), "round {round}: {report:?}");
        }
    }
    assert_eq!(resident.stats().crashes, 0);
}

#[tokio::test]
async fn a_manifest_that_contradicts_the_exports_is_refused() {
    let fixture = SandboxFixture::new();
    let answer = "(call $answer (local.get $count))";
    // The lifetime is at offset 64 of the manifest; 1 is resident.
    let says_resident = by_hand(r#"(data (i32.const 1088) "\01")"#, answer);
    let wake = r#"(func (export "tidings:channel/resident@1.0.0#wake") (param i32) (result i32) (i32.const 4000))"#;
    let is_resident = plugin_of("resident-channel", wake, answer);
    for (file, declared, exported) in [(says_resident, "resident", "per-call"), (is_resident, "per-call", "resident")] {
        let error = fixture.sandbox.admit(&file).await.err();
        assert_eq!(error, Some(AdmissionError::Lifetime { declared, exported }));
    }
    let both = format!(r#"{wake} (data (i32.const 1088) "\01")"#);
    fixture.sandbox.admit(&plugin_of("resident-channel", &both, answer)).await.expect("they agree");
}
