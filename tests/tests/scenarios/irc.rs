//! The resident IRC channel with ngircd: a server that restarts during deliveries (row 42), one that pings, throttles and
//! relays questions of users, and one with TLS. Batches and retries have the defaults of the daemon.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidings_domain::delivery::DeliveryState;

use serde_json::{Value, json};
use tidings_tests::harness::{Harness, LIMIT};
use tidings_tests::ircd::{Arrival, Ngircd, Reader};
use tidings_tests::settings::{DaemonSettings, TlsSection};
use tidings_tests::{channel, paths, port, wait};

const CHANNEL: &str = "#tidings";
const MESSAGES: usize = 1000;
/// The server restarts after these numbers of arrivals.
const RESTARTS: [usize; 3] = [150, 400, 700];
/// The deliveries that one PONG confirms; a restart may repeat as many.
const WINDOW: usize = 16;
/// The longest time from the write of a line until the reader has it.
const LATENCY: Duration = Duration::from_secs(1);

fn default_dispatch(settings: &mut DaemonSettings) {
    settings.dispatch.batch = 50;
    settings.dispatch.backoff_min = "60s".into();
    settings.dispatch.backoff_max = "4000s".into();
}

/// Installs the channel for a server without TLS and services, with further settings.
async fn install(harness: &Harness, server: &Ngircd, more: Value) {
    let mut config = json!({"tls": "false", "services": "none"});
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    install_at(harness, "irc", server.port, config).await;
}

/// Installs a channel of that name for a port, with further settings.
async fn install_at(harness: &Harness, name: &str, port: u16, mut config: Value) {
    (config["host"], config["port"]) = (json!("127.0.0.1"), json!(port.to_string()));
    let grants = channel::loopback(SocketAddr::from(([127, 0, 0, 1], port)));
    channel::install(&harness.client, name, &paths::plugin("irc").unwrap(), &config, &grants).await.unwrap();
    harness.wants_everything("amara", name, &[CHANNEL]).await.unwrap();
}

/// Starts a server with TLS and a new certificate; returns its TLS port and the file of the certificate.
async fn secure(dir: &Path) -> (Ngircd, u16, PathBuf) {
    let (certificate, key, port) = (dir.join("cert.pem"), dir.join("key.pem"), port::free().unwrap());
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (cert_file, key_file) = (certificate.display(), key.display());
    let section = format!("[SSL]\nCertFile = {cert_file}\nKeyFile = {key_file}\nPorts = {port}");
    (Ngircd::start(dir, &section).await.unwrap(), port, certificate)
}

fn name(number: usize) -> String {
    format!("lantern{number:04}")
}

/// The numbers of the messages, in the order of their first arrivals.
fn first_arrivals(arrivals: &[Arrival]) -> Vec<usize> {
    let number = |one: &Arrival| -> usize { one.text.split_once("lantern").unwrap().1[..4].parse().unwrap() };
    let mut seen = BTreeSet::new();
    arrivals.iter().map(number).filter(|number| seen.insert(*number)).collect()
}

/// Asserts that from each line on, at most the burst and one line for each interval arrive.
fn assert_within(arrivals: &[Arrival], burst: usize, interval: Duration) {
    for (begin, first) in arrivals.iter().enumerate() {
        for (count, last) in arrivals[begin..].iter().enumerate() {
            let time = last.at - first.at + LATENCY;
            let allowed = burst + (time.as_millis() / interval.as_millis()) as usize;
            assert!(count < allowed, "{} lines within {time:?} from line {begin}: {allowed} allowed", count + 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_arrive_in_order_despite_three_restarts_of_the_server() {
    let mut harness = Harness::start_with(default_dispatch).await.unwrap();
    // Without this setting the server reads three lines a second.
    let mut server = Ngircd::start(harness.dir.path(), "MaxPenaltyTime = 0").await.unwrap();
    let reader = Reader::default();
    reader.join(&server, CHANNEL).await.unwrap();
    install(&harness, &server, json!({"interval_ms": "20", "burst": "20", "reconnect_ms": "1000"})).await;
    // The channel is disabled until all messages are accepted, so that they are all pending when it begins.
    channel::switch(&harness.client, "irc", false).await.unwrap();
    harness.publish((0..MESSAGES).map(name)).await.unwrap();
    harness.wait_processed(MESSAGES as u64).await.unwrap();
    channel::switch(&harness.client, "irc", true).await.unwrap();

    let mut connections = Vec::new();
    for arrivals in RESTARTS {
        wait::until("the arrivals before a restart", LIMIT, async || {
            Ok((reader.arrivals().len() >= arrivals).then_some(()))
        })
        .await
        .unwrap();
        connections.push(server.connections().await.unwrap());
        server.stop().await.unwrap();
        server.restart().await.unwrap();
        reader.join(&server, CHANNEL).await.unwrap();
    }
    let all = async || Ok((first_arrivals(&reader.arrivals()).len() >= MESSAGES).then_some(()));
    wait::until("all arrivals", LIMIT, all).await.unwrap();
    let books = harness.queue_empty("irc").await.unwrap();
    connections.push(server.connections().await.unwrap());
    assert_eq!(
        connections,
        [3, 2, 2, 2],
        "one of the reader, and one of the channel for each start of the channel or the server"
    );
    let arrivals = reader.arrivals();
    assert_eq!(first_arrivals(&arrivals), (0..MESSAGES).collect::<Vec<_>>());
    let copies = arrivals.len() - MESSAGES;
    assert!(copies <= RESTARTS.len() * WINDOW, "{copies} arrived twice, more than the deliveries in flight");
    assert_within(&arrivals, 20, Duration::from_millis(20));
    assert_eq!((books.delivered as usize, books.dead), (MESSAGES, 0));
    println!("{copies} of {MESSAGES} arrived twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_survives_idle_time_answers_questions_and_respects_the_flood_limits() {
    let mut harness = Harness::start_with(default_dispatch).await.unwrap();
    let server = Ngircd::start(harness.dir.path(), "PingTimeout = 3\nPongTimeout = 3").await.unwrap();
    let reader = Reader::default();
    reader.join(&server, CHANNEL).await.unwrap();
    install(&harness, &server, json!({"interval_ms": "400", "burst": "3"})).await;
    // The server pings the idle reader at the same intervals as the idle channel. After the second PING from here, the
    // channel has been pinged too.
    let pings = reader.pings() + 2;
    wait::until("two PINGs of the server", LIMIT, async || Ok((reader.pings() >= pings).then_some(()))).await.unwrap();
    let answer = server.ask("tidings", "help").await.unwrap();
    assert!(answer.contains("notifications"), "{answer}");
    harness.publish((0..30).map(name)).await.unwrap();
    harness.wait_processed(30).await.unwrap();
    let books = harness.queue_empty("irc").await.unwrap();
    assert_eq!((books.delivered, books.dead), (30, 0));
    let arrivals = reader.arrivals();
    assert_eq!(first_arrivals(&arrivals), (0..30).collect::<Vec<_>>());
    assert_eq!(arrivals.len(), 30, "no message arrived twice");
    assert_within(&arrivals, 3, Duration::from_millis(400));
    assert_eq!(server.connections().await.unwrap(), 3, "one of the reader, one of the asker, and one of the channel");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tls_messages_are_sent_only_to_a_server_with_a_trusted_certificate() {
    let (trusted, untrusted) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, port, ca_file) = secure(trusted.path()).await;
    let (other, other_port, _) = secure(untrusted.path()).await;
    let mut harness = Harness::start_with(|settings| settings.tls = Some(TlsSection { ca_file })).await.unwrap();
    let (reader, other_reader) = (Reader::default(), Reader::default());
    reader.join(&server, CHANNEL).await.unwrap();
    other_reader.join(&other, CHANNEL).await.unwrap();
    // TLS is the default.
    install_at(&harness, "irc", port, json!({"services": "none"})).await;
    install_at(&harness, "irc-untrusted", other_port, json!({"services": "none"})).await;
    harness.publish([name(1)]).await.unwrap();
    let arrived = async || Ok((!reader.arrivals().is_empty()).then_some(()));
    wait::until("the message", LIMIT, arrived).await.unwrap();
    assert_eq!(harness.queue_empty("irc").await.unwrap().delivered, 1);
    let row = wait::until("the note of the other delivery", LIMIT, async || {
        let rows = harness.client.deliveries("channel=irc-untrusted").await?;
        Ok(rows.into_iter().find(|row| row.note.is_some()))
    });
    let row = row.await.unwrap();
    assert_eq!(row.state, DeliveryState::Pending, "{row:?}");
    assert!(row.note.as_deref().unwrap().contains("certificate"), "{row:?}");
    assert!(other_reader.arrivals().is_empty());
}
