//! Endless calls of host functions, two kinds of misbehaviour in one call, cancelled calls, and endless loops: other
//! calls and channels are not affected.

use std::time::Duration;

use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::{CrashKind, Outcome};
use tokio::net::TcpListener;

use crate::common::net::{ServerScript, scripted_server};
use crate::common::{MIB, SandboxFixture, crash_of, delivery, grant, high_limits, requests};
use crate::{deliver_one, still_delivers};

#[tokio::test]
async fn row_26_a_flood_of_any_host_function_ends_at_the_quota() {
    let fixture = SandboxFixture::new();
    let limits = PluginLimits { host_calls: 500, ..high_limits() };
    let plugin = fixture.plugin(&fixture.hostile().await, limits, Vec::new(), 9);
    for step in [
        "clock",
        "random",
        "state-read",
        "state-write",
        "inbox",
        "stream",
        "config",
        "settle",
        "log",
        "connect",
        "http",
    ] {
        let behaviour = if step == "log" { "log-flood".to_owned() } else { format!("{step}-flood") };
        // `connect` and `http` are refused each time.
        let report = deliver_one(&plugin, &format!("{behaviour}@x")).await;
        let settled = Outcome::Delivered { receipt: None };
        assert_eq!(crash_of(&report), (CrashKind::HostCalls, "more than 500 host calls"), "{step}");
        assert_eq!(report.stats.host_calls, 501, "{step}");
        assert_eq!(report.outcomes[0] == settled, step == "settle", "{step}: {:?}", report.outcomes);
        assert_eq!(report.stats.egress_denials > 100, matches!(step, "connect" | "http"), "{step}");
        still_delivers(&plugin, step).await;
    }
    let refusals = fixture.log_lines().iter().filter(|line| line.starts_with("refused: ")).count();
    assert_eq!(refusals, 2, "one line for each call that was refused something, not one for each refusal");
}

/// Endless misbehaviour, with the kind of crash that ends it.
const STEPS: &[(&str, CrashKind)] = &[
    ("spin", CrashKind::Timeout),
    ("memory", CrashKind::Memory),
    ("recurse", CrashKind::Trap),
    ("log", CrashKind::HostCalls),
    ("state-write", CrashKind::HostCalls),
    ("random", CrashKind::HostCalls),
    ("settle", CrashKind::HostCalls),
    ("connect", CrashKind::HostCalls),
    ("http", CrashKind::HostCalls),
];

#[tokio::test]
async fn two_kinds_of_misbehaviour_end_in_the_outcome_of_one_of_them() {
    let port = scripted_server(ServerScript::Silent).await;
    let fixture = SandboxFixture::new();
    let hostile = fixture.hostile().await;
    let grants = vec![grant(Capability::Net, port, true, false)];
    for (index, (one, first)) in STEPS.iter().enumerate() {
        for (two, second) in &STEPS[index + 1..] {
            // The deadline is short only where misbehaviour must hit it: a slow machine would hit it elsewhere.
            let deadline_ms = if *one == "spin" { 300 } else { 60_000 };
            let limits = PluginLimits {
                deadline_ms,
                memory_bytes: 16 * MIB,
                host_calls: 1000,
                log_lines: 10,
                connections: 4,
                state_keys: 5,
                ..high_limits()
            };
            let plugin = fixture.plugin(&hostile, limits, grants.clone(), port);
            let both = format!("{one}+{two}");
            let report = deliver_one(&plugin, &format!("{both}@x")).await;
            let (kind, detail) = crash_of(&report);
            assert!([*first, *second].contains(&kind), "{both}: {kind:?} {detail}");
            assert!(report.stats.host_calls <= 1001 && report.stats.log_lines <= 10, "{both}: {:?}", report.stats);
            assert!(report.stats.peak_memory_bytes <= 16 * MIB, "{both}: {:?}", report.stats);
            still_delivers(&fixture.plugin(&hostile, high_limits(), Vec::new(), 9), &both).await;
        }
    }
}

#[tokio::test]
async fn row_31_a_thousand_cancelled_calls_leave_a_working_plugin() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            let read = async move { tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut Vec::new()).await };
            tokio::spawn(read);
        }
    });
    let fixture = SandboxFixture::new();
    let plugin =
        fixture.plugin(&fixture.hostile().await, high_limits(), vec![grant(Capability::Net, port, true, false)], port);
    let (in_host, in_guest, valid) = ([delivery("slow@x")], [delivery("loop@x")], [delivery("ok@x")]);
    for round in 0..1000 {
        let endless = requests(if round % 10 == 0 { &in_guest } else { &in_host });
        let cancelled = tokio::time::timeout(Duration::from_micros(round % 5 * 700), plugin.deliver(&endless)).await;
        assert!(cancelled.is_err(), "both are endless");
        if round % 50 == 0 {
            assert_eq!(plugin.deliver(&requests(&valid)).await.crash, None, "round {round}");
        }
    }
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_looping_plugin_does_not_hold_up_another() {
    let fixture = SandboxFixture::new();
    let hostile = fixture.hostile().await;
    let looping = fixture.plugin(&hostile, PluginLimits { deadline_ms: 2000, ..high_limits() }, Vec::new(), 9);
    let valid = fixture.plugin(&hostile, high_limits(), Vec::new(), 9);
    let loops: Vec<_> = (0..3)
        .map(|_| {
            let looping = looping.clone();
            tokio::spawn(async move { looping.deliver(&requests(&[delivery("loop@x")])).await.crash })
        })
        .collect();
    let mut delivered = 0;
    while loops.iter().any(|task| !task.is_finished()) {
        let report = valid.deliver(&requests(&[delivery("ok@x")])).await;
        assert_eq!(report.crash, None);
        delivered += 1;
    }
    assert!(delivered >= 10, "only {delivered} batches went through beside three loops");
    for task in loops {
        assert_eq!(task.await.expect("ended").map(|(kind, _)| kind), Some(CrashKind::Timeout));
    }
}
