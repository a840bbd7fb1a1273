//! A shell stands in for the compiling child and fails in each way that a compiler can.

use wasmtime::Engine;

use super::*;

async fn child(program: &str, script: &str) -> Result<Vec<u8>, CompileError> {
    within(Duration::from_secs(60), program, script).await
}

async fn within(time: Duration, program: &str, script: &str) -> Result<Vec<u8>, CompileError> {
    let directory = tempfile::tempdir().expect("a directory");
    let cache = Arc::new(CodeCache::open(directory.path(), &Engine::default()).expect("opened"));
    let compiler = Compiler::Child {
        program: program.into(),
        arguments: ["-c", script].map(OsString::from).into(),
        limits: CompileLimits { cpu_seconds: 7, code_bytes: 1 << 20, time, memory_bytes: 1 << 20 },
    };
    let outcome = compiler.compile(&cache, b"the component".as_slice().into()).await;
    assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0, "no file remains");
    outcome
}

#[tokio::test]
async fn each_way_in_which_a_child_fails_has_its_error() {
    for (script, expected) in [
        ("echo >&2 'type mismatch at 5'; exit 65", "the component does not compile: type mismatch at 5"),
        ("kill -XCPU $$", "takes too long: more than 7 s of processor time"),
        ("kill -XFSZ $$", "compiled code has more than 1 MiB"),
        ("kill -KILL $$", "takes more than 1 MiB of memory"),
        ("echo >&2 'memory allocation of 99 bytes failed'; kill -ABRT $$", "takes more than 1 MiB of memory"),
        ("kill -SEGV $$", "the compiler crashed on the component: signal: 11"),
        ("echo >&2 no idea; exit 3", "the compiler crashed on the component: exit status: 3; standard error: no idea"),
        ("yes no idea | head -c 100000 >&2; exit 3", "standard error: no idea"),
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
async fn a_missing_compiler_is_not_a_fault_of_the_component() {
    let error = child("/nonexistent/compiler", "").await.expect_err("nothing to run");
    assert!(matches!(&error, CompileError::Unavailable(text) if text.contains("/nonexistent/compiler")), "{error}");
}

#[tokio::test]
async fn a_child_gets_the_component_and_nothing_else_of_the_daemon() {
    let output = child("/bin/sh", "cat; echo; pwd; exec /usr/bin/env").await.expect("it ends well");
    let output = String::from_utf8(output).expect("text");
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[..2], ["the component", "/"]);
    let of_the_shell = |line: &&str| ["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|name| line.starts_with(name));
    assert!(lines[2..].iter().all(of_the_shell), "{output}");
}

#[tokio::test]
async fn output_beyond_the_limit_is_not_read() {
    let output = child("/bin/sh", "head -c 3000000 /dev/zero").await.expect("it ends well");
    assert_eq!(output.len(), 1 << 20);
}
