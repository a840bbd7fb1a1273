//! A plugin that misbehaves in every way that the contract leaves open. Each limit is hit alone, with all others far away:
//! it ends in its own outcome, within its own bound, and hurts nobody else. Row numbers are those of the list of failures.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use std::time::{Duration, Instant};

use common::{MIB, Place, crash_of, delivery, far, grant, parcels, rejected};
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::CallReport;
use tidings_sandbox::limits;
use tokio::net::TcpListener;

async fn report(behaviour: &str, batch: usize, limits: PluginLimits) -> CallReport {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, limits, Vec::new(), 9);
    let deliveries: Vec<_> = (0..batch).map(|_| delivery(&format!("{behaviour}@example.org"))).collect();
    plugin.deliver(&parcels(&deliveries)).await
}

#[tokio::test]
async fn a_good_batch_is_delivered() {
    let report = report("ok", 3, PluginLimits::default()).await;
    assert_eq!(report.crash, None);
    assert_eq!(report.outcomes, vec![Outcome::Delivered { receipt: None }; 3]);
    assert!(report.stats.peak_memory_bytes > 0);
    assert!(report.stats.duration > Duration::ZERO);
}

#[tokio::test]
async fn row_23_a_trap_is_a_crash_and_the_next_call_works() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), Vec::new(), 9);
    for round in 0..20 {
        let bad = [delivery("trap@x"), delivery("ok@x")];
        let report = plugin.deliver(&parcels(&bad)).await;
        assert_eq!(crash_of(&report).0, CrashKind::Trap, "{round}");
        assert_eq!(report.outcomes.len(), 2);
        assert!(report.outcomes.iter().all(|o| matches!(o, Outcome::Crash { kind: CrashKind::Trap, .. })));
        let good = [delivery("ok@x")];
        assert_eq!(plugin.deliver(&parcels(&good)).await.crash, None, "{round}");
    }
}

#[tokio::test]
async fn row_24_a_loop_ends_at_the_deadline_and_blocks_no_thread() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, PluginLimits { deadline_ms: 1000, ..far() }, Vec::new(), 9);
    let looping = tokio::spawn(async move { plugin.deliver(&parcels(&[delivery("loop@x"), delivery("ok@x")])).await });
    // The test's runtime has one thread: it gets its turns only if the guest yields.
    let mut turns = 0;
    while !looping.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        turns += 1;
    }
    let report = looping.await.expect("a report");
    assert_eq!(crash_of(&report).0, CrashKind::Timeout);
    assert_eq!(report.outcomes.len(), 2);
    // One that does not yield gives none until its end; how many there are is the machine's to say.
    assert!(turns >= 5, "the thread was free {turns} times in a second");
    let late = report.stats.duration.saturating_sub(Duration::from_secs(1));
    assert!(late < Duration::from_secs(2), "{late:?} after the deadline");
}

#[tokio::test]
async fn row_25_a_memory_bomb_is_stopped_at_its_limit() {
    let report = report("memory", 1, PluginLimits { memory_bytes: 16 * MIB, ..far() }).await;
    let (kind, detail) = crash_of(&report);
    assert_eq!(kind, CrashKind::Memory, "{detail}");
    assert!(detail.contains(&format!("the limit is {}", 16 * MIB)), "{detail}");
    assert!(report.stats.peak_memory_bytes <= 16 * MIB);
}

#[tokio::test]
async fn row_25_a_plugin_that_does_not_fit_its_memory_is_not_run() {
    // It would call the host if it ran.
    assert_eq!(report("log-forged", 1, far()).await.stats.host_calls, 1);
    let report = report("log-forged", 1, PluginLimits { memory_bytes: 64 * 1024, ..far() }).await;
    assert_eq!(crash_of(&report).0, CrashKind::Memory);
    assert_eq!(report.stats.host_calls, 0);
}

#[tokio::test]
async fn row_25_a_plugin_that_does_not_fit_its_tables_is_not_run() {
    let report = report("ok", 1, PluginLimits { table_elements: 1, ..far() }).await;
    assert_eq!(crash_of(&report).0, CrashKind::Memory);
}

#[tokio::test]
async fn row_26_a_flood_of_log_lines_is_cut_and_counted() {
    let place = Place::new();
    let limits = PluginLimits { log_lines: 10, host_calls: 3000, ..far() };
    let plugin = place.plugin(&place.hostile().await, limits, Vec::new(), 9);
    let report = plugin.deliver(&parcels(&[delivery("log-flood@x")])).await;
    assert_eq!(crash_of(&report).0, CrashKind::HostCalls);
    assert_eq!((report.stats.log_lines, report.stats.log_lines_dropped), (10, 2990));
    assert_eq!(place.host.lines.lock().expect("a lock").len(), 10);
}

#[tokio::test]
async fn row_26_a_huge_log_line_is_cut() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), Vec::new(), 9);
    let report = plugin.deliver(&parcels(&[delivery("log-huge@x")])).await;
    assert_eq!(report.crash, None);
    let lines = place.host.lines.lock().expect("a lock");
    assert_eq!(
        lines.iter().map(|line| line.chars().count()).collect::<Vec<_>>(),
        [tidings_domain::limits::REASON_CHARS]
    );
}

#[tokio::test]
async fn row_27_too_many_bytes_to_the_host_end_the_call() {
    let limits = PluginLimits { hostcall_bytes: MIB, ..far() };
    for behaviour in ["log-huge", "huge-result"] {
        let report = report(behaviour, 1, limits).await;
        assert_eq!(crash_of(&report).0, CrashKind::HostCalls, "{behaviour}: {:?}", report.crash);
    }
}

#[tokio::test]
async fn row_27_too_many_random_bytes_end_the_call() {
    let report = report("random-huge", 1, far()).await;
    assert_eq!(crash_of(&report), (CrashKind::HostCalls, "asked for 4294967295 random bytes; at most 4096 in a call"));
}

#[tokio::test]
async fn row_28_connections_are_limited_at_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let place = Place::new();
    let limits = PluginLimits { connections: 3, ..far() };
    let plugin = place.plugin(&place.hostile().await, limits, vec![grant(Capability::Net, port, true, false)], port);
    let report = plugin.deliver(&parcels(&[delivery("handles@x")])).await;
    assert_eq!(report.crash, None);
    let said = rejected(&report);
    assert!(said.starts_with("3 connections, then") && said.contains("more than 3 connections"), "{said}");
}

#[tokio::test]
async fn row_29_a_connection_that_never_answers_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let place = Place::new();
    let limits = PluginLimits { deadline_ms: 400, ..far() };
    let plugin = place.plugin(&place.hostile().await, limits, vec![grant(Capability::Net, port, true, false)], port);
    let deliveries = [delivery("slow@x")];
    let batch = parcels(&deliveries);
    let (report, accepted) = tokio::join!(plugin.deliver(&batch), listener.accept());
    assert_eq!(crash_of(&report).0, CrashKind::Timeout);
    assert!(report.stats.duration < Duration::from_secs(2), "{:?}", report.stats.duration);
    let (mut peer, _) = accepted.expect("a connection");
    let mut rest = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut rest);
    let end = tokio::time::timeout(Duration::from_secs(5), end).await.expect("the connection is closed with the call");
    assert_eq!((end.ok(), rest.len()), (Some(0), 0));
}

#[tokio::test]
async fn row_30_deep_recursion_is_a_trap() {
    let report = report("recurse", 1, far()).await;
    assert_eq!(crash_of(&report).0, CrashKind::Trap);
}

#[tokio::test]
async fn row_31_a_thousand_cancelled_calls_leave_a_working_plugin() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let silent = tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            let read = async move { tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut Vec::new()).await };
            tokio::spawn(read);
        }
    });
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), vec![grant(Capability::Net, port, true, false)], port);
    let (in_host, in_guest, good) = ([delivery("slow@x")], [delivery("loop@x")], [delivery("ok@x")]);
    for round in 0..1000 {
        let bad = parcels(if round % 10 == 0 { &in_guest } else { &in_host });
        let cancelled = tokio::time::timeout(Duration::from_micros(round % 5 * 700), plugin.deliver(&bad)).await;
        assert!(cancelled.is_err(), "neither ends by itself");
        if round % 50 == 0 {
            assert_eq!(plugin.deliver(&parcels(&good)).await.crash, None, "round {round}");
        }
    }
    silent.abort();
}

#[tokio::test]
async fn row_32_what_a_plugin_says_is_bounded_and_escaped() {
    let report = report("garbage", 4, far()).await;
    assert_eq!(report.crash, None);
    for outcome in &report.outcomes {
        let (text, after) = match outcome {
            Outcome::Retry { after, reason } | Outcome::ChannelTrouble { after, reason } => (reason.as_str(), *after),
            Outcome::Delivered { receipt } => (receipt.as_deref().unwrap_or_default(), None),
            Outcome::AddressGone { replacement, reason } => {
                assert_eq!(*replacement, None, "an address with a line break is none");
                (reason.as_str(), None)
            }
            other => panic!("unexpected {other:?}"),
        };
        assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
        assert!(text.chars().count() <= tidings_domain::limits::REASON_CHARS);
        assert!(after.is_none_or(|after| after <= limits::WAIT_MAX));
    }
}

#[tokio::test]
async fn row_32_an_answer_of_the_wrong_length_is_a_crash() {
    for (behaviour, detail) in
        [("short", "answered 2 outcomes for a batch of 3"), ("long", "answered 4 outcomes for a batch of 3")]
    {
        let report = report(behaviour, 3, far()).await;
        assert_eq!(crash_of(&report), (CrashKind::Nonsense, detail));
        assert_eq!(report.outcomes.len(), 3);
    }
}

#[tokio::test]
async fn row_33_what_was_not_granted_is_denied_and_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let place = Place::new();
    let hostile = place.hostile().await;
    for (behaviour, grants, said) in [
        ("connect", vec![], "no grant of `net`"),
        ("connect", vec![grant(Capability::Net, port ^ 1, true, false)], "no grant of `net`"),
        ("connect", vec![grant(Capability::Http, port, true, true)], "no grant of `net`"),
        ("connect", vec![grant(Capability::Net, port, false, false)], "(loopback), and its grant lacks `private`"),
        ("http", vec![], "no grant of `http`"),
        ("http", vec![grant(Capability::Net, port, true, true)], "no grant of `http`"),
        ("http", vec![grant(Capability::Http, port, true, false)], "its grant lacks `plain_http`"),
        ("http", vec![grant(Capability::Http, port, false, true)], "(loopback), and its grant lacks `private`"),
    ] {
        let plugin = place.plugin(&hostile, far(), grants.clone(), port);
        let report = plugin.deliver(&parcels(&[delivery(&format!("{behaviour}@x"))])).await;
        assert!(rejected(&report).contains(said), "{behaviour} {grants:?}: {}", rejected(&report));
        assert_eq!(report.stats.egress_denials, 1);
    }
    let nobody = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(nobody.is_err(), "nothing has connected");
    assert!(place.host.lines.lock().expect("a lock").iter().all(|line| line.starts_with("refused: ")));
}

#[tokio::test]
async fn row_34_nothing_is_kept_in_memory_between_calls() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), Vec::new(), 9);
    for _ in 0..10 {
        let report = plugin.deliver(&parcels(&[delivery("counter@x")])).await;
        assert_eq!(report.outcomes, [Outcome::Delivered { receipt: Some("count 1".to_owned()) }]);
    }
}

#[tokio::test]
async fn what_was_settled_survives_a_trap_and_a_timeout() {
    let trap = report("progress-then-trap", 2, far()).await;
    assert_eq!(crash_of(&trap).0, CrashKind::Trap);
    assert_eq!(trap.outcomes[0], Outcome::Delivered { receipt: Some("settled".to_owned()) });
    assert!(matches!(trap.outcomes[1], Outcome::Crash { kind: CrashKind::Trap, .. }));
    let timeout = report("progress-then-loop", 2, PluginLimits { deadline_ms: 200, ..far() }).await;
    assert_eq!(crash_of(&timeout).0, CrashKind::Timeout);
    assert_eq!(timeout.outcomes, vec![Outcome::Delivered { receipt: None }; 2]);
}

#[tokio::test]
async fn what_was_settled_survives_being_cut_off() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), Vec::new(), 9);
    let deliveries = [delivery("progress-then-loop@x"), delivery("ok@x")];
    let soon = tokio::time::sleep(Duration::from_millis(300));
    let settled = plugin.deliver_until(&parcels(&deliveries), soon).await.expect_err("cut off");
    assert_eq!(settled, vec![Some(Outcome::Delivered { receipt: None }); 2]);
    let nothing = [delivery("loop@x")];
    let soon = tokio::time::sleep(Duration::from_millis(100));
    assert_eq!(plugin.deliver_until(&parcels(&nothing), soon).await, Err(vec![None]));
    let good = [delivery("ok@x")];
    let report = plugin.deliver_until(&parcels(&good), std::future::pending()).await.expect("not cut off");
    assert_eq!(report.outcomes, [Outcome::Delivered { receipt: None }]);
}

#[tokio::test]
async fn settling_a_delivery_that_is_not_in_the_batch_is_a_crash() {
    let report = report("progress-beyond", 2, far()).await;
    assert_eq!(crash_of(&report), (CrashKind::Nonsense, "settled place 2 of a batch of 2"));
}

#[tokio::test]
async fn writing_to_the_stream_of_a_delivery_that_is_not_in_the_batch_is_a_crash() {
    let report = report("stream-beyond", 2, far()).await;
    assert_eq!(crash_of(&report), (CrashKind::Nonsense, "wrote to the stream of place 2 of a batch of 2"));
}

#[tokio::test]
async fn entries_of_a_stream_that_are_none_are_told() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), Vec::new(), 9);
    let report = plugin.deliver(&parcels(&[delivery("stream-huge@x")])).await;
    let said = rejected(&report);
    for expected in ["an entry has at most 65536 bytes", "an entry is JSON", "there are 1 deliveries to write of"] {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(place.host.entries.lock().expect("a lock").len(), 0);
}

#[tokio::test]
async fn the_state_of_a_plugin_is_bounded() {
    let few_keys = report("state-flood", 1, PluginLimits { state_keys: 5, ..far() }).await;
    assert!(rejected(&few_keys).starts_with("5 keys, then"), "{}", rejected(&few_keys));
    let few_bytes = report("state-flood", 1, PluginLimits { state_bytes: 3500, ..far() }).await;
    assert!(rejected(&few_bytes).starts_with("3 keys, then"), "{}", rejected(&few_bytes));
}

#[tokio::test]
async fn an_address_is_checked_and_a_crash_there_is_a_crash() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), Vec::new(), 9);
    assert_eq!(plugin.check_address("anything").await, Ok(Ok("anything".to_owned())));
    assert_eq!(plugin.check_address("").await, Ok(Err("an address is not empty".to_owned())));
    assert_eq!(plugin.check_address("check-trap").await.map_err(|(kind, _)| kind), Err(CrashKind::Trap));
    let bad = plugin.check_address("evil\r\n@x").await.map_err(|(kind, _)| kind);
    assert_eq!(bad, Err(CrashKind::Nonsense));
    let long = "x".repeat(tidings_domain::limits::ADDRESS_CHARS + 1);
    assert_eq!(plugin.check_address(&long).await, Ok(Err("longer than 500 characters".to_owned())));
}

#[tokio::test]
async fn row_24_check_address_has_a_deadline_of_its_own() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), Vec::new(), 9);
    let start = Instant::now();
    assert_eq!(plugin.check_address("check-loop").await.map_err(|(kind, _)| kind), Err(CrashKind::Timeout));
    assert!(start.elapsed() < limits::QUESTION_DEADLINE + Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_looping_plugin_does_not_hold_up_another() {
    let place = Place::new();
    let hostile = place.hostile().await;
    let bad = place.plugin(&hostile, PluginLimits { deadline_ms: 2000, ..far() }, Vec::new(), 9);
    let good = place.plugin(&hostile, far(), Vec::new(), 9);
    let loops: Vec<_> = (0..3)
        .map(|_| {
            let bad = bad.clone();
            tokio::spawn(async move { bad.deliver(&parcels(&[delivery("loop@x")])).await.crash })
        })
        .collect();
    let mut delivered = 0;
    while loops.iter().any(|task| !task.is_finished()) {
        let report = good.deliver(&parcels(&[delivery("ok@x")])).await;
        assert_eq!(report.crash, None);
        delivered += 1;
    }
    assert!(delivered >= 10, "only {delivered} batches went through beside three loops");
    for task in loops {
        assert_eq!(task.await.expect("ended").map(|(kind, _)| kind), Some(CrashKind::Timeout));
    }
}
