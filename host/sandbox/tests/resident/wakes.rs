//! When a resident plugin is woken, and when not.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::ResidentHandle;
use tidings_sandbox::limits;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::common::SandboxFixture;
use crate::support::{LIMIT, LineConnection, LineServer, deliver, plugin, receipt, wait_for, without_server};

/// A resident that connects to this server when it starts.
async fn connected(fixture: &SandboxFixture, server: &LineServer) -> ResidentHandle {
    plugin(fixture, server.port, &[("start", "connect")], PluginLimits::default()).await.start_resident()
}

#[tokio::test]
async fn it_is_woken_when_something_can_be_read() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident = connected(&fixture, &server).await;
    let mut peer = server.line_connection().await;
    for round in 0..3 {
        peer.send(&format!("PING {round}\n")).await;
        assert_eq!(peer.line().await, Some(format!("PONG {round}")));
    }
    peer.send("FROM amara list filters\n").await;
    assert_eq!(peer.line().await.as_deref(), Some("TO amara you said list filters"));
    drop(peer);
    let mut next = server.line_connection().await;
    next.send("PING again\n").await;
    assert_eq!(next.line().await.as_deref(), Some("PONG again"), "the end of a connection wakes it too");
    assert_eq!(resident.stats().starts, 1);
}

#[tokio::test]
async fn it_is_woken_when_its_timer_is_due_and_only_then() {
    let fixture = SandboxFixture::new();
    let resident = without_server(&fixture, &[("wake_ms", "150")]).await;
    let (began, idle) = (Instant::now(), without_server(&fixture, &[]).await);
    assert_eq!(receipt(&idle, "count").await, "call 1");
    wait_for(&resident, "three timers", |stats| stats.wakes >= 3).await;
    assert!(began.elapsed() >= Duration::from_millis(3 * 140), "{:?}", began.elapsed());
    assert!(receipt(&resident, "wakes").await.starts_with("start 1 readable 0 timer "));
    assert_eq!(resident.stats().delayed_wakes, 0);
    assert_eq!(idle.stats().wakes, 0, "it asked for no wake");
}

#[tokio::test]
async fn continuous_deliveries_do_not_delay_a_wake() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident = Arc::new(connected(&fixture, &server).await);
    let mut peer = server.line_connection().await;
    let busy = Arc::clone(&resident);
    let load = tokio::spawn(async move {
        loop {
            deliver(&busy, &["count"]).await;
        }
    });
    wait_for(&resident, "load", |stats| stats.deliveries > 100).await;
    peer.send("PING busy\n").await;
    assert_eq!(peer.line().await.as_deref(), Some("PONG busy"));
    load.abort();
}

#[tokio::test]
async fn too_frequent_wakes_are_delayed_and_deliveries_go_through() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    for cause in ["timer", "unread"] {
        let wake_ms = if cause == "timer" { "0" } else { "" };
        let settings = [("start", "connect"), ("wake_ms", wake_ms)];
        let resident = plugin(&fixture, server.port, &settings, PluginLimits::default()).await.start_resident();
        let mut peer = server.line_connection().await;
        if cause == "unread" {
            assert_eq!(receipt(&resident, "leave-unread").await, "");
            peer.send("never read\n").await;
        }
        let (began, before) = (Instant::now(), resident.stats().wakes);
        wait_for(&resident, "20 wakes", |stats| stats.wakes >= before + 20).await;
        let woken = u32::try_from(resident.stats().wakes - before).expect("few");
        let least = limits::WAKE_INTERVAL * (woken - 1);
        assert!(began.elapsed() + limits::WAKE_INTERVAL >= least, "{cause}: {woken} wakes in {:?}", began.elapsed());
        assert!(resident.stats().delayed_wakes >= 10, "{cause}: {:?}", resident.stats());
        assert!(receipt(&resident, "count").await.starts_with("call "));
    }
}

#[tokio::test]
async fn a_connection_that_has_ended_wakes_once() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident = connected(&fixture, &server).await;
    let peer = server.line_connection().await;
    assert_eq!(receipt(&resident, "keep-ended").await, "");
    drop(peer);
    wait_for(&resident, "the end is noticed", |stats| stats.wakes > 0).await;
    // A second wake would come after one interval.
    sleep(4 * limits::WAKE_INTERVAL).await;
    assert_eq!(resident.stats().wakes, 1);
}

#[tokio::test]
async fn received_bytes_can_be_read_after_a_failed_write() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident = connected(&fixture, &server).await;
    let mut peer = server.line_connection().await;
    assert_eq!(receipt(&resident, "leave-unread").await, "");
    peer.send("ERROR :Closing Link (Excess Flood)\n").await;
    drop(peer);
    assert_eq!(receipt(&resident, "write-until-failure").await, "ERROR :Closing Link (Excess Flood)");
}

#[tokio::test]
async fn a_trap_in_a_wake_drops_the_instance_and_the_next_delivery_waits_for_another() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident = connected(&fixture, &server).await;
    let mut peer = server.line_connection().await;
    assert_eq!(receipt(&resident, "trap-in-wake").await, "");
    peer.send("anything\n").await;
    assert_eq!(peer.line().await, None, "its connection goes with it");
    wait_for(&resident, "the crash is known", |stats| stats.crashes == 1).await;
    let (report, _next) = tokio::join!(deliver(&resident, &["count"]), server.tcp());
    assert_eq!(report.outcomes, [Outcome::Delivered { receipt: Some("call 1".to_owned()) }]);
    let stats = resident.stats();
    assert_eq!((stats.starts, stats.crashes), (2, 1));
    assert!(stats.last_crash.is_some_and(|crash| crash.0 == CrashKind::Trap));
    assert_eq!((stats.idle_crashes, stats.consecutive_crashes), (1, 1), "it crashed in a wake");
}

#[tokio::test]
async fn what_wakes_use_is_counted_and_taken_once() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident = connected(&fixture, &server).await;
    let mut peer = server.line_connection().await;
    peer.send("PING x\n").await;
    assert_eq!(peer.line().await.as_deref(), Some("PONG x"));
    wait_for(&resident, "the wake is counted", |stats| stats.wakes > 0).await;
    let used = resident.take_used();
    assert!(used.host_calls >= 3 && used.network_bytes >= 14, "it connected, read and wrote: {used:?}");
    assert!(used.peak_memory_bytes > 0 && used.cpu > Duration::ZERO && used.cpu <= used.duration, "{used:?}");
    assert_eq!(resident.take_used().host_calls, 0, "it was taken before");
    // A start that exceeds its grants counts although nothing is delivered.
    let denied = plugin(&fixture, 9, &[("start", "connect"), ("host", "127.0.0.2")], PluginLimits::default()).await;
    let denied = denied.start_resident();
    wait_for(&denied, "the denial is counted", |stats| stats.used.egress_denials > 0).await;
}

#[tokio::test]
async fn decrypted_bytes_that_are_unread_wake_it_too() {
    let (fixture, server) = (SandboxFixture::new(), LineServer::start().await);
    let resident = plugin(&fixture, server.port, &[("start", "tls")], PluginLimits::default()).await.start_resident();
    let tls = acceptor().accept(server.tcp().await).await.expect("a handshake");
    let mut peer = LineConnection::new(tls);
    assert_eq!(receipt(&resident, "count").await, "call 1");
    // Both lines arrive in one record while the plugin waits for one byte: nothing is left on the network.
    let write = async {
        sleep(Duration::from_millis(200)).await;
        peer.send("one\ntwo\n").await;
    };
    let (first, ()) = tokio::join!(receipt(&resident, "read-byte"), write);
    assert_eq!(first, "");
    let read_rest = async { while receipt(&resident, "lines").await != "one|two" {} };
    timeout(LIMIT, read_rest).await.expect("the rest is read");
    sleep(4 * limits::WAKE_INTERVAL).await;
    assert!(resident.stats().wakes <= 3, "an idle TLS connection causes no wake: {:?}", resident.stats());
}

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    TlsAcceptor::from(Arc::new(config))
}
