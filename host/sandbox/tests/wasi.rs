//! What a component gets of WASI: nothing that reaches the outside, and nothing without a limit.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use std::time::Duration;

use common::guest::plugin;
use common::{SandboxFixture, delivery, requests};
use tidings_domain::limits::{self, PluginLimits};
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::{CallReport, CallStats};

const ALL_DELIVERED: &str = "(call $answer (local.get $count))";

/// The imports of all guests; each component keeps those that it uses.
const IMPORTS: &str = r#"
    (import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))
    (import "wasi:cli/environment@0.2.6" "get-arguments" (func $arguments (param i32)))
    (import "wasi:cli/environment@0.2.6" "initial-cwd" (func $cwd (param i32)))
    (import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
    (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
    (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $stderr (result i32)))
    (import "wasi:io/streams@0.2.6" "[method]output-stream.write" (func $write-unasked (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $after (param i64) (result i32)))
    (import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))
    (import "wasi:filesystem/preopens@0.2.6" "get-directories" (func $directories (param i32)))
    (import "wasi:sockets/instance-network@0.2.6" "instance-network" (func $network (result i32)))
    (import "wasi:sockets/ip-name-lookup@0.2.6" "resolve-addresses" (func $resolve (param i32 i32 i32 i32)))
    (import "wasi:sockets/tcp-create-socket@0.2.6" "create-tcp-socket" (func $tcp (param i32 i32)))
    (import "wasi:sockets/udp-create-socket@0.2.6" "create-udp-socket" (func $udp (param i32 i32)))
    (import "tidings:channel/log@1.0.0" "log" (func $log (param i32 i32 i32)))"#;

/// Delivers one delivery with this body of `deliver`; returns the report and the lines of the log.
async fn run(data: &str, body: &str, limits: PluginLimits) -> (CallReport, Vec<String>) {
    let fixture = SandboxFixture::new();
    let admitted = fixture.sandbox.admit(&plugin(&format!("{IMPORTS} {data}"), body)).await.expect("admitted");
    assert!(!admitted.imports().iter().any(|import| import.contains("wasi")), "{:?}", admitted.imports());
    let report = fixture.plugin(&admitted, limits, Vec::new(), 9).deliver(&requests(&[delivery("a@x")])).await;
    (report, fixture.log_lines())
}

fn delivered(report: &CallReport) -> &CallStats {
    assert_eq!(report.crash, None);
    assert_eq!(report.outcomes, [Outcome::Delivered { receipt: None }]);
    &report.stats
}

fn crash((report, _): &(CallReport, Vec<String>)) -> (CrashKind, &str) {
    let (kind, detail) = report.crash.as_ref().expect("a crash");
    (*kind, detail)
}

#[tokio::test]
async fn row_33_there_is_no_environment_and_there_are_no_files() {
    let empty = "(if (i32.load (i32.const 3004)) (then unreachable))";
    let none = "(if (i32.load8_u (i32.const 3000)) (then unreachable))";
    let body = format!(
        "(call $environment (i32.const 3000)) {empty} (call $arguments (i32.const 3000)) {empty}
        (call $directories (i32.const 3000)) {empty} (call $cwd (i32.const 3000)) {none} {ALL_DELIVERED}"
    );
    // A result that the host does not write must not look empty.
    let data = r#"(data (i32.const 3000) "\ff\ff\ff\ff\ff\ff\ff\ff")"#;
    assert_eq!(delivered(&run(data, &body, PluginLimits::default()).await.0).host_calls, 4);
}

#[tokio::test]
async fn row_33_no_socket_is_made_and_no_name_resolved() {
    let (denied, unresolvable) = (1, 20);
    let data = r#"(data (i32.const 3100) "localhost")"#;
    for (call, code) in [
        ("(call $tcp (i32.const 0) (i32.const 3000))", denied),
        ("(call $tcp (i32.const 1) (i32.const 3000))", denied),
        ("(call $udp (i32.const 0) (i32.const 3000))", denied),
        ("(call $resolve (call $network) (i32.const 3100) (i32.const 9) (i32.const 3000))", unresolvable),
    ] {
        let body = format!(
            "{call} (if (i32.ne (i32.load8_u (i32.const 3000)) (i32.const 1)) (then unreachable))
            (if (i32.ne (i32.load8_u (i32.const 3004)) (i32.const {code})) (then unreachable)) {ALL_DELIVERED}"
        );
        delivered(&run(data, &body, PluginLimits::default()).await.0);
    }
}

#[tokio::test]
async fn row_23_an_exit_is_a_trap() {
    let ended = run("", "(call $exit (i32.const 1)) unreachable", PluginLimits::default()).await;
    assert_eq!(crash(&ended), (CrashKind::Trap, "called `exit` with the status 1"));
}

/// Prints `length` bytes of what is at 3100.
fn print(to: &str, length: usize) -> String {
    format!("(call $write (call ${to}) (i32.const 3100) (i32.const {length}) (i32.const 3000))")
}

#[tokio::test]
async fn printed_text_is_in_the_log_in_order() {
    let data = r#"(data (i32.const 3100) "one\r\n\n\1b[2Jtwo\nthree")"#;
    let log = "(call $log (i32.const 1) (i32.const 3100) (i32.const 3))";
    let body = format!("{} {log} {} {ALL_DELIVERED}", print("stdout", 19), print("stderr", 3));
    let (report, lines) = run(data, &body, PluginLimits::default()).await;
    assert_eq!(delivered(&report).log_lines, 5);
    assert_eq!(lines, ["one", "\\u{1b}[2Jtwo", "one", "three", "one"]);
}

#[tokio::test]
async fn text_printed_before_a_trap_is_in_the_log() {
    let data = r#"(data (i32.const 3100) "nearly")"#;
    let (report, lines) = run(data, &format!("{} unreachable", print("stderr", 6)), PluginLimits::default()).await;
    assert_eq!(report.crash.expect("a crash").0, CrashKind::Trap);
    assert_eq!(lines, ["nearly"]);
}

#[tokio::test]
async fn row_26_a_flood_of_printed_lines_is_cut_and_counted() {
    let data = r#"(data (i32.const 3100) "a\nb\n")"#;
    let body = format!(
        "(local $left i32) (local.set $left (i32.const 50))
        (loop $more {} (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br_if $more (local.get $left)))
        {ALL_DELIVERED}",
        print("stdout", 4)
    );
    let (report, lines) = run(data, &body, PluginLimits { log_lines: 10, ..PluginLimits::default() }).await;
    let stats = delivered(&report);
    assert_eq!((stats.log_lines, stats.log_lines_dropped, lines.len()), (10, 90, 10));
}

#[tokio::test]
async fn row_26_a_long_printed_line_is_cut() {
    let (report, lines) = run("", &format!("{} {ALL_DELIVERED}", print("stdout", 4096)), PluginLimits::default()).await;
    delivered(&report);
    assert_eq!(lines.iter().map(|line| line.chars().count()).collect::<Vec<_>>(), [limits::REASON_CHARS]);
    let unasked = "(call $write-unasked (call $stdout) (i32.const 0) (i32.const 60000) (i32.const 3000)) unreachable";
    let ended = run("", unasked, PluginLimits::default()).await;
    assert_eq!(crash(&ended).0, CrashKind::Nonsense, "{ended:?}");
}

#[tokio::test]
async fn row_26_a_flood_of_calls_ends_at_the_quota() {
    let limits = PluginLimits { host_calls: 5000, ..PluginLimits::default() };
    let ended = run("", "(loop $more (drop (call $now)) (br $more)) unreachable", limits).await;
    assert_eq!(crash(&ended), (CrashKind::HostCalls, "more than 5000 host calls"));
    assert!(ended.0.stats.host_calls > 5000);
}

#[tokio::test]
async fn row_28_handles_are_limited() {
    let endless = "(loop $more (drop (call $after (i64.const 1))) (br $more)) unreachable";
    let ended = run("", endless, PluginLimits::default()).await;
    assert_eq!(crash(&ended), (CrashKind::HostCalls, "holds too many handles"));
}

#[tokio::test]
async fn row_27_too_many_random_bytes_end_the_call() {
    for (asked, valid) in [(4096, true), (4097, false), (-1, false)] {
        let body = format!("(call $random (i64.const {asked}) (i32.const 3000)) {ALL_DELIVERED}");
        let ended = run("", &body, PluginLimits::default()).await;
        if valid {
            delivered(&ended.0);
        } else {
            let expected = "asked for too many random bytes; at most 4096 in a call";
            assert_eq!(crash(&ended), (CrashKind::HostCalls, expected));
        }
    }
}

#[tokio::test]
async fn row_29_a_sleep_ends_at_the_deadline() {
    for nanoseconds in ["600000000000", "-1"] {
        let body = format!("(call $block (call $after (i64.const {nanoseconds}))) {ALL_DELIVERED}");
        let ended = run("", &body, PluginLimits { deadline_ms: 300, ..PluginLimits::default() }).await;
        assert_eq!(crash(&ended).0, CrashKind::Timeout);
        assert!(ended.0.stats.duration < Duration::from_secs(5), "{:?}", ended.0.stats.duration);
    }
    let short = format!("(call $block (call $after (i64.const 1000000))) {ALL_DELIVERED}");
    delivered(&run("", &short, PluginLimits::default()).await.0);
}
