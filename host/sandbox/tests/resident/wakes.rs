//! When it is woken, and when not.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::ResidentHandle;
use tidings_sandbox::limits;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::common::Place;
use crate::rig::{Peer, Server, alone, order, plugin, told, until};

/// A resident that connects when it starts, to this server.
async fn connected(place: &Place, server: &Server) -> ResidentHandle {
    plugin(place, server.port, &[("start", "connect")], PluginLimits::default()).await.reside()
}

#[tokio::test]
async fn it_is_woken_when_something_can_be_read() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = connected(&place, &server).await;
    let mut peer = server.line_peer().await;
    for round in 0..3 {
        peer.send(&format!("PING {round}\n")).await;
        assert_eq!(peer.line().await, Some(format!("PONG {round}")));
    }
    peer.send("FROM amara list filters\n").await;
    assert_eq!(peer.line().await.as_deref(), Some("TO amara you said list filters"));
    drop(peer);
    let mut next = server.line_peer().await;
    next.send("PING again\n").await;
    assert_eq!(next.line().await.as_deref(), Some("PONG again"), "the end of a connection wakes it too");
    assert_eq!(resident.stats().starts, 1);
}

#[tokio::test]
async fn it_is_woken_when_its_time_has_come_and_only_then() {
    let place = Place::new();
    let resident = alone(&place, &[("wake_ms", "150")]).await;
    let began = Instant::now();
    until("three timers", async || resident.stats().wakes >= 3).await;
    assert!(began.elapsed() >= Duration::from_millis(3 * 140), "{:?}", began.elapsed());
    assert!(told(&resident, "wakes").await.starts_with("start 1 readable 0 timer "));
    assert_eq!(resident.stats().held, 0);
    let patient = alone(&place, &[]).await;
    assert_eq!(told(&patient, "count").await, "call 1");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(patient.stats().wakes, 0, "nobody asked for it");
}

#[tokio::test]
async fn deliveries_without_pause_do_not_hold_up_a_wake() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = Arc::new(connected(&place, &server).await);
    let mut peer = server.line_peer().await;
    let busy = Arc::clone(&resident);
    let load = tokio::spawn(async move {
        loop {
            order(&busy, &["count"]).await;
        }
    });
    until("load", async || resident.stats().deliveries > 100).await;
    peer.send("PING busy\n").await;
    assert_eq!(peer.line().await.as_deref(), Some("PONG busy"));
    load.abort();
}

#[tokio::test]
async fn a_storm_of_wakes_is_held_back_and_deliveries_go_through() {
    let (place, server) = (Place::new(), Server::start().await);
    for storm in ["timer", "unread"] {
        let wake_ms = if storm == "timer" { "0" } else { "" };
        let settings = [("start", "connect"), ("wake_ms", wake_ms)];
        let resident = plugin(&place, server.port, &settings, PluginLimits::default()).await.reside();
        let mut peer = server.line_peer().await;
        if storm == "unread" {
            assert_eq!(told(&resident, "leave-unread").await, "");
            peer.send("never read\n").await;
        }
        let (began, before) = (Instant::now(), resident.stats().wakes);
        until("20 wakes", async || resident.stats().wakes >= before + 20).await;
        let woken = u32::try_from(resident.stats().wakes - before).expect("few");
        let least = limits::WAKE_INTERVAL * (woken - 1);
        assert!(began.elapsed() + limits::WAKE_INTERVAL >= least, "{storm}: {woken} wakes in {:?}", began.elapsed());
        assert!(resident.stats().held >= 10, "{storm}: {:?}", resident.stats());
        assert!(told(&resident, "count").await.starts_with("call "));
    }
}

#[tokio::test]
async fn a_connection_that_has_ended_wakes_once() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = connected(&place, &server).await;
    let peer = server.line_peer().await;
    assert_eq!(told(&resident, "keep-ended").await, "");
    drop(peer);
    until("the end is noticed", async || resident.stats().wakes > 0).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(resident.stats().wakes, 1);
}

#[tokio::test]
async fn what_had_come_can_be_read_after_writing_failed() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = connected(&place, &server).await;
    let mut peer = server.line_peer().await;
    assert_eq!(told(&resident, "leave-unread").await, "");
    peer.send("ERROR :Closing Link (Excess Flood)\n").await;
    drop(peer);
    assert_eq!(told(&resident, "last-words").await, "ERROR :Closing Link (Excess Flood)");
}

#[tokio::test]
async fn a_trap_in_a_wake_drops_the_instance_and_the_next_delivery_waits_for_another() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = connected(&place, &server).await;
    let mut peer = server.line_peer().await;
    assert_eq!(told(&resident, "trap-in-wake").await, "");
    peer.send("anything\n").await;
    assert_eq!(peer.line().await, None, "its connection goes with it");
    until("the crash is known", async || resident.stats().crashes == 1).await;
    let deliver = order(&resident, &["count"]);
    let (report, _next) = tokio::join!(deliver, server.tcp());
    assert_eq!(report.outcomes, [Outcome::Delivered { receipt: Some("call 1".to_owned()) }]);
    let stats = resident.stats();
    assert_eq!((stats.starts, stats.crashes), (2, 1));
    assert!(stats.last_crash.is_some_and(|crash| crash.0 == CrashKind::Trap));
    assert_eq!((stats.idle_crashes, stats.in_a_row), (1, 1), "no delivery was in it");
}

#[tokio::test]
async fn what_its_wakes_use_is_counted_and_taken_once() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = connected(&place, &server).await;
    let mut peer = server.line_peer().await;
    peer.send("PING x\n").await;
    assert_eq!(peer.line().await.as_deref(), Some("PONG x"));
    until("the wake is counted", async || resident.stats().wakes > 0).await;
    let used = resident.take_used();
    assert!(used.host_calls >= 3 && used.network_bytes >= 14, "it connected, read and wrote: {used:?}");
    assert!(used.peak_memory_bytes > 0 && used.cpu > Duration::ZERO && used.cpu <= used.duration, "{used:?}");
    assert_eq!(resident.take_used().host_calls, 0, "it was taken");
    // A start beyond its grants is seen although nothing is delivered.
    let denied = plugin(&place, 9, &[("start", "connect"), ("host", "127.0.0.2")], PluginLimits::default()).await;
    let denied = denied.reside();
    until("the refusal is counted", async || denied.stats().used.egress_denials > 0).await;
}

#[tokio::test]
async fn what_is_decrypted_and_not_read_wakes_it_too() {
    let (place, server) = (Place::new(), Server::start().await);
    let resident = plugin(&place, server.port, &[("start", "tls")], PluginLimits::default()).await.reside();
    let tls = acceptor().accept(server.tcp().await).await.expect("a handshake");
    let mut peer = Peer::new(tls);
    assert_eq!(told(&resident, "count").await, "call 1");
    // Both lines come in one record while it reads one byte of them: nothing is left on the network.
    let write = async {
        sleep(Duration::from_millis(200)).await;
        peer.send("one\ntwo\n").await;
    };
    let (sipped, ()) = tokio::join!(told(&resident, "sip"), write);
    assert_eq!(sipped, "");
    until("the rest is read", async || told(&resident, "lines").await == "one|two").await;
    sleep(Duration::from_millis(300)).await;
    assert!(resident.stats().wakes <= 3, "an idle TLS connection wakes nobody: {:?}", resident.stats());
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
