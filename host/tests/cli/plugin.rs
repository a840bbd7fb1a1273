//! From nothing to a component that keeps the contract, with an author's commands.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TIDINGS: &str = env!("CARGO_BIN_EXE_tidings");

/// Shared by runs, so that only the first compiles what a plugin depends on, and the same component once.
fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn ended(program: &str, arguments: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir).env("TIDINGS", TIDINGS);
    command.env("CARGO_TARGET_DIR", shared("author")).env("XDG_CACHE_HOME", shared("cache"));
    command.output().unwrap_or_else(|error| panic!("{program} does not start: {error}"))
}

fn said(ended: &Output) -> String {
    String::from_utf8_lossy(&[&ended.stdout[..], &ended.stderr].concat()).into_owned()
}

/// What it said when all went well.
fn good(program: &str, arguments: &[&str], dir: &Path) -> String {
    let ended = ended(program, arguments, dir);
    let said = said(&ended);
    assert!(ended.status.success(), "{program} {arguments:?}: {said}");
    said
}

#[test]
fn a_new_plugin_in_rust_passes_its_tests_builds_and_keeps_the_contract() {
    let place = tempfile::tempdir().expect("a directory");
    let project = place.path().join("bell");
    good(TIDINGS, &["plugin", "new", "bell"], place.path());
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    assert!(good(&cargo, &["test"], &project).contains("3 passed"), "the template's own tests");
    let tidings = |arguments: &[&str]| good(TIDINGS, &[&["plugin"], arguments].concat(), &project);
    tidings(&["build"]);
    assert!(tidings(&["check"]).contains("bell 0.1.0"));
    assert!(tidings(&["test"]).contains(" 0 failed"));
    let out = tidings(&["run"]);
    assert!(out.contains("delivered: HTTP 200") && out.contains("Built by: ralph\nhttps://"), "{out}");
    assert!(tidings(&["package", "--json"]).contains("bell-0.1.0.wasm\""));
    let ignored = good(&cargo, &["test", "--", "--ignored"], &project);
    assert!(ignored.contains("1 passed"), "the component as a test of the project: {ignored}");
}

/// They are built with tools from the network, which the samples are (`cargo xtask build-samples`); what `new` changes in
/// them is looked at here.
#[test]
fn a_new_plugin_in_another_language_has_the_authors_name_and_passes_its_tests() {
    for (lang, named, test) in
        [("python", "app.py", &["python3", "-m", "unittest"][..]), ("js", "package.json", &["node", "--test"])]
    {
        let place = tempfile::tempdir().expect("a directory");
        let project = place.path().join("bell");
        good(TIDINGS, &["plugin", "new", "bell", "--lang", lang], place.path());
        let content = std::fs::read_to_string(project.join(named)).expect(named);
        assert!(content.contains("\"bell\"") && !content.contains("\"pager\""), "{lang}: {content}");
        assert!(project.join("wit/channel.wit").is_file(), "{lang} has the contract");
        let Ok(_) = Command::new(test[0]).arg("--version").output() else {
            eprintln!("skipped: there is no {}; `cargo xtask setup` installs it", test[0]);
            continue;
        };
        good(test[0], &test[1..], &project);
    }
}

#[test]
fn what_is_there_is_not_overwritten_and_bad_names_are_refused() {
    let place = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(place.path().join("bell")).expect("made");
    std::fs::write(place.path().join("bell/mine"), "mine").expect("written");
    for (name, why) in [
        ("bell", "exists and is not empty"),
        ("Bell", "is invalid"),
        ("core", "cannot be the name of a crate"),
        ("tidings-plugin", "cannot be the name of a crate"),
    ] {
        let ended = ended(TIDINGS, &["plugin", "new", name], place.path());
        assert!(!ended.status.success() && said(&ended).contains(why), "{name}: {}", said(&ended));
    }
    let left: Vec<_> = std::fs::read_dir(place.path()).expect("there").collect();
    assert_eq!(left.len(), 1, "nothing was begun");
}
