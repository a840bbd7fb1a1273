//! Birth, crash, rest and end of an instance, and what becomes of deliveries meanwhile.

use std::time::Duration;

use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::limits;
use tidings_sandbox::{AdmissionError, CallReport};
use tokio::time::{Instant, timeout};

use crate::common::guest::{plugin as by_hand, plugin_of};
use crate::common::{Place, delivery, parcels};
use crate::rig::{LIMIT, Server, alone, order, plugin, told, until};

fn crash(report: &CallReport) -> CrashKind {
    report.crash.as_ref().expect("a crash").0
}

/// How long the channel is to rest, where that is all that the plugin said.
fn held(report: &CallReport) -> Option<Duration> {
    match &report.outcomes[..] {
        [Outcome::ChannelTrouble { after, .. }] => *after,
        other => panic!("expected trouble, got {other:?}"),
    }
}

#[tokio::test]
async fn one_instance_serves_all_calls() {
    let place = Place::new();
    let resident = alone(&place, &[]).await;
    for call in 1..=5 {
        assert_eq!(told(&resident, "count").await, format!("call {call}"));
    }
    assert_eq!(told(&resident, "wakes").await, "start 1 readable 0 timer 0 stop 0");
    let stats = resident.stats();
    assert_eq!((stats.starts, stats.crashes, stats.deliveries, stats.alive), (1, 0, 6, true));
}

#[tokio::test]
async fn it_runs_before_there_is_anything_to_deliver() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = plugin(&place, server.port, &[("start", "connect")], PluginLimits::default()).await.reside();
    let mut peer = server.line_peer().await;
    let say = async {
        let report = order(&resident, &["say", "say"]).await;
        resident.stop(LIMIT).await;
        report
    };
    let (report, taken) = tokio::join!(say, peer.take_all());
    assert!(report.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Delivered { .. })), "{report:?}");
    assert_eq!(taken.iter().filter(|line| line.starts_with("SAY ")).count(), 2, "over one connection: {taken:?}");
}

#[tokio::test]
async fn nothing_is_left_after_a_drop() {
    let (place, server) = (Place::with(1, None), Server::start().await);
    let settings = [("start", "connect"), ("wake_ms", "0")];
    let resident = plugin(&place, server.port, &settings, PluginLimits::default()).await.reside();
    let mut peer = server.line_peer().await;
    drop(resident);
    assert_eq!(peer.line().await, None, "its connection is closed, and it had no last call");
    // The only place for an instance is free again.
    let next = alone(&place, &[]).await;
    assert_eq!(told(&next, "count").await, "call 1");
}

#[tokio::test]
async fn row_23_after_a_trap_in_deliver_the_next_one_gets_a_new_instance() {
    let place = Place::new();
    let resident = alone(&place, &[]).await;
    assert_eq!(told(&resident, "count").await, "call 1");
    let report = order(&resident, &["trap", "count"]).await;
    assert_eq!(crash(&report), CrashKind::Trap);
    assert!(report.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Crash { .. })), "{report:?}");
    assert!(!resident.stats().alive);
    // It waits for the rest, which is short at first.
    assert_eq!(told(&resident, "count").await, "call 1");
    let stats = resident.stats();
    assert_eq!((stats.starts, stats.crashes, stats.alive), (2, 1, true));
    assert_eq!(stats.last_crash.expect("a crash").0, CrashKind::Trap);
    assert_eq!((stats.idle_crashes, stats.in_a_row), (0, 1), "a delivery was in it");
}

#[tokio::test]
async fn after_crash_on_crash_deliveries_are_held_and_not_burnt() {
    let place = Place::new();
    let resident = alone(&place, &[]).await;
    let began = Instant::now();
    while began.elapsed() < LIMIT && resident.stats().crashes < 4 {
        assert_eq!(crash(&order(&resident, &["trap"]).await), CrashKind::Trap);
    }
    let rests = 1 + 2 + 4;
    assert!(began.elapsed() >= Duration::from_secs(rests), "each rest is longer: {:?}", began.elapsed());
    let report = order(&resident, &["count"]).await;
    let after = held(&report).expect("a wait");
    assert!(after > limits::RESIDENT_PATIENCE && after <= limits::RESIDENT_BACKOFF_MAX, "{after:?}");
    assert_eq!(report.crash, None);
}

#[tokio::test]
async fn a_plugin_that_never_starts_holds_everything() {
    let place = Place::new();
    for (start, kind) in [("trap", CrashKind::Trap), ("loop", CrashKind::Timeout)] {
        let limits = PluginLimits { deadline_ms: 300, ..PluginLimits::default() };
        let resident = plugin(&place, 9, &[("start", start)], limits).await.reside();
        until("a crash", async || resident.stats().crashes > 0).await;
        assert!(held(&order(&resident, &["count"]).await).is_some());
        let stats = resident.idle_crash(0).await;
        assert!(!stats.alive && stats.last_crash.as_ref().is_some_and(|crash| crash.0 == kind), "{stats:?}");
        let later = resident.idle_crash(stats.idle_crashes).await;
        assert!(later.in_a_row > stats.in_a_row, "each is told, and that none lived long: {later:?}");
    }
}

#[tokio::test]
async fn what_was_settled_survives_a_trap() {
    let place = Place::new();
    let resident = alone(&place, &[]).await;
    let report = order(&resident, &["settle-trap", "count"]).await;
    assert_eq!(report.outcomes[0], Outcome::Delivered { receipt: Some("settled".to_owned()) });
    assert!(matches!(report.outcomes[1], Outcome::Crash { kind: CrashKind::Trap, .. }));
}

#[tokio::test]
async fn row_24_a_loop_ends_at_the_deadline_with_its_connections() {
    let (place, server) = (Place::new(), Server::start().await);
    let limits = PluginLimits { deadline_ms: 300, ..PluginLimits::default() };
    let resident = plugin(&place, server.port, &[("start", "connect")], limits).await.reside();
    let mut peer = server.line_peer().await;
    assert_eq!(crash(&order(&resident, &["loop"]).await), CrashKind::Timeout);
    assert_eq!(peer.line().await, None);
    let _next = server.line_peer().await;
    assert_eq!(told(&resident, "count").await, "call 1");
}

#[tokio::test]
async fn stopping_lets_it_say_goodbye_and_returns_when_it_is_gone() {
    let (place, server) = (Place::with(1, None), Server::start().await);
    for (last, said) in [("quit", Some("QUIT".to_owned())), ("loop", None)] {
        let settings = [("start", "connect"), ("stop", last)];
        let resident = plugin(&place, server.port, &settings, PluginLimits::default()).await.reside();
        let mut peer = server.line_peer().await;
        timeout(LIMIT, resident.stop(Duration::from_millis(500))).await.expect("the grace bounds it");
        assert!(!resident.stats().alive);
        assert_eq!(peer.line().await, said, "{last}");
        assert_eq!(peer.line().await, None, "{last}");
        assert!(held(&order(&resident, &["count"]).await).is_some(), "there is nobody any more");
    }
}

#[tokio::test]
async fn a_call_that_is_cut_off_gives_what_was_settled() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = plugin(&place, server.port, &[("start", "connect")], PluginLimits::default()).await.reside();
    let mut peer = server.line_peer().await;
    let deliveries = [delivery("say@x"), delivery("loop@x")];
    let cut_off = async {
        let line = peer.line().await.expect("a line");
        let id = line.split(' ').nth(1).expect("an id").to_owned();
        peer.send(&format!("OK {id}\n")).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let settled = resident.deliver_until(&parcels(&deliveries), cut_off).await.expect_err("cut off");
    assert!(matches!(settled[..], [Some(Outcome::Delivered { .. }), None]), "{settled:?}");
    let another = timeout(Duration::from_millis(500), server.tcp()).await;
    assert!(another.is_err(), "whoever cuts it off has time to stop it before another one connects");
    assert_eq!(told(&resident, "count").await, "call 1", "a new one");
}

#[tokio::test]
async fn row_31_a_thousand_cancelled_calls_leave_a_working_resident() {
    let place = Place::new();
    let resident = alone(&place, &[]).await;
    let (bad, good) = ([delivery("loop@x")], [delivery("count@x")]);
    for round in 0..1000u64 {
        if round % 50 == 0 {
            until("an instance", async || resident.stats().alive).await;
        }
        let bad = parcels(&bad);
        let cancelled = timeout(Duration::from_micros(round % 5 * 700), resident.deliver(&bad)).await;
        assert!(cancelled.is_err(), "it does not end by itself");
        if round % 50 == 0 {
            let report = resident.deliver(&parcels(&good)).await;
            assert!(matches!(report.outcomes[..], [Outcome::Delivered { .. }]), "round {round}: {report:?}");
        }
    }
    assert_eq!(resident.stats().crashes, 0);
}

#[tokio::test]
async fn a_manifest_and_exports_that_disagree_are_refused() {
    let place = Place::new();
    let answer = "(call $answer (local.get $count))";
    // The lifetime is at 64 of the manifest: 1 is resident.
    let says_resident = by_hand(r#"(data (i32.const 1088) "\01")"#, answer);
    let wake = r#"(func (export "tidings:channel/resident@1.0.0#wake") (param i32) (result i32) (i32.const 4000))"#;
    let is_resident = plugin_of("resident-channel", wake, answer);
    for (file, said, exported) in [(says_resident, "resident", "per-call"), (is_resident, "per-call", "resident")] {
        let error = place.sandbox.admit(&file).await.err();
        assert_eq!(error, Some(AdmissionError::Lifetime { said, exported }));
    }
    let both = format!(r#"{wake} (data (i32.const 1088) "\01")"#);
    place.sandbox.admit(&plugin_of("resident-channel", &both, answer)).await.expect("they agree");
}
