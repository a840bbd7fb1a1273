//! The daemon, and the commands that talk to it.

use std::net::TcpListener;
use std::process::Child;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::*;

/// An address for the daemon, on which nothing listens. Its port is below those that the kernel assigns, so no other
/// program gets it before the daemon binds it.
fn free_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).expect("it is below the modulus");
    loop {
        let address = format!("127.0.0.1:{}", 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// A running daemon with a token for it.
struct Daemon {
    process: Child,
    home: Home,
    url: String,
    token: String,
}

impl Daemon {
    fn start() -> Daemon {
        let address = free_address();
        let home = Home::new(&format!("[api]\nlisten = \"{address}\"\n"));
        let token = stdout(&home.run(&["token", "create", "test"])).trim_end().to_owned();
        let config = home.dir.path().join("tidings.toml");
        let mut serve = command(&["serve", "--config", config.to_str().expect("it is text")]);
        let process = serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        let daemon = Daemon { process, home, url: format!("http://{address}"), token };
        let end = Instant::now() + Duration::from_secs(60);
        while !daemon.ask(&["status"]).status.success() {
            assert!(Instant::now() < end, "the daemon does not answer: {}", stderr(&daemon.ask(&["status"])));
            std::thread::sleep(Duration::from_millis(50));
        }
        daemon
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        run(&[arguments, &["--url", &self.url, "--token", &self.token]].concat(), "")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ask(&[arguments, &["--json"]].concat());
        serde_json::from_str(&stdout(&output)).expect("JSON")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn commands_for_the_daemon_say_so_when_it_does_not_run() {
    // Bound, but not listening: connections are refused, and no other program gets the port.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let url = format!("http://{}", socket.local_addr().expect("it is bound"));
    for arguments in
        [&["status"][..], &["books"], &["channel", "list"], &["deliveries", "list"], &["subscription", "list"]]
    {
        let output = run(&[arguments, &["--url", &url]].concat(), "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let expected = format!("cannot reach the daemon at {url}: is it running?");
        assert!(stderr(&output).contains(&expected), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_running_daemon_is_administered_from_the_command_line() {
    let daemon = Daemon::start();
    assert_eq!(daemon.json(&["status"])["messages"]["received"], 0);
    let none = json!({ "data": [], "next": null });
    for list in [&["books"][..], &["channel", "list"], &["deliveries", "list", "--state", "dead"]] {
        assert_eq!(daemon.json(list), none, "{list:?}");
    }
    assert_eq!(daemon.json(&["deliveries", "retry", "--all"]), json!({ "retried": 0 }));
    for (arguments, detail) in [
        (&["channel", "show", "email"][..], "no channel named email"),
        (&["channel", "install", "email", "/etc/hostname"], "not WebAssembly"),
        (&["subscription", "show", "ralph", "email"], "no subscription named ralph/email"),
    ] {
        let output = daemon.ask(arguments);
        assert_eq!((output.status.code(), stderr(&output).contains(detail)), (Some(1), true), "{}", stderr(&output));
    }

    let without_token = run(&["status", "--url", &daemon.url], "");
    assert_eq!(without_token.status.code(), Some(1));
    assert!(stderr(&without_token).contains("tidings token create"), "{}", stderr(&without_token));

    let replay = daemon.home.run(&["replay", "/dev/null"]);
    assert_eq!(replay.status.code(), Some(1));
    assert!(stderr(&replay).contains("another daemon uses the database"), "{}", stderr(&replay));
}

#[test]
fn load_stores_the_valid_subscriptions_and_names_the_invalid_lines() {
    let daemon = Daemon::start();
    let good = json!({ "user": "ralph", "channel": "email", "addresses": ["r@a"], "filters": [
        { "name": "builds", "rules": [{ "rule": "koji_build_failed" }] }] });
    let bad =
        json!({ "user": "lena", "channel": "email", "filters": [{ "name": "f", "rules": [{ "rule": "nope" }] }] });
    let other = json!({ "user": "a/b c", "channel": "irc" });
    let file = write(daemon.home.dir.path(), "all.jsonl", &format!("{good}\n{bad}\n\nnot JSON\n{other}\n"));
    let output = daemon.ask(&["subscription", "load", &file, "--json"]);
    assert_eq!(output.status.code(), Some(1), "two lines are refused");
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).expect("JSON"), json!({ "stored": 2, "refused": 2 }));
    let errors = stderr(&output);
    assert!(errors.contains("all.jsonl, line 2") && errors.contains("nope"), "{errors}");
    assert!(errors.contains("all.jsonl, line 4: expected"), "{errors}");

    let users = |list: Value| {
        let rows = list["data"].as_array().expect("a list").iter();
        rows.map(|one| one["user"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(users(daemon.json(&["subscription", "list"])), ["a/b c", "ralph"]);
    assert_eq!(users(daemon.json(&["subscription", "list", "--user", "ralph"])), ["ralph"]);
    assert_eq!(daemon.json(&["subscription", "show", "a/b c", "irc"])["channel"], "irc");
    assert!(daemon.ask(&["subscription", "delete", "a/b c", "irc"]).status.success());
    assert_eq!(users(daemon.json(&["subscription", "list"])), ["ralph"]);
}

#[test]
fn a_plugin_is_installed_by_the_daemons_own_compiler_and_shown_in_plain_words_and_its_key_is_not_replaced_meanwhile() {
    let plugin = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/plugins/email.wasm");
    assert!(std::fs::exists(plugin).expect("readable"), "run `cargo xtask build-plugins` first");
    let daemon = Daemon::start();
    let installed = stdout(&daemon.ask(&["channel", "install", "email", plugin]));
    assert!(
        installed.contains("asks to open connections, encrypted or not, to the host in the setting"),
        "{installed}"
    );
    assert!(installed.contains("may reach nothing on the network"), "{installed}");
    let busy = daemon.home.run(&["secrets", "rotate"]);
    assert_eq!(
        (busy.status.code(), stderr(&busy).contains("another daemon uses")),
        (Some(1), true),
        "{}",
        stderr(&busy)
    );
}
