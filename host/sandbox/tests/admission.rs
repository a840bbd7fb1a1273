//! Which components are admitted, and the error text for those that are not.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use std::collections::HashSet;

use common::guest::{component, plugin};
use common::{SandboxFixture, built, delivery, requests};
use tidings_domain::limits::{COMPONENT_BYTES, PluginLimits};
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::limits;
use tidings_sandbox::{AdmissionError, CompileError};

const ALL_DELIVERED: &str = "(call $answer (local.get $count))";

/// A component of text with the given imports and exports.
fn shell(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {fields})")).expect("component text")
}

#[tokio::test]
async fn the_plugins_of_this_repository_are_admitted() {
    let fixture = SandboxFixture::new();
    for name in ["email", "hostile"] {
        let file = built(&format!("{name}.wasm"));
        let admitted = fixture.sandbox.admit(&file).await.expect(name);
        assert_eq!(admitted.manifest().name, name);
        assert_eq!(admitted.digest().len(), 64);
        assert!(admitted.imports().contains(&"net".to_owned()), "{:?}", admitted.imports());
        let again = fixture.without_compiler().admit(&file).await.expect("from the cache");
        assert_eq!((again.digest(), again.manifest()), (admitted.digest(), admitted.manifest()));
    }
    assert_eq!(fixture.cached(), 2);
    fixture.sandbox.keep_only(HashSet::new()).await;
    assert_eq!(fixture.cached(), 0);
    let error = fixture.without_compiler().admit(&built("email.wasm")).await.err();
    assert!(matches!(&error, Some(AdmissionError::Compile(CompileError::Unavailable(_)))), "{error:?}");
}

#[tokio::test]
async fn row_37_an_invalid_file_is_refused_before_it_is_compiled() {
    let fixture = SandboxFixture::new();
    let valid = plugin("", ALL_DELIVERED);
    let nested = |levels| (0..levels).fold(String::new(), |inner, _| format!("(component {inner})"));
    let types = "(type string)".repeat(limits::COMPONENT_TYPES as usize + 1);
    let functions = "(func)".repeat(limits::COMPONENT_FUNCTIONS as usize + 1);
    let parts = format!("(core module (type (func (param {}))))", "i32 ".repeat(limits::COMPONENT_TYPE_BYTES as usize));
    let items = "(global i32 (i32.const 0))".repeat(limits::COMPONENT_ITEMS as usize + 1);
    let long = format!("(func {})", "nop ".repeat(limits::FUNCTION_BYTES + 1));
    for (file, expected) in [
        (b"".to_vec(), "is not WebAssembly"),
        (b"PK\x03\x04zip".to_vec(), "is not WebAssembly"),
        (vec![0; COMPONENT_BYTES + 1], "a component has at most 67108864"),
        (wat::parse_str("(module)").expect("text"), "is a core WebAssembly module"),
        (valid[..valid.len() / 2].to_vec(), "is damaged"),
        ([&valid[..], b"\xff\xff"].concat(), "is damaged"),
        (b"\0asm".to_vec(), "is damaged"),
        (shell(&nested(4)), "too many levels"),
        (shell(&types), "too many types"),
        (shell(&parts), "too many bytes of types"),
        (shell(&format!("(core module {items})")), "too many imports, exports, instances and other items"),
        (shell(&format!("(core module {functions})")), "too many functions"),
        (shell(&format!("(core module {long})")), "a function of too many bytes"),
        (shell(&"(core module)".repeat(201)), "too many modules"),
    ] {
        let error = fixture.sandbox.admit(&file).await.err().expect(expected).to_string();
        assert!(error.contains(expected), "expected `{expected}`, got `{error}`");
    }
}

#[tokio::test]
async fn row_36_another_contract_is_refused_with_the_reason() {
    let fixture = SandboxFixture::new();
    let instance = |name: &str| shell(&format!(r#"(import "{name}" (instance))"#));
    let exporting = |name: &str| shell(&format!(r#"(instance $i) (export "{name}" (instance $i))"#));
    for (file, expected) in [
        (
            exporting("tidings:channel/plugin@2.0.0"),
            "built for tidings:channel@2.0.0; this version of Tidings serves tidings:channel@1.0.0",
        ),
        (instance("tidings:channel/net@1.1.0"), "built for tidings:channel@1.1.0"),
        (
            instance("tidings:channel/telepathy@1.0.0"),
            "imports `tidings:channel/telepathy@1.0.0`, which Tidings does not",
        ),
        (instance("wasi:http/outgoing-handler@0.2.6"), "imports `wasi:http/outgoing-handler@0.2.6`, a part of WASI"),
        (instance("wasi:cli/environment@0.3.0"), "imports `wasi:cli/environment@0.3.0`, a part of WASI"),
        (instance("evil:thing/x"), "imports `evil:thing/x`, which Tidings does not offer"),
        (shell(r#"(import "f" (func))"#), "imports `f`, which"),
        (shell(""), "does not export `tidings:channel/plugin@1.0.0`, so it is not a channel plugin"),
        (exporting("other:thing/plugin@1.0.0"), "it is not a channel plugin"),
        (exporting("tidings:channel/plugin@1.0.0"), "does not fit the contract"),
    ] {
        let error = fixture.sandbox.admit(&file).await.err().expect(expected).to_string();
        assert!(error.contains(expected), "expected `{expected}`, got `{error}`");
    }
}

#[tokio::test]
async fn a_plugin_whose_describe_fails_is_refused() {
    let fixture = SandboxFixture::new();
    let describe = |body: &str| {
        component(&format!(
            r#"(module (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "tidings:channel/plugin@1.0.0#describe") (result i32) {body})
                (func (export "tidings:channel/plugin@1.0.0#check-address") (param i32 i32) (result i32) unreachable)
                (func (export "tidings:channel/plugin@1.0.0#deliver") (param i32 i32) (result i32) unreachable))"#
        ))
    };
    for (body, kind) in [
        ("unreachable", CrashKind::Trap),
        ("(loop (br 0)) unreachable", CrashKind::Timeout),
        ("(drop (i32.load (i32.const 999999))) unreachable", CrashKind::Trap),
        ("(i32.const 65534)", CrashKind::Nonsense),
    ] {
        match fixture.sandbox.admit(&describe(body)).await.err() {
            Some(AdmissionError::Describe { kind: found, .. }) => assert_eq!(found, kind, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    let empty = fixture.sandbox.admit(&describe("(i32.const 0)")).await.err();
    assert!(matches!(empty, Some(AdmissionError::Manifest(_))), "{empty:?}");
    assert_eq!(fixture.cached(), 0, "a refused file leaves nothing in the cache");
}

#[tokio::test]
async fn a_plugin_written_by_hand_delivers() {
    let fixture = SandboxFixture::new();
    let admitted = fixture.sandbox.admit(&plugin("", ALL_DELIVERED)).await.expect("admitted");
    let plugin = fixture.plugin(&admitted, PluginLimits::default(), Vec::new(), 9);
    let report = plugin.deliver(&requests(&[delivery("a@x"), delivery("b@x")])).await;
    assert_eq!(report.crash, None);
    assert_eq!(report.outcomes, vec![Outcome::Delivered { receipt: None }; 2]);
}

#[tokio::test]
async fn calls_wait_for_a_free_instance() {
    let fixture = SandboxFixture::with(1, None);
    let admitted = fixture.sandbox.admit(&plugin("", ALL_DELIVERED)).await.expect("admitted");
    let plugin = fixture.plugin(&admitted, PluginLimits::default(), Vec::new(), 9);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.deliver(&requests(&[delivery("a@x")])).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("ended").outcomes, [Outcome::Delivered { receipt: None }]);
    }
}
