//! The resident IRC channel against a real ngircd: one that is ended and started again while messages are on their way
//! (row 42), one that pings, throttles and lets people ask, and one that speaks TLS. Batches and retries are the daemon's
//! usual ones.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidings_domain::delivery::DeliveryState;

use serde_json::{Value, json};
use tidings_tests::ircd::{Arrival, Ngircd, Reader};
use tidings_tests::scene::{LIMIT, Scene};
use tidings_tests::settings::{DaemonSettings, TlsSection};
use tidings_tests::{channel, paths, port, wait};

const CHANNEL: &str = "#tidings";
const MESSAGES: usize = 1000;
/// After so many arrivals the server is ended.
const RESTARTS: [usize; 3] = [150, 400, 700];
/// Deliveries that wait for one PING's answer: what a restart may let arrive twice.
const WINDOW: usize = 16;
/// How much later than it was written the reader may see a line.
const LATENCY: Duration = Duration::from_secs(1);

fn usual(settings: &mut DaemonSettings) {
    settings.dispatch.batch = 50;
    settings.dispatch.backoff_min = "60s".into();
    settings.dispatch.backoff_max = "4000s".into();
}

/// The channel, to a server, with these settings beside what a server without TLS and services needs.
async fn install(scene: &Scene, server: &Ngircd, more: Value) {
    let mut config = json!({"tls": "false", "services": "none"});
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    install_at(scene, "irc", server.port, config).await;
}

/// A channel of that name, to a port, with exactly these settings beside.
async fn install_at(scene: &Scene, name: &str, port: u16, mut config: Value) {
    (config["host"], config["port"]) = (json!("127.0.0.1"), json!(port.to_string()));
    let grants = channel::loopback(SocketAddr::from(([127, 0, 0, 1], port)));
    channel::install(&scene.client, name, &paths::plugin("irc").unwrap(), &config, &grants).await.unwrap();
    scene.wants_everything("amara", name, &[CHANNEL]).await.unwrap();
}

/// A server that speaks TLS on a port of its own, with a new certificate; returns that port and the certificate's file.
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

/// The numbers of what arrived, the first time that each did.
fn first_arrivals(arrivals: &[Arrival]) -> Vec<usize> {
    let number = |one: &Arrival| -> usize { one.text.split_once("lantern").unwrap().1[..4].parse().unwrap() };
    let mut seen = BTreeSet::new();
    arrivals.iter().map(number).filter(|number| seen.insert(*number)).collect()
}

/// Never more lines than the burst and one for each interval since, whichever line one begins with.
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
async fn a_thousand_messages_arrive_on_irc_in_order_over_three_restarts_of_the_server() {
    let mut scene = Scene::set_with(usual).await.unwrap();
    // Its penalties are off: with them it reads three lines a second.
    let mut server = Ngircd::start(scene.dir.path(), "MaxPenaltyTime = 0").await.unwrap();
    let reader = Reader::default();
    reader.join(&server, CHANNEL).await.unwrap();
    install(&scene, &server, json!({"interval_ms": "20", "burst": "20", "reconnect_ms": "1000"})).await;
    // It is off and on again while they are accepted, so that all of them wait when it begins.
    channel::switch(&scene.client, "irc", false).await.unwrap();
    scene.publish((0..MESSAGES).map(name)).await.unwrap();
    scene.dealt_with(MESSAGES as u64).await.unwrap();
    channel::switch(&scene.client, "irc", true).await.unwrap();

    let mut connections = Vec::new();
    for arrivals in RESTARTS {
        wait::until("so many arrivals", LIMIT, async || Ok((reader.arrivals().len() >= arrivals).then_some(())))
            .await
            .unwrap();
        connections.push(server.connections().await.unwrap());
        server.stop().await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.again().await.unwrap();
        reader.join(&server, CHANNEL).await.unwrap();
    }
    let all = async || Ok((first_arrivals(&reader.arrivals()).len() >= MESSAGES).then_some(()));
    wait::until("all arrivals", LIMIT, all).await.unwrap();
    let books = scene.queue_empty("irc").await.unwrap();
    connections.push(server.connections().await.unwrap());
    assert_eq!(connections, [3, 2, 2, 2], "the reader's, and one for each time that the channel or the server began");
    let arrivals = reader.arrivals();
    assert_eq!(first_arrivals(&arrivals), (0..MESSAGES).collect::<Vec<_>>());
    let copies = arrivals.len() - MESSAGES;
    assert!(copies <= RESTARTS.len() * WINDOW, "{copies} came twice: no more than what was on its way");
    assert_within(&arrivals, 20, Duration::from_millis(20));
    assert_eq!((books.delivered as usize, books.dead), (MESSAGES, 0));
    println!("{copies} of {MESSAGES} came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_outlives_idleness_answers_people_and_keeps_within_a_servers_flood_limits() {
    let mut scene = Scene::set_with(usual).await.unwrap();
    let server = Ngircd::start(scene.dir.path(), "PingTimeout = 3\nPongTimeout = 3").await.unwrap();
    let reader = Reader::default();
    reader.join(&server, CHANNEL).await.unwrap();
    install(&scene, &server, json!({"interval_ms": "400", "burst": "3"})).await;
    // Nothing is said for longer than the server waits before it asks, and then for an answer.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let answer = server.ask("tidings", "help").await.unwrap();
    assert!(answer.contains("notifications"), "{answer}");
    scene.publish((0..30).map(name)).await.unwrap();
    scene.dealt_with(30).await.unwrap();
    let books = scene.queue_empty("irc").await.unwrap();
    assert_eq!((books.delivered, books.dead), (30, 0));
    let arrivals = reader.arrivals();
    assert_eq!(first_arrivals(&arrivals), (0..30).collect::<Vec<_>>());
    assert_eq!(arrivals.len(), 30, "nothing came twice");
    assert_within(&arrivals, 3, Duration::from_millis(400));
    assert_eq!(server.connections().await.unwrap(), 3, "the reader's, the asker's, and one for all of that");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_a_server_gets_messages_only_with_a_certificate_that_is_trusted() {
    let (trusted, outsider) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, port, ca_file) = secure(trusted.path()).await;
    let (other, other_port, _) = secure(outsider.path()).await;
    let mut scene = Scene::set_with(|settings| settings.tls = Some(TlsSection { ca_file })).await.unwrap();
    let (reader, nobody) = (Reader::default(), Reader::default());
    reader.join(&server, CHANNEL).await.unwrap();
    nobody.join(&other, CHANNEL).await.unwrap();
    // As the settings are without a word about TLS.
    install_at(&scene, "irc", port, json!({"services": "none"})).await;
    install_at(&scene, "irc-outsider", other_port, json!({"services": "none"})).await;
    scene.publish([name(1)]).await.unwrap();
    let arrived = async || Ok((!reader.arrivals().is_empty()).then_some(()));
    wait::until("the message", LIMIT, arrived).await.unwrap();
    assert_eq!(scene.queue_empty("irc").await.unwrap().delivered, 1);
    let row = wait::until("why the other one waits", LIMIT, async || {
        let rows = scene.client.deliveries("channel=irc-outsider").await?;
        Ok(rows.into_iter().find(|row| row.note.is_some()))
    });
    let row = row.await.unwrap();
    assert_eq!(row.state, DeliveryState::Pending, "{row:?}");
    assert!(row.note.as_deref().unwrap().contains("certificate"), "{row:?}");
    assert!(nobody.arrivals().is_empty());
}
