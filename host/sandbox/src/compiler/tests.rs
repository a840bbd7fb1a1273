//! Children that do what compilers do when they fail, without a compiler: a shell.

use super::*;
use wasmtime::Engine;

async fn child(program: &str, script: &str) -> Result<Vec<u8>, CompileError> {
    within(Duration::from_secs(60), program, script).await
}

async fn within(time: Duration, program: &str, script: &str) -> Result<Vec<u8>, CompileError> {
    let place = tempfile::tempdir().expect("a directory");
    let cache = Arc::new(CodeCache::open(place.path(), &Engine::default()).expect("opened"));
    let compiler = Compiler::Child {
        program: program.into(),
        arguments: ["-c", script].map(OsString::from).into(),
        limits: CompileLimits { cpu_seconds: 7, code_bytes: 1 << 20, time, memory_bytes: 1 << 20 },
    };
    let outcome = compiler.compile(&cache, b"the component".as_slice().into()).await;
    assert_eq!(std::fs::read_dir(place.path()).expect("readable").count(), 0, "nothing is left behind");
    outcome
}

#[tokio::test]
async fn what_a_child_dies_of_is_told_in_words() {
    for (script, expected) in [
        ("echo >&2 'type mismatch at 5'; exit 65", "the component does not compile: type mismatch at 5"),
        ("kill -XCPU $$", "takes too long: more than 7 s of processor time"),
        ("kill -XFSZ $$", "compiled code has more than 1 MiB"),
        ("kill -KILL $$", "takes more than 1 MiB of memory"),
        ("echo >&2 'memory allocation of 99 bytes failed'; kill -ABRT $$", "takes more than 1 MiB of memory"),
        ("kill -SEGV $$", "the compiler crashed on the component: signal: 11"),
        ("echo >&2 no idea; exit 3", "the compiler crashed on the component: exit status: 3; it said: no idea"),
        ("yes no idea | head -c 100000 >&2; exit 3", "it said: no idea"),
    ] {
        let error = child("/bin/sh", script).await.expect_err(script).to_string();
        assert!(error.contains(expected), "{script}: {error}");
    }
}

#[tokio::test]
async fn a_child_that_never_ends_is_killed() {
    let error = within(Duration::from_secs(1), "/bin/sh", "exec sleep 1000").await.expect_err("it does not end");
    assert_eq!(error, CompileError::Time(1, "in all"));
}

#[tokio::test]
async fn a_compiler_that_is_not_there_is_no_fault_of_the_component() {
    let error = child("/nonexistent/compiler", "").await.expect_err("nothing to run");
    assert!(matches!(&error, CompileError::Unavailable(text) if text.contains("/nonexistent/compiler")), "{error}");
}

#[tokio::test]
async fn a_child_reads_the_component_and_sees_nothing_of_the_daemon() {
    let told = child("/bin/sh", "cat; echo; pwd; exec /usr/bin/env").await.expect("it ends well");
    let told = String::from_utf8(told).expect("text");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["the component", "/"]);
    let of_the_shell = |line: &&str| ["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|name| line.starts_with(name));
    assert!(lines[2..].iter().all(of_the_shell), "{told}");
}

#[tokio::test]
async fn more_than_a_child_may_write_is_not_read() {
    let told = child("/bin/sh", "head -c 3000000 /dev/zero").await.expect("it ends well");
    assert_eq!(told.len(), 1 << 20);
}
