//! Pins how each failure of a guest is classified: one row for each kind of trap and violation, provoked with real
//! WebAssembly. wasmtime reports three of them by text only, so an upgrade that changes a text fails here. The handle
//! limit of a store is pinned in `src/violation.rs`, since a plugin reaches another limit before it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use common::guest::{Guest, plugin};
use common::{MIB, SandboxFixture, delivery, high_limits, requests};
use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::AdmissionError;

const MEMORY_BOMB: &str = "(loop (drop (memory.grow (i32.const 64))) (br 0)) unreachable";
const TABLE_BOMB: &str = "(loop (drop (table.grow $t (ref.null func) (i32.const 1000))) (br 0)) unreachable";
const RECURSION: &str = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))";
const TABLE: &str = "(table $t 1 funcref)";
const FUNCTION_IN_TABLE: &str = "(table $t 1 funcref) (func $one (param i64)) (elem (i32.const 0) $one)";
const LOG: &str = r#"(import "tidings:channel/log@1.0.0" "log" (func $log (param i32 i32 i32)))"#;
const RANDOM: &str = r#"(import "tidings:channel/random@1.0.0" "bytes" (func $random (param i32 i32)))"#;
const WASI_RANDOM: &str = r#"(import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))"#;
const WASI_TIMER: &str =
    r#"(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $timer (param i64) (result i32)))"#;
const WASI_EXIT: &str = r#"(import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))"#;

/// Fails unless a delivery with this guest crashes with this kind and detail.
async fn assert_crash(name: &str, file: Vec<u8>, limits: PluginLimits, kind: CrashKind, detail: &str) {
    let fixture = SandboxFixture::new();
    let admitted = fixture.sandbox.admit(&file).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let plugin = fixture.plugin(&admitted, limits, Vec::new(), 9);
    let report = plugin.deliver(&requests(&[delivery("a@x"), delivery("b@x")])).await;
    let (found, text) = report.crash.unwrap_or_else(|| panic!("{name}: no crash"));
    assert_eq!(found, kind, "{name}: {text}");
    assert!(text.contains(detail), "{name}: expected `{detail}`, got `{text}`");
    assert_eq!(report.outcomes, vec![Outcome::Crash { kind, detail: text }; 2], "{name}");
}

#[tokio::test]
async fn each_trap_of_the_guest_is_a_trap_with_its_reason() {
    for (fields, body, detail) in [
        ("", "unreachable", "wasm `unreachable` instruction executed"),
        ("", "(i32.div_u (i32.const 1) (i32.const 0))", "integer divide by zero"),
        ("", "(i32.div_s (i32.const 0x80000000) (i32.const -1))", "integer overflow"),
        ("", "(i32.trunc_f32_s (f32.const nan))", "invalid conversion to integer"),
        ("", "(i32.load (i32.const -4))", "out of bounds memory access"),
        (TABLE, "(drop (table.get $t (i32.const 7))) unreachable", "out of bounds table access"),
        (TABLE, "(call_indirect $t (result i32) (i32.const 0))", "uninitialized element"),
        (FUNCTION_IN_TABLE, "(call_indirect $t (result i32) (i32.const 0))", "indirect call type mismatch"),
        (RECURSION, "(call $deep (i32.const 0))", "call stack exhausted"),
    ] {
        assert_crash(detail, plugin(fields, body), PluginLimits::default(), CrashKind::Trap, detail).await;
    }
    let exit = Guest { imports: WASI_EXIT, deliver: "(call $exit (i32.const 1)) unreachable", ..Guest::default() };
    let detail = "called `exit` with the status 1";
    assert_crash(detail, exit.build(), PluginLimits::default(), CrashKind::Trap, detail).await;
}

#[tokio::test]
async fn the_epoch_deadline_is_a_timeout() {
    let limits = PluginLimits { deadline_ms: 200, ..high_limits() };
    let endless = plugin("", "(loop (br 0)) unreachable");
    assert_crash("endless loop", endless, limits, CrashKind::Timeout, "interrupted at the deadline").await;
}

#[tokio::test]
async fn growth_beyond_a_limit_is_a_memory_crash() {
    let limits = PluginLimits { memory_bytes: 16 * MIB, table_elements: 20_000, ..high_limits() };
    let memory = plugin("", MEMORY_BOMB);
    assert_crash("memory.grow", memory, limits, CrashKind::Memory, "bytes; the limit is 16777216").await;
    let table = plugin(TABLE, TABLE_BOMB);
    assert_crash("table.grow", table, limits, CrashKind::Memory, "elements; the limit is 20000").await;
    let small = PluginLimits { memory_bytes: 1024, ..high_limits() };
    let initial = plugin("", "unreachable");
    assert_crash("initial memory", initial, small, CrashKind::Memory, "its memory would have grown").await;
    let small = PluginLimits { table_elements: 0, ..high_limits() };
    let initial = plugin(TABLE, "unreachable");
    assert_crash("initial table", initial, small, CrashKind::Memory, "its tables would have grown").await;
}

#[tokio::test]
async fn use_of_the_host_beyond_a_limit_is_a_host_calls_crash() {
    let limits = PluginLimits { host_calls: 100, hostcall_bytes: MIB, ..high_limits() };
    for (name, imports, body, detail) in [
        (
            "host calls",
            LOG,
            "(loop (call $log (i32.const 1) (i32.const 256) (i32.const 7)) (br 0)) unreachable",
            "more than 100 host calls",
        ),
        (
            "bytes passed to the host",
            LOG,
            "(drop (memory.grow (i32.const 64))) (call $log (i32.const 1) (i32.const 0) (i32.const 0x200000)) unreachable",
            "passed too many bytes to the host in one call",
        ),
        (
            "random bytes",
            RANDOM,
            "(call $random (i32.const 5000) (i32.const 3000)) unreachable",
            "asked for 5000 random bytes; at most 4096 in a call",
        ),
        (
            "random bytes of WASI",
            WASI_RANDOM,
            "(call $random (i64.const 5000) (i32.const 3000)) unreachable",
            "asked for too many random bytes; at most 4096 in a call",
        ),
    ] {
        let guest = Guest { imports, deliver: body, ..Guest::default() };
        assert_crash(name, guest.build(), limits, CrashKind::HostCalls, detail).await;
    }
    let timers = "(loop (drop (call $timer (i64.const 1))) (br 0)) unreachable";
    let guest = Guest { imports: WASI_TIMER, deliver: timers, ..Guest::default() };
    let detail = "holds too many handles";
    assert_crash("handles of WASI", guest.build(), high_limits(), CrashKind::HostCalls, detail).await;
}

#[tokio::test]
async fn invalid_values_are_a_nonsense_crash() {
    let invalid_case = "(drop (call $answer (local.get $count))) (i32.store8 (i32.load (i32.const 2048)) (i32.const 9))
                        (i32.const 2048)";
    for (name, body, detail) in [
        ("variant case", invalid_case, "discriminant"),
        ("unaligned or foreign pointer", "(i32.const 131070)", "pointer"),
        ("list length", "(i32.store (i32.const 2052) (i32.const 0x7ffffff)) (i32.const 2048)", "out of bounds"),
        ("number of outcomes", "(call $answer (i32.const 1))", "answered 1 outcomes for a batch of 2"),
    ] {
        assert_crash(name, plugin("", body), PluginLimits::default(), CrashKind::Nonsense, detail).await;
    }
}

#[tokio::test]
async fn a_trap_in_instantiation_is_a_trap() {
    let fixture = SandboxFixture::new();
    // An active data segment beyond the memory traps before any function runs.
    let data = plugin(r#"(data (i32.const -4) "beyond")"#, "unreachable");
    match fixture.sandbox.admit(&data).await.err() {
        Some(AdmissionError::Describe { kind: CrashKind::Trap, detail }) => {
            assert!(detail.contains("out of bounds memory access"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}
