//! From nothing to a component that keeps the contract, with an author's commands.

use std::process::Command;

#[test]
fn a_new_plugin_in_rust_passes_its_tests_builds_and_keeps_the_contract() {
    let place = tempfile::tempdir().expect("a directory");
    let project = place.path().join("bell");
    // Shared by runs, so that only the first compiles what it depends on.
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/author");
    let run = |program: &str, arguments: &[&str]| {
        let dir = if project.exists() { &project } else { place.path() };
        let ended = Command::new(program).args(arguments).current_dir(dir).env("CARGO_TARGET_DIR", target).output();
        let ended = ended.expect("it starts");
        let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        assert!(ended.status.success(), "{program} {arguments:?}: {said}");
        said
    };
    let tidings = env!("CARGO_BIN_EXE_tidings");
    run(tidings, &["plugin", "new", "bell"]);
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    assert!(run(&cargo, &["test"]).contains("3 passed"), "the template's own tests");
    run(tidings, &["plugin", "build"]);
    assert!(run(tidings, &["plugin", "check"]).contains("bell 0.1.0"));
    assert!(run(tidings, &["plugin", "test"]).contains(" 0 failed"));
    assert!(run(tidings, &["plugin", "run"]).contains("delivered: HTTP 200"));
    assert!(run(tidings, &["plugin", "package"]).contains("bell-0.1.0.wasm"));
    let again = Command::new(tidings).args(["plugin", "new", "bell"]).current_dir(place.path()).output();
    assert!(!again.expect("it starts").status.success(), "what is there is not overwritten");
}
