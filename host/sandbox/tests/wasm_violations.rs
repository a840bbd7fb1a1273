//! Components that misbehave below the level of a language: in their start function, allocator, values and handles, and
//! by the features that they use. `docs/hostile-set of hostile plugins.md` lists the outcomes.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use common::guest::Guest;
use common::{SandboxFixture, crash_of, delivery, requests};
use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::AdmissionError;
use tidings_sandbox::limits;

const LOOP: &str = "(loop (br 0)) unreachable";
const MEMORY_BOMB: &str = "(loop (drop (memory.grow (i32.const 64))) (br 0)) unreachable";
const TABLE_BOMB: &str = "(loop (drop (table.grow $t (ref.null func) (i32.const 1000))) (br 0)) unreachable";
const AFTER_DESCRIBE: &str = "cabi_post_tidings:channel/plugin@1.0.0#describe";
const AFTER_DELIVER: &str = "cabi_post_tidings:channel/plugin@1.0.0#deliver";

fn exported(name: &str, body: &str) -> String {
    format!(r#"(func (export "{name}") (param i32) {body})"#)
}

#[tokio::test]
async fn rows_23_to_27_a_component_that_misbehaves_in_describe_is_refused() {
    use CrashKind::{Memory, Nonsense, Timeout, Trap};
    let start = |body: &str| format!("(func $start {body}) (start $start)");
    let starts = [start("unreachable"), start("(loop (br 0))"), start("(call $start)")];
    let [trap_at_start, loop_at_start, recursion_at_start] = starts.each_ref().map(String::as_str);
    let bomb_at_start = start("(loop (drop (memory.grow (i32.const 64))) (br 0))");
    let after = exported(AFTER_DESCRIBE, "unreachable");
    let guest = Guest::default;
    let fixture = SandboxFixture::new();
    for (name, guest, expected) in [
        ("trap at the start", Guest { fields: trap_at_start, ..guest() }, Trap),
        ("loop at the start", Guest { fields: loop_at_start, ..guest() }, Timeout),
        ("recursion at the start", Guest { fields: recursion_at_start, ..guest() }, Trap),
        ("memory at the start", Guest { fields: &bomb_at_start, ..guest() }, Memory),
        ("memory in describe", Guest { describe: MEMORY_BOMB, ..guest() }, Memory),
        ("tables in describe", Guest { fields: "(table $t 1 funcref)", describe: TABLE_BOMB, ..guest() }, Memory),
        ("trap after describe", Guest { fields: &after, ..guest() }, Trap),
        (
            "a name that is not UTF-8",
            Guest { describe: "(i32.store8 (i32.const 256) (i32.const 0xff)) (i32.const 1024)", ..guest() },
            Nonsense,
        ),
        (
            "4,294,967,295 fields",
            Guest { describe: "(i32.store (i32.const 1068) (i32.const -1)) (i32.const 1024)", ..guest() },
            Nonsense,
        ),
        (
            "an invalid lifetime",
            Guest { describe: "(i32.store8 (i32.const 1088) (i32.const 7)) (i32.const 1024)", ..guest() },
            Nonsense,
        ),
        ("a manifest beyond the memory", Guest { describe: "(i32.const -8)", ..guest() }, Nonsense),
    ] {
        match fixture.sandbox.admit(&guest.build()).await.err() {
            Some(AdmissionError::Describe { kind, detail }) => assert_eq!(kind, expected, "{name}: {detail}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// A receipt in the first outcome: `$at` of so many bytes.
fn receipt(at: &str, length: &str) -> String {
    format!(
        "(drop (call $answer (local.get $count)))
         (i32.store8 (i32.const 4096) (i32.const 0xff))
         (i32.store8 (i32.add (i32.load (i32.const 2048)) (i32.const 8)) (i32.const 1))
         (i32.store (i32.add (i32.load (i32.const 2048)) (i32.const 12)) (i32.const {at}))
         (i32.store (i32.add (i32.load (i32.const 2048)) (i32.const 16)) (i32.const {length}))
         (i32.const 2048)"
    )
}

const LOG: &str = r#"(import "tidings:channel/log@1.0.0" "log" (func $log (param i32 i32 i32)))"#;
const RANDOM: &str = r#"(import "tidings:channel/random@1.0.0" "bytes" (func $random (param i32 i32)))"#;
const READ: &str = r#"(import "tidings:channel/net@1.0.0" "[method]connection.read" (func $read (param i32 i32 i32)))"#;
const DROP: &str = r#"(import "tidings:channel/net@1.0.0" "[resource-drop]connection" (func $drop (param i32)))"#;

fn misbehaving_components() -> Vec<(&'static str, Vec<u8>, CrashKind)> {
    use CrashKind::{HostCalls, Memory, Nonsense, Timeout, Trap};
    let guest = Guest::default;
    let then = |call: &str| format!("{call} (call $answer (local.get $count))");
    let log = |call: &str| Guest { imports: LOG, deliver: &then(call), ..guest() }.build();
    let answer = |body: &str| Guest { deliver: body, ..guest() }.build();
    let realloc = |body: &str| Guest { realloc: body, ..guest() }.build();
    let after = |body: &str| Guest { fields: &exported(AFTER_DELIVER, body), ..guest() }.build();
    vec![
        ("trap in the allocator", realloc("unreachable"), Trap),
        ("loop in the allocator", realloc(LOOP), Timeout),
        ("memory bomb in the allocator", realloc(MEMORY_BOMB), Memory),
        ("memory at an unaligned address", realloc("(i32.const 3)"), Nonsense),
        ("memory beyond the memory", realloc("(i32.const -64)"), Nonsense),
        (
            "a host call from the allocator",
            Guest {
                imports: LOG,
                realloc: "(call $log (i32.const 1) (i32.const 256) (i32.const 7)) (i32.const 8)",
                ..guest()
            }
            .build(),
            Trap,
        ),
        ("trap after the answer", after("unreachable"), Trap),
        ("loop after the answer", after("(loop (br 0))"), Timeout),
        ("4,294,967,295 outcomes", answer("(i32.store (i32.const 2052) (i32.const -1)) (i32.const 2048)"), Nonsense),
        (
            "an answer at an unaligned address",
            answer("(drop (call $answer (local.get $count))) (i32.const 2049)"),
            Nonsense,
        ),
        ("a receipt that is not UTF-8", answer(&receipt("4096", "1")), Nonsense),
        ("a receipt beyond the memory", answer(&receipt("-8", "100")), Nonsense),
        ("a receipt of 4 GiB", answer(&receipt("4096", "-1")), Nonsense),
        ("an invalid log level", log("(call $log (i32.const 9) (i32.const 256) (i32.const 7))"), Nonsense),
        ("a log line beyond the memory", log("(call $log (i32.const 1) (i32.const -4) (i32.const 100))"), Nonsense),
        ("a log line of 2 GiB", log("(call $log (i32.const 1) (i32.const 0) (i32.const 0x7fffffff))"), Nonsense),
        (
            "a log line that is not UTF-8",
            log(
                "(i32.store8 (i32.const 4096) (i32.const 0xff)) (call $log (i32.const 1) (i32.const 4096) (i32.const 1))",
            ),
            Nonsense,
        ),
        ("endless log lines", log("(loop (call $log (i32.const 1) (i32.const 256) (i32.const 7)) (br 0))"), HostCalls),
        (
            "a result of the host beyond the memory",
            Guest { imports: RANDOM, deliver: &then("(call $random (i32.const 8) (i32.const -4))"), ..guest() }.build(),
            Nonsense,
        ),
        (
            "a handle that was never given",
            Guest {
                imports: READ,
                deliver: &then("(call $read (i32.const 77) (i32.const 1) (i32.const 3000))"),
                ..guest()
            }
            .build(),
            Nonsense,
        ),
        (
            "a handle that is dropped twice",
            Guest { imports: DROP, deliver: &then("(call $drop (i32.const 1)) (call $drop (i32.const 1))"), ..guest() }
                .build(),
            Nonsense,
        ),
    ]
}

#[tokio::test]
async fn rows_23_to_28_each_violation_is_a_crash_of_its_kind_and_the_next_call_works() {
    let fixture = SandboxFixture::new();
    let limits = PluginLimits { deadline_ms: 2000, host_calls: 10_000, ..PluginLimits::default() };
    let valid = fixture.sandbox.admit(&Guest::default().build()).await.expect("admitted");
    let valid = fixture.plugin(&valid, limits, Vec::new(), 9);
    let (mut wrong, batch) = (Vec::new(), [delivery("a@x"), delivery("b@x")]);
    for (name, file, expected) in misbehaving_components() {
        let admitted = fixture.sandbox.admit(&file).await.expect(name);
        let report = fixture.plugin(&admitted, limits, Vec::new(), 9).deliver(&requests(&batch)).await;
        let (kind, detail) = crash_of(&report);
        if kind != expected || report.outcomes.len() != 2 {
            wrong.push(format!("{name}: expected {expected:?}, got {kind:?} ({detail})"));
        }
        assert_eq!(valid.deliver(&requests(&batch)).await.crash, None, "after {name}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_function_may_have_several_results() {
    let fixture = SandboxFixture::new();
    let two = "(func $two (result i32 i32) (i32.const 1) (i32.const 2))";
    let deliver = "(call $two) drop drop (call $answer (local.get $count))";
    let admitted = fixture.sandbox.admit(&Guest { fields: two, deliver, ..Guest::default() }.build()).await;
    let plugin = fixture.plugin(&admitted.expect("admitted"), PluginLimits::default(), Vec::new(), 9);
    let report = plugin.deliver(&requests(&[delivery("a@x")])).await;
    assert_eq!(report.outcomes, [Outcome::Delivered { receipt: None }]);
}

/// A component with these fields that exports an instance under the plugin's name.
fn shell(fields: &str) -> Vec<u8> {
    let export = r#"(instance $i) (export "tidings:channel/plugin@1.0.0" (instance $i))"#;
    wat::parse_str(format!("(component {fields} {export})")).expect("component text")
}

#[tokio::test]
async fn row_37_features_that_are_not_offered_are_refused_at_admission() {
    let fixture = SandboxFixture::new();
    let mut wrong = Vec::new();
    for (name, module) in [
        ("two memories", "(memory 1) (memory 1)"),
        ("memory of 64 bits", "(memory i64 1)"),
        ("shared memory", "(memory 1 2 shared)"),
        ("garbage-collected objects", "(type (struct (field i32)))"),
        ("exceptions", "(tag)"),
        ("relaxed SIMD", "(func (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0)))"),
        ("continuations", "(type $f (func)) (type (cont $f))"),
        ("small pages", "(memory 1 (pagesize 1))"),
        (
            "wide arithmetic",
            "(func (param i64 i64 i64 i64) (result i64 i64)
            (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))",
        ),
    ] {
        match fixture.sandbox.admit(&shell(&format!("(core module {module})"))).await.err() {
            Some(AdmissionError::Compile(_)) => {}
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn row_25_a_component_of_very_many_instances_is_refused() {
    let fixture = SandboxFixture::new();
    for count in [limits::CORE_INSTANCES as usize + 20, 1000, 10_000] {
        let modules = format!("(core module $m) {}", "(core instance (instantiate $m))".repeat(count));
        let error = fixture.sandbox.admit(&shell(&modules)).await.err().expect("refused").to_string();
        assert!(error.contains("instances"), "{count}: {error}");
    }
}
