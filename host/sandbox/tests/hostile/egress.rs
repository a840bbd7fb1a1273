//! Access to the network: what was not granted is denied, and servers that misbehave end in an error or at the
//! deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidings_domain::grant::Grant;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::CrashKind;
use tidings_sandbox::{Resolver, limits};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::common::net::{ServerScript, counting_server, scripted_server};
use crate::common::{MIB, SandboxFixture, crash_of, delivery, grant, high_limits, rejected, requests};
use crate::{deliver_one, still_delivers};

#[tokio::test]
async fn row_33_what_was_not_granted_is_denied_and_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let fixture = SandboxFixture::new();
    let hostile = fixture.hostile().await;
    for (behaviour, grants, reason) in [
        ("connect", vec![], "no grant of `net`"),
        ("connect", vec![grant(Capability::Net, port ^ 1, true, false)], "no grant of `net`"),
        ("connect", vec![grant(Capability::Http, port, true, true)], "no grant of `net`"),
        ("connect", vec![grant(Capability::Net, port, false, false)], "(loopback), and its grant lacks `private`"),
        ("http", vec![], "no grant of `http`"),
        ("http", vec![grant(Capability::Net, port, true, true)], "no grant of `http`"),
        ("http", vec![grant(Capability::Http, port, true, false)], "its grant lacks `plain_http`"),
        ("http", vec![grant(Capability::Http, port, false, true)], "(loopback), and its grant lacks `private`"),
    ] {
        let plugin = fixture.plugin(&hostile, high_limits(), grants.clone(), port);
        let report = plugin.deliver(&requests(&[delivery(&format!("{behaviour}@x"))])).await;
        assert!(rejected(&report).contains(reason), "{behaviour} {grants:?}: {}", rejected(&report));
        assert_eq!(report.stats.egress_denials, 1);
    }
    let connection = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(connection.is_err(), "the plugin connected");
    assert!(fixture.log_lines().iter().all(|line| line.starts_with("refused: ")));
}

#[tokio::test]
async fn row_33_credentials_of_others_are_not_used() {
    let port = scripted_server(ServerScript::Silent).await;
    let fixture = SandboxFixture::new();
    let grants = [Capability::Http, Capability::Net].map(|capability| grant(capability, port, true, true));
    let plugin = fixture.plugin(&fixture.hostile().await, high_limits(), grants.to_vec(), port);
    let report = deliver_one(&plugin, "steal@x").await;
    let reason = rejected(&report);
    for name in ["nobodys", "elsewhere"] {
        assert!(reason.contains(&format!("no credential `{name}` was granted")), "{reason}");
    }
    assert!(!reason.contains("connected") && !reason.contains("status"), "{reason}");
    assert_eq!(report.stats.egress_denials, 3);
}

#[tokio::test]
async fn row_28_connections_that_are_never_closed_are_closed_with_the_call() {
    let (port, connections) = counting_server().await;
    let fixture = SandboxFixture::new();
    let limits = PluginLimits { connections: 3, ..high_limits() };
    let grants = vec![grant(Capability::Net, port, true, false)];
    let plugin = fixture.plugin(&fixture.hostile().await, limits, grants, port);
    for round in 0..20 {
        let report = deliver_one(&plugin, "leak@x").await;
        let reason = rejected(&report);
        let full = reason.starts_with("3 forgotten, then") && reason.contains("more than 3 connections");
        assert!(full, "{round}: {reason}");
        // The server sees the end of each. How soon depends on the machine.
        let all_closed = async {
            while connections.now() > 0 || connections.total() < 3 * (round + 1) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(30), all_closed).await.expect("they are closed while the plugin is alive");
        assert_eq!(connections.total(), 3 * (round + 1));
    }
}

#[tokio::test]
async fn row_29_a_connection_that_never_answers_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let fixture = SandboxFixture::new();
    let limits = PluginLimits { deadline_ms: 400, ..high_limits() };
    let plugin =
        fixture.plugin(&fixture.hostile().await, limits, vec![grant(Capability::Net, port, true, false)], port);
    let deliveries = [delivery("slow@x")];
    let batch = requests(&deliveries);
    let (report, accepted) = tokio::join!(plugin.deliver(&batch), listener.accept());
    assert_eq!(crash_of(&report).0, CrashKind::Timeout);
    assert!(report.stats.duration < Duration::from_secs(2), "{:?}", report.stats.duration);
    let (mut peer, _) = accepted.expect("a connection");
    let mut rest = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut rest);
    let end = tokio::time::timeout(Duration::from_secs(5), end).await.expect("the connection is closed with the call");
    assert_eq!((end.ok(), rest.len()), (Some(0), 0));
}

/// How a call must end.
enum Expected {
    Crash(CrashKind),
    /// The host function returns an error with this text, which the plugin returns as its reason.
    Error(&'static str),
}

/// A server that misbehaves, the plugin's behaviour and limits with it, and how the call must end.
type Case = (&'static str, ServerScript, &'static str, PluginLimits, Expected);

fn misbehaving_servers() -> Vec<Case> {
    use CrashKind::{Memory, Timeout};
    let http = |text: &str| format!("HTTP/1.1 {text}").into_bytes();
    let sized = |head: &str, body: Vec<u8>| {
        [http(&format!("200 OK\r\n{head}Content-Length: {}\r\n\r\n", body.len())), body].concat()
    };
    // The head of a gzip stream. The host does not decode it.
    let gzip = [vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], vec![0; 990]].concat();
    let soon = PluginLimits { deadline_ms: 500, ..high_limits() };
    let later = PluginLimits { deadline_ms: 3000, ..high_limits() };
    let few_bytes = PluginLimits { network_bytes: MIB as u64, ..high_limits() };
    let little_memory = PluginLimits { memory_bytes: 3 * MIB, ..high_limits() };
    vec![
        ("silent", ServerScript::Silent, "slow", soon, Expected::Crash(Timeout)),
        ("drip", ServerScript::Drip, "slow", soon, Expected::Crash(Timeout)),
        ("no answer", ServerScript::Silent, "http", soon, Expected::Error("Timeout")),
        ("stalled handshake", ServerScript::Silent, "tls", later, Expected::Error("Timeout")),
        ("no TLS", ServerScript::Drip, "tls", high_limits(), Expected::Error("Tls(")),
        (
            "no HTTP",
            ServerScript::Endless(http("?"), vec![b'x'; 1000]),
            "http",
            high_limits(),
            Expected::Error("Failed"),
        ),
        (
            "endless body",
            ServerScript::Endless(http("200 OK\r\n\r\n"), vec![b'x'; 65536]),
            "http",
            high_limits(),
            Expected::Error("a response of more than 8388608 bytes"),
        ),
        (
            "endless headers",
            ServerScript::Endless(http("200 OK\r\n"), b"X-Header: and its value\r\n".repeat(100)),
            "http",
            high_limits(),
            Expected::Error("Failed"),
        ),
        (
            "endless chunks",
            ServerScript::Endless(http("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), b"1\r\nx\r\n".repeat(1000)),
            "http",
            few_bytes,
            Expected::Error("more than 1048576 bytes over the network"),
        ),
        (
            "bomb",
            ServerScript::Reply(sized("Content-Encoding: gzip\r\n", gzip)),
            "http",
            high_limits(),
            Expected::Error("200, 1000 bytes"),
        ),
        (
            "more than fits",
            ServerScript::Reply(sized("", vec![0; 4 * MIB])),
            "http",
            little_memory,
            Expected::Crash(Memory),
        ),
        (
            "redirects in a circle",
            ServerScript::Reply(http("302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")),
            "fetch",
            high_limits(),
            Expected::Error("status 302, 0 bytes"),
        ),
    ]
}

#[tokio::test]
async fn row_29_a_server_that_misbehaves_ends_in_an_error_or_at_the_deadline() {
    for (name, script, behaviour, limits, expected) in misbehaving_servers() {
        let port = scripted_server(script).await;
        let fixture = SandboxFixture::new();
        let grants = [Capability::Http, Capability::Net].map(|capability| grant(capability, port, true, true));
        let plugin = fixture.plugin(&fixture.hostile().await, limits, grants.to_vec(), port);
        let report = deliver_one(&plugin, &format!("{behaviour}@http://127.0.0.1:{port}/")).await;
        match expected {
            Expected::Crash(kind) => assert_eq!(crash_of(&report).0, kind, "{name}: {:?}", report.crash),
            Expected::Error(text) => assert!(rejected(&report).contains(text), "{name}: {}", rejected(&report)),
        }
        still_delivers(&plugin, name).await;
    }
}

#[tokio::test]
async fn a_slow_name_server_blocks_only_its_own_channels_threads() {
    let resolver = Arc::new(BlockingResolver::default());
    let fixture = SandboxFixture::with_resolver(&resolver);
    let hostile = fixture.hostile().await;
    let to = |host: &str| vec![Grant { host: host.to_owned(), ..grant(Capability::Net, 9, true, false) }];
    let limits = PluginLimits { deadline_ms: 1000, ..high_limits() };
    let slow = fixture.plugin(&hostile, limits, to("slow.example.org"), 9);
    for round in 0..limits::LOOKUPS {
        let report = deliver_one(&slow, "dial@slow.example.org:9").await;
        assert!(rejected(&report).contains("Timeout"), "{round}: {}", rejected(&report));
    }
    let report = deliver_one(&slow, "dial@slow.example.org:9").await;
    let reason = rejected(&report);
    assert!(reason.contains("more than 8 names are being looked up for this channel"), "{reason}");
    assert_eq!(resolver.lookups.load(Ordering::Relaxed), limits::LOOKUPS, "no further lookup started");
    let other = fixture.plugin(&hostile, high_limits(), to("fast.example.org"), 9);
    assert!(
        rejected(&deliver_one(&other, "dial@fast.example.org:9").await).contains("no such name"),
        "another channel resolves names"
    );
    resolver.released.send_replace(true);
    let free = async {
        while !rejected(&deliver_one(&slow, "dial@slow.example.org:9").await).contains("no such name") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), free).await.expect("its lookups are free again");
}

/// Blocks on `slow.example.org` until it is released. No name exists.
#[derive(Debug, Default)]
struct BlockingResolver {
    lookups: AtomicUsize,
    released: watch::Sender<bool>,
}

impl Resolver for BlockingResolver {
    fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        if host == "slow.example.org" {
            self.lookups.fetch_add(1, Ordering::Relaxed);
            // Bounded, since a failing test waits for it.
            let end = Instant::now() + Duration::from_secs(60);
            while !*self.released.borrow() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Err(io::Error::other("no such name"))
    }
}
