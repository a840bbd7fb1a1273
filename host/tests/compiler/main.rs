//! Components that are made to hurt anyone who compiles them, compiled by the program's own child. Row 37.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tidings_sandbox::{AdmissionError, CompileError, CompileLimits, Compiler, Sandbox, SandboxOptions};

/// A sandbox that compiles as the daemon does.
fn sandbox(limits: CompileLimits) -> (Sandbox, TempDir) {
    let place = tempfile::tempdir().expect("a directory");
    let program = env!("CARGO_BIN_EXE_tidings").into();
    let options = SandboxOptions {
        cache_dir: place.path().join("code"),
        tls_ca_file: None,
        max_instances: 2,
        compiler: Compiler::Child { program, arguments: vec!["compile-component".into()], limits },
    };
    (Sandbox::new(options).expect("a sandbox"), place)
}

fn email() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/plugins/email.wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}); run `cargo xtask build-plugins` first", path.display())
    })
}

/// A component within all limits of parsing that claims to be a plugin, with these core functions in it.
fn component(functions: &str) -> Vec<u8> {
    let exports = r#"(instance $i) (export "tidings:channel/plugin@1.0.0" (instance $i))"#;
    wat::parse_str(format!("(component (core module {functions}) {exports})")).expect("component text")
}

/// `count` copies of one function in which each of the `locals` has a value of its own at each of the `loops`, one within
/// the other: as many values as the product of both, of a few bytes each in the file.
fn tangle(count: usize, locals: usize, loops: usize) -> Vec<u8> {
    let mut one = format!("(func (param i32) (local {})", "i32 ".repeat(locals));
    one.push_str(&"loop ".repeat(loops));
    for local in 1..=locals {
        let _ = write!(one, "(local.set {local} (i32.add (local.get {local}) (local.get 0)))");
    }
    one.push_str(&"(br_if 0 (local.get 0)) end ".repeat(loops));
    one.push(')');
    component(&one.repeat(count))
}

/// This process's memory that is in use, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}

/// Tests take turns: they measure this process.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn what_the_child_compiles_runs_here() {
    let _turn = ALONE.lock().await;
    let (sandbox, place) = sandbox(CompileLimits::default());
    let admitted = sandbox.admit(&email()).await.expect("admitted");
    assert_eq!(admitted.manifest().name, "email");
    let kept: Vec<_> = std::fs::read_dir(place.path().join("code")).expect("readable").collect();
    assert_eq!(kept.len(), 1, "the code is kept, and nothing else");
}

#[tokio::test]
async fn a_component_that_does_not_compile_is_told_from_one_that_is_too_dear() {
    let _turn = ALONE.lock().await;
    let (sandbox, _place) = sandbox(CompileLimits::default());
    // Well formed for anyone who does not look at types.
    let mut file = component("(func (result i32) (i32.const 1))");
    let body = file.windows(3).rposition(|bytes| bytes == [0x41, 0x01, 0x0b]).expect("the function's code");
    file[body] = 0x42;
    let error = sandbox.admit(&file).await.err().expect("it is refused");
    assert!(matches!(&error, AdmissionError::Compile(CompileError::Refused(_))), "{error:?}");
    assert!(error.to_string().contains("type mismatch"), "{error}");
}

#[tokio::test]
async fn row_37_a_compile_bomb_ends_in_its_outcome_and_others_go_on_meanwhile() {
    let _turn = ALONE.lock().await;
    let limits = CompileLimits { cpu_seconds: 3, ..CompileLimits::default() };
    let (sandbox, _place) = sandbox(limits);
    sandbox.admit(&email()).await.expect("admitted, and its code is kept");
    let bomb = tangle(2_000, 200, 20);
    let before = resident();
    let admission = tokio::spawn({
        let (sandbox, bomb) = (sandbox.clone(), bomb.clone());
        async move { sandbox.admit(&bomb).await.map(|_| ()) }
    });
    while !admission.is_finished() {
        sandbox.admit(&email()).await.expect("another call proceeds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let error = admission.await.expect("no panic").expect_err("it takes too long");
    assert_eq!(error, AdmissionError::Compile(CompileError::Time(3, "of processor time")));
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 << 20, "the compiler's memory is not this process's: {grown} bytes more");
}

#[tokio::test]
async fn row_37_a_component_that_takes_too_much_memory_to_compile_is_refused() {
    let _turn = ALONE.lock().await;
    let (sandbox, _place) = sandbox(CompileLimits { memory_bytes: 128 << 20, ..CompileLimits::default() });
    let bomb = tangle(1, 10_000, 300);
    let before = resident();
    let error = sandbox.admit(&bomb).await.err().expect("it takes too much");
    assert_eq!(error, AdmissionError::Compile(CompileError::Memory(128 << 20)));
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn code_that_is_larger_than_it_may_be_is_refused() {
    let _turn = ALONE.lock().await;
    let (sandbox, _place) = sandbox(CompileLimits { code_bytes: 4096, ..CompileLimits::default() });
    let error = sandbox.admit(&email()).await.err().expect("it is larger");
    assert_eq!(error, AdmissionError::Compile(CompileError::Size(4096)));
}
