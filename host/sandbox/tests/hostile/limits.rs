//! Each limit is reached alone, with all others high: the call ends in the limit's own outcome.

use std::time::{Duration, Instant};

use tidings_domain::limits::{PluginLimits, REASON_CHARS};
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::CrashKind;
use tidings_sandbox::limits;
use tokio::net::TcpListener;

use crate::common::{MIB, SandboxFixture, crash_of, delivery, grant, high_limits, rejected, requests};
use crate::{deliver_as, deliver_one};

#[tokio::test]
async fn row_24_a_loop_ends_at_the_deadline_and_blocks_no_thread() {
    let fixture = SandboxFixture::new();
    let plugin =
        fixture.plugin(&fixture.hostile().await, PluginLimits { deadline_ms: 1000, ..high_limits() }, Vec::new(), 9);
    let looping = tokio::spawn(async move { plugin.deliver(&requests(&[delivery("loop@x"), delivery("ok@x")])).await });
    // The test's runtime has one thread, which is free only while the guest yields.
    let mut free = 0;
    while !looping.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        free += 1;
    }
    let report = looping.await.expect("a report");
    assert_eq!(crash_of(&report).0, CrashKind::Timeout);
    assert_eq!(report.outcomes.len(), 2);
    // A guest that does not yield blocks the thread to its end. How often it is free depends on the machine.
    assert!(free >= 5, "the thread was free {free} times in a second");
    let late = report.stats.duration.saturating_sub(Duration::from_secs(1));
    assert!(late < Duration::from_secs(2), "{late:?} after the deadline");
}

#[tokio::test]
async fn row_24_check_address_has_a_deadline_of_its_own() {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), Vec::new(), 9);
    let start = Instant::now();
    assert_eq!(plugin.check_address("check-loop").await.map_err(|(kind, _)| kind), Err(CrashKind::Timeout));
    assert!(start.elapsed() < limits::QUESTION_DEADLINE + Duration::from_secs(2));
}

#[tokio::test]
async fn row_25_a_memory_bomb_is_stopped_at_its_limit() {
    let report = deliver_as("memory", 1, PluginLimits { memory_bytes: 16 * MIB, ..high_limits() }).await;
    let (kind, detail) = crash_of(&report);
    assert_eq!(kind, CrashKind::Memory, "{detail}");
    assert!(detail.contains(&format!("the limit is {}", 16 * MIB)), "{detail}");
    assert!(report.stats.peak_memory_bytes <= 16 * MIB);
}

#[tokio::test]
async fn row_25_a_plugin_that_does_not_fit_its_memory_is_not_run() {
    // This behaviour calls the host if the plugin runs.
    assert_eq!(deliver_as("log-forged", 1, high_limits()).await.stats.host_calls, 1);
    let report = deliver_as("log-forged", 1, PluginLimits { memory_bytes: 64 * 1024, ..high_limits() }).await;
    assert_eq!(crash_of(&report).0, CrashKind::Memory);
    assert_eq!(report.stats.host_calls, 0);
}

#[tokio::test]
async fn row_25_a_plugin_that_does_not_fit_its_tables_is_not_run() {
    let report = deliver_as("ok", 1, PluginLimits { table_elements: 1, ..high_limits() }).await;
    assert_eq!(crash_of(&report).0, CrashKind::Memory);
}

#[tokio::test]
async fn row_25_check_address_has_the_limits_of_memory_too() {
    let fixture = SandboxFixture::new();
    let limits = PluginLimits { memory_bytes: 16 * MIB, ..high_limits() };
    let plugin = fixture.plugin(&fixture.hostile().await, limits, Vec::new(), 9);
    assert_eq!(plugin.check_address("check-memory").await.map_err(|(kind, _)| kind), Err(CrashKind::Memory));
    assert_eq!(plugin.check_address("fine").await, Ok(Ok("fine".to_owned())));
}

#[tokio::test]
async fn row_26_a_flood_of_log_lines_is_cut_and_counted() {
    let fixture = SandboxFixture::new();
    let limits = PluginLimits { log_lines: 10, host_calls: 3000, ..high_limits() };
    let plugin = fixture.plugin(&fixture.hostile().await, limits, Vec::new(), 9);
    let report = plugin.deliver(&requests(&[delivery("log-flood@x")])).await;
    assert_eq!(crash_of(&report).0, CrashKind::HostCalls);
    assert_eq!((report.stats.log_lines, report.stats.log_lines_dropped), (10, 2990));
    assert_eq!(fixture.log_lines().len(), 10);
}

#[tokio::test]
async fn row_26_a_huge_log_line_is_cut() {
    let fixture = SandboxFixture::new();
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), Vec::new(), 9);
    let report = plugin.deliver(&requests(&[delivery("log-huge@x")])).await;
    assert_eq!(report.crash, None);
    let lines = fixture.log_lines();
    assert_eq!(lines.iter().map(|line| line.chars().count()).collect::<Vec<_>>(), [REASON_CHARS]);
}

#[tokio::test]
async fn row_27_too_many_bytes_to_the_host_end_the_call() {
    let limits = PluginLimits { hostcall_bytes: MIB, ..high_limits() };
    for behaviour in ["log-huge", "huge-result"] {
        let report = deliver_as(behaviour, 1, limits).await;
        assert_eq!(crash_of(&report).0, CrashKind::HostCalls, "{behaviour}: {:?}", report.crash);
    }
}

#[tokio::test]
async fn row_27_too_many_random_bytes_end_the_call() {
    let report = deliver_as("random-huge", 1, high_limits()).await;
    assert_eq!(crash_of(&report), (CrashKind::HostCalls, "asked for 4294967295 random bytes; at most 4096 in a call"));
}

#[tokio::test]
async fn row_27_a_huge_command_for_the_inbox_is_cut_or_ends_the_call() {
    let fixture = SandboxFixture::new();
    let hostile = fixture.hostile().await;
    let wide = deliver_one(&fixture.plugin(&hostile, high_limits(), Vec::new(), 9), "inbox-huge@x").await;
    let expected = format!("[{}] bytes came back", "you said ".len() + limits::INBOX_CHARS);
    assert_eq!(rejected(&wide), expected);
    let narrow = PluginLimits { hostcall_bytes: MIB, ..high_limits() };
    let narrow = deliver_one(&fixture.plugin(&hostile, narrow, Vec::new(), 9), "inbox-huge@x").await;
    assert_eq!(crash_of(&narrow).0, CrashKind::HostCalls);
}

#[tokio::test]
async fn row_28_connections_are_limited_at_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let fixture = SandboxFixture::new();
    let limits = PluginLimits { connections: 3, ..high_limits() };
    let plugin =
        fixture.plugin(&fixture.hostile().await, limits, vec![grant(Capability::Net, port, true, false)], port);
    let report = plugin.deliver(&requests(&[delivery("handles@x")])).await;
    assert_eq!(report.crash, None);
    let reason = rejected(&report);
    assert!(reason.starts_with("3 connections, then") && reason.contains("more than 3 connections"), "{reason}");
}

#[tokio::test]
async fn row_30_deep_recursion_is_a_trap() {
    let report = deliver_as("recurse", 1, high_limits()).await;
    assert_eq!(crash_of(&report).0, CrashKind::Trap);
}

#[tokio::test]
async fn the_state_of_a_plugin_is_bounded() {
    let few_keys = deliver_as("state-flood", 1, PluginLimits { state_keys: 5, ..high_limits() }).await;
    assert!(rejected(&few_keys).starts_with("5 keys, then"), "{}", rejected(&few_keys));
    let few_bytes = deliver_as("state-flood", 1, PluginLimits { state_bytes: 3500, ..high_limits() }).await;
    assert!(rejected(&few_bytes).starts_with("3 keys, then"), "{}", rejected(&few_bytes));
}
