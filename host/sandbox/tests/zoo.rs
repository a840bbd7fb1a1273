//! More of the hostile plugin: floods of each host function, misdeeds two at a time, and far sides that misbehave in its
//! stead. What each must come to is in docs/hostile-zoo.md. Row numbers are those of the list of failures.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::net::{Peer, counted, peer};
use common::{MIB, Place, crash_of, delivery, far, grant, parcels, rejected};
use tidings_domain::grant::Grant;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::limits;
use tidings_sandbox::{CallReport, Plugin, Resolver};
use tokio::sync::watch;
use tokio::time::timeout;

async fn once(plugin: &Plugin, behaviour: &str) -> CallReport {
    plugin.deliver(&parcels(&[delivery(behaviour)])).await
}

/// Delivers to a good address: whatever was done before has hurt nobody.
async fn still_good(plugin: &Plugin, after: &str) {
    let report = once(plugin, "ok@x").await;
    assert_eq!((report.crash, report.outcomes), (None, vec![Outcome::Delivered { receipt: None }]), "after {after}");
}

#[tokio::test]
async fn row_26_a_flood_of_any_host_function_ends_at_the_quota() {
    let place = Place::new();
    let limits = PluginLimits { host_calls: 500, ..far() };
    let plugin = place.plugin(&place.hostile().await, limits, Vec::new(), 9);
    for step in [
        "clock",
        "random",
        "state-read",
        "state-write",
        "inbox",
        "stream",
        "config",
        "settle",
        "log",
        "connect",
        "http",
    ] {
        let behaviour = if step == "log" { "log-flood".to_owned() } else { format!("{step}-flood") };
        // `clock-flood` and `log-flood` ask for the time and write lines; `connect` and `http` are refused each time.
        let report = once(&plugin, &format!("{behaviour}@x")).await;
        let settled = Outcome::Delivered { receipt: None };
        assert_eq!(crash_of(&report), (CrashKind::HostCalls, "more than 500 host calls"), "{step}");
        assert_eq!(report.stats.host_calls, 501, "{step}");
        assert_eq!(report.outcomes[0] == settled, step == "settle", "{step}: {:?}", report.outcomes);
        assert_eq!(report.stats.egress_denials > 100, matches!(step, "connect" | "http"), "{step}");
        still_good(&plugin, step).await;
    }
    let refusals = place.host.lines.lock().expect("a lock").iter().filter(|line| line.starts_with("refused: ")).count();
    assert_eq!(refusals, 2, "one line for each call that was refused something, not one for each refusal");
}

/// What can be done without end, with the limit that ends it.
const STEPS: &[(&str, CrashKind)] = &[
    ("spin", CrashKind::Timeout),
    ("memory", CrashKind::Memory),
    ("recurse", CrashKind::Trap),
    ("log", CrashKind::HostCalls),
    ("state-write", CrashKind::HostCalls),
    ("random", CrashKind::HostCalls),
    ("settle", CrashKind::HostCalls),
    ("connect", CrashKind::HostCalls),
    ("http", CrashKind::HostCalls),
];

#[tokio::test]
async fn two_misdeeds_at_a_time_end_in_the_outcome_of_one_of_them() {
    let port = peer(Peer::Silent).await;
    let place = Place::new();
    let hostile = place.hostile().await;
    let grants = vec![grant(Capability::Net, port, true, false)];
    for (place_of_one, (one, first)) in STEPS.iter().enumerate() {
        for (two, second) in &STEPS[place_of_one + 1..] {
            // The deadline is near only where a misdeed is to meet it: elsewhere a slow machine would.
            let deadline_ms = if *one == "spin" { 300 } else { 60_000 };
            let limits = PluginLimits {
                deadline_ms,
                memory_bytes: 16 * MIB,
                host_calls: 1000,
                log_lines: 10,
                connections: 4,
                state_keys: 5,
                ..far()
            };
            let plugin = place.plugin(&hostile, limits, grants.clone(), port);
            let both = format!("{one}+{two}");
            let report = once(&plugin, &format!("{both}@x")).await;
            let (kind, detail) = crash_of(&report);
            assert!([*first, *second].contains(&kind), "{both}: {kind:?} {detail}");
            assert!(report.stats.host_calls <= 1001 && report.stats.log_lines <= 10, "{both}: {:?}", report.stats);
            assert!(report.stats.peak_memory_bytes <= 16 * MIB, "{both}: {:?}", report.stats);
            still_good(&place.plugin(&hostile, far(), Vec::new(), 9), &both).await;
        }
    }
}

#[tokio::test]
async fn row_27_a_huge_command_for_the_inbox_is_cut_or_ends_the_call() {
    let place = Place::new();
    let hostile = place.hostile().await;
    let roomy = once(&place.plugin(&hostile, far(), Vec::new(), 9), "inbox-huge@x").await;
    let said = format!("[{}] bytes came back", "you said ".len() + limits::INBOX_CHARS);
    assert_eq!(rejected(&roomy), said);
    let narrow = PluginLimits { hostcall_bytes: MIB, ..far() };
    let narrow = once(&place.plugin(&hostile, narrow, Vec::new(), 9), "inbox-huge@x").await;
    assert_eq!(crash_of(&narrow).0, CrashKind::HostCalls);
}

#[tokio::test]
async fn row_28_connections_that_are_never_closed_are_closed_with_the_call() {
    let (port, open) = counted().await;
    let place = Place::new();
    let limits = PluginLimits { connections: 3, ..far() };
    let grants = vec![grant(Capability::Net, port, true, false)];
    let plugin = place.plugin(&place.hostile().await, limits, grants, port);
    for round in 0..20 {
        let report = once(&plugin, "leak@x").await;
        let said = rejected(&report);
        assert!(said.starts_with("3 forgotten, then") && said.contains("more than 3 connections"), "{round}: {said}");
        // The far side sees the end of each; how soon is the machine's to say.
        let all_closed = async {
            while open.now() > 0 || open.ever() < 3 * (round + 1) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(30), all_closed).await.expect("they are closed while the plugin is alive");
        assert_eq!(open.ever(), 3 * (round + 1));
    }
}

#[tokio::test]
async fn a_slow_nameserver_takes_only_its_own_channels_threads() {
    let names = Arc::new(Dawdler::default());
    let place = Place::resolving(Arc::clone(&names) as Arc<dyn Resolver>);
    let hostile = place.hostile().await;
    let to = |host: &str| vec![Grant { host: host.to_owned(), ..grant(Capability::Net, 9, true, false) }];
    let limits = PluginLimits { deadline_ms: 1000, ..far() };
    let slow = place.plugin(&hostile, limits, to("slow.example.org"), 9);
    for round in 0..limits::LOOKUPS {
        let report = once(&slow, "dial@slow.example.org:9").await;
        assert!(rejected(&report).contains("Timeout"), "{round}: {}", rejected(&report));
    }
    let report = once(&slow, "dial@slow.example.org:9").await;
    let said = rejected(&report);
    assert!(said.contains("more than 8 names are being looked up for this channel"), "{said}");
    assert_eq!(names.asked.load(Ordering::Relaxed), limits::LOOKUPS, "nobody was asked once more");
    let other = place.plugin(&hostile, far(), to("fast.example.org"), 9);
    assert!(rejected(&once(&other, "dial@fast.example.org:9").await).contains("no such name"), "another is served");
    names.wake.send_replace(true);
    let free = async {
        while !rejected(&once(&slow, "dial@slow.example.org:9").await).contains("no such name") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), free).await.expect("its places are free again");
}

/// Does not answer for `slow.example.org` until it is woken; then no name exists.
#[derive(Debug, Default)]
struct Dawdler {
    asked: AtomicUsize,
    wake: watch::Sender<bool>,
}

impl Resolver for Dawdler {
    fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        if host == "slow.example.org" {
            self.asked.fetch_add(1, Ordering::Relaxed);
            // Not for ever: a test that fails waits for it.
            let end = Instant::now() + Duration::from_secs(60);
            while !*self.wake.borrow() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Err(io::Error::other("no such name"))
    }
}

#[tokio::test]
async fn row_32_a_forged_line_stays_one_line_of_the_log() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), Vec::new(), 9);
    assert_eq!(once(&plugin, "log-forged@x").await.crash, None);
    let lines = place.host.lines.lock().expect("a lock");
    assert!(lines.len() == 1 && !lines[0].chars().any(char::is_control), "{lines:?}");
}

#[tokio::test]
async fn odd_keys_are_keys_and_those_out_of_bounds_are_refused() {
    let place = Place::new();
    let plugin = place.plugin(&place.hostile().await, far(), Vec::new(), 9);
    let report = once(&plugin, "state-odd@x").await;
    let said = rejected(&report);
    assert_eq!(said.matches("a key has 1 to 256 bytes").count(), 2, "{said}");
    assert_eq!(said.matches("kept").count(), 5, "{said}");
}

#[tokio::test]
async fn row_33_credentials_of_others_are_not_used() {
    let port = peer(Peer::Silent).await;
    let place = Place::new();
    let grants = [Capability::Http, Capability::Net].map(|capability| grant(capability, port, true, true));
    let plugin = place.plugin(&place.hostile().await, far(), grants.to_vec(), port);
    let report = once(&plugin, "steal@x").await;
    let said = rejected(&report);
    for name in ["nobodys", "elsewhere"] {
        assert!(said.contains(&format!("no credential `{name}` was granted")), "{said}");
    }
    assert!(!said.contains("connected") && !said.contains("status"), "{said}");
    assert_eq!(report.stats.egress_denials, 3);
}

#[tokio::test]
async fn row_25_check_address_has_the_limits_of_memory_too() {
    let place = Place::new();
    let limits = PluginLimits { memory_bytes: 16 * MIB, ..far() };
    let plugin = place.plugin(&place.hostile().await, limits, Vec::new(), 9);
    assert_eq!(plugin.check_address("check-memory").await.map_err(|(kind, _)| kind), Err(CrashKind::Memory));
    assert_eq!(plugin.check_address("fine").await, Ok(Ok("fine".to_owned())));
}

/// What a call must come to.
enum End {
    Crash(CrashKind),
    /// The plugin was told, and said it on.
    Told(&'static str),
}

#[tokio::test]
async fn row_29_a_far_side_that_misbehaves_ends_in_an_error_or_at_the_deadline() {
    use CrashKind::{Memory, Timeout};
    let http = |text: &str| format!("HTTP/1.1 {text}").into_bytes();
    let sized = |head: &str, body: Vec<u8>| {
        [http(&format!("200 OK\r\n{head}Content-Length: {}\r\n\r\n", body.len())), body].concat()
    };
    // The head of a gzip stream; it is bytes to the host, which decodes nothing.
    let gzip = [vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], vec![0; 990]].concat();
    let soon = PluginLimits { deadline_ms: 500, ..far() };
    let later = PluginLimits { deadline_ms: 3000, ..far() };
    let few_bytes = PluginLimits { network_bytes: MIB as u64, ..far() };
    let little_memory = PluginLimits { memory_bytes: 3 * MIB, ..far() };
    for (name, behaves, behaviour, limits, end) in [
        ("mute", Peer::Silent, "slow", soon, End::Crash(Timeout)),
        ("drip", Peer::Drip, "slow", soon, End::Crash(Timeout)),
        ("no answer", Peer::Silent, "http", soon, End::Told("Timeout")),
        ("stalled handshake", Peer::Silent, "tls", later, End::Told("Timeout")),
        ("no TLS", Peer::Drip, "tls", far(), End::Told("Tls(")),
        ("no HTTP", Peer::Endless(http("?"), vec![b'x'; 1000]), "http", far(), End::Told("Failed")),
        (
            "endless body",
            Peer::Endless(http("200 OK\r\n\r\n"), vec![b'x'; 65536]),
            "http",
            far(),
            End::Told("a response of more than 8388608 bytes"),
        ),
        (
            "endless headers",
            Peer::Endless(http("200 OK\r\n"), b"X-Header: and its value\r\n".repeat(100)),
            "http",
            far(),
            End::Told("Failed"),
        ),
        (
            "endless chunks",
            Peer::Endless(http("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), b"1\r\nx\r\n".repeat(1000)),
            "http",
            few_bytes,
            End::Told("more than 1048576 bytes over the network"),
        ),
        ("bomb", Peer::Says(sized("Content-Encoding: gzip\r\n", gzip)), "http", far(), End::Told("200, 1000 bytes")),
        ("more than fits", Peer::Says(sized("", vec![0; 4 * MIB])), "http", little_memory, End::Crash(Memory)),
        (
            "redirects in a circle",
            Peer::Says(http("302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")),
            "fetch",
            far(),
            End::Told("status 302, 0 bytes"),
        ),
    ] {
        let port = peer(behaves).await;
        let place = Place::new();
        let grants = [Capability::Http, Capability::Net].map(|capability| grant(capability, port, true, true));
        let plugin = place.plugin(&place.hostile().await, limits, grants.to_vec(), port);
        let report = once(&plugin, &format!("{behaviour}@http://127.0.0.1:{port}/")).await;
        match end {
            End::Crash(kind) => assert_eq!(crash_of(&report).0, kind, "{name}: {:?}", report.crash),
            End::Told(what) => assert!(rejected(&report).contains(what), "{name}: {}", rejected(&report)),
        }
        still_good(&plugin, name).await;
    }
}
