//! A channel with a resident plugin (row 31): one connection for all deliveries, which stays open while the channel is idle,
//! is opened again when the server restarts, and is closed properly with the channel. No delivery is lost.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tidings_api_types::{ChannelInfo, ChannelStateInfo};
use tidings_domain::plugin_life::EventKind;
use tidings_tests::harness::{Harness, LIMIT};
use tidings_tests::paths;
use tidings_tests::{channel, wait};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

const MESSAGES: u64 = 60;
/// The time limit for the rollback of a version that traps.
const ROLL_BACK: Duration = Duration::from_secs(10);

/// The lines that the server received, over all its connections.
#[derive(Default)]
struct Seen {
    connections: u64,
    /// Each confirmed delivery: its id, and the number of its connection.
    taken: Vec<(String, u64)>,
    farewells: u64,
    inbox: Vec<String>,
}

/// A server with a protocol of lines, which can restart.
struct Lines {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Lines {
    async fn start(address: &str, seen: Arc<Mutex<Seen>>) -> Lines {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut peers = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                peers.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Lines { address, seen, task }
    }

    /// Closes all connections, and listens again at the same address.
    async fn restart(self) -> Lines {
        let Lines { address, seen, task } = self;
        task.abort();
        let _ = task.await;
        Lines::start(&address.to_string(), seen).await
    }

    fn with<T>(&self, read: impl FnOnce(&Seen) -> T) -> T {
        read(&self.seen.lock().unwrap())
    }
}

/// Serves one connection: sends a line for the inbox, confirms deliveries, and records all lines.
async fn serve(stream: TcpStream, seen: Arc<Mutex<Seen>>) {
    let (reader, mut writer) = stream.into_split();
    let connection = {
        let mut seen = seen.lock().unwrap();
        seen.connections += 1;
        seen.connections
    };
    if writer.write_all(b"FROM amara@example.org list filters\n").await.is_err() {
        return;
    }
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(id) = line.strip_prefix("SAY ").and_then(|said| said.split(' ').next()) {
            seen.lock().unwrap().taken.push((id.to_owned(), connection));
            if writer.write_all(format!("OK {id}\n").as_bytes()).await.is_err() {
                return;
            }
        }
        let mut seen = seen.lock().unwrap();
        match line.as_str() {
            "QUIT" => seen.farewells += 1,
            _ => seen.inbox.extend(line.strip_prefix("TO ").map(str::to_owned)),
        }
    }
}

async fn until(what: &str, server: &Lines, good: impl Fn(&Seen) -> bool) {
    wait::until(what, LIMIT, async || Ok(server.with(&good).then_some(()))).await.unwrap();
}

async fn view(harness: &Harness) -> ChannelInfo {
    harness.client.channel("resident").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_channel_keeps_one_connection_and_loses_no_delivery_when_its_server_restarts() {
    let mut harness = Harness::start().await.unwrap();
    let server = Lines::start("127.0.0.1:0", Arc::default()).await;
    let port = server.address.port().to_string();
    // It wakes twice a second. If it reads its input during a delivery, no input wakes it.
    let config = json!({"host": "127.0.0.1", "port": port, "start": "connect", "wake_ms": "500"});
    let plugin = paths::plugin("resident-fixture").unwrap();
    channel::install(&harness.client, "resident", &plugin, &config, &channel::loopback(server.address)).await.unwrap();
    until("it connects with nothing to deliver", &server, |seen| seen.connections == 1).await;
    harness.wants_everything("amara", "resident", &["amara@example.org"]).await.unwrap();

    let names = |from: u64| (0..MESSAGES).map(move |number| format!("resident-{:04}", from + number));
    harness.publish(names(0)).await.unwrap();
    until("the first part", &server, |seen| seen.taken.len() as u64 == MESSAGES).await;
    assert_eq!(server.with(|seen| seen.connections), 1, "one connection over all deliveries");
    let body = json!({"address": "test@example.org"}).to_string();
    harness.client.post("/api/v1/channels/resident/test-send", body).await.unwrap();
    assert_eq!(server.with(|seen| (seen.connections, seen.taken.len() as u64)), (1, MESSAGES + 1), "a test as well");

    // The server restarts during the second part. Deliveries in flight are sent again, with the same id.
    harness.publish(names(MESSAGES)).await.unwrap();
    until("the second part has begun", &server, |seen| seen.taken.len() as u64 > MESSAGES + 5).await;
    let server = server.restart().await;
    harness.wait_processed(2 * MESSAGES).await.unwrap();
    let books = harness.queue_empty("resident").await.unwrap();
    assert_eq!((books.accepted, books.delivered), (2 * MESSAGES, 2 * MESSAGES), "{books:?}");
    let accepted: std::collections::BTreeSet<String> =
        harness.deliveries("resident").await.unwrap().iter().map(|row| row.id.clone()).collect();
    let taken =
        server.with(|seen| seen.taken.iter().map(|(id, _)| id.clone()).collect::<std::collections::BTreeSet<_>>());
    assert!(accepted.is_subset(&taken), "every delivery arrived");
    let connections = server.with(|seen| seen.connections);
    assert_eq!(connections, 2, "one before and one after");

    let resident =
        wait::until("a wake", LIMIT, async || Ok(view(&harness).await.resident.filter(|resident| resident.wakes > 0)))
            .await
            .unwrap();
    assert_eq!((resident.alive, resident.starts, resident.crashes), (true, 1, 0));
    let metrics =
        harness.client.send(hyper::Method::GET, "/metrics", bytes::Bytes::new()).await.unwrap().success().unwrap();
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    assert!(metrics.contains(r#"tidings_resident_starts{channel="resident"} 1"#), "{metrics}");
    assert!(server.with(|seen| seen.inbox.iter().any(|line| line == "amara@example.org 1. All of it")));

    channel::switch(&harness.client, "resident", false).await.unwrap();
    until("it sends its last line", &server, |seen| seen.farewells == 1).await;
    assert_eq!(view(&harness).await.resident, None);
    // A test message on a disabled channel has an instance of its own.
    let body = json!({"address": "test@example.org"}).to_string();
    harness.client.post("/api/v1/channels/resident/test-send", body).await.unwrap();
    until("it connects and disconnects", &server, |seen| (seen.connections, seen.farewells) == (3, 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_crashes_of_a_resident_are_shown_and_its_deliveries_are_held_until_it_runs_again() {
    let mut harness = Harness::start().await.unwrap();
    let server = Lines::start("127.0.0.1:0", Arc::default()).await;
    let port = server.address.port().to_string();
    let config = json!({"host": "127.0.0.1", "port": port, "start": "trap"});
    let plugin = paths::plugin("resident-fixture").unwrap();
    channel::install(&harness.client, "resident", &plugin, &config, &channel::loopback(server.address)).await.unwrap();
    harness.wants_everything("amara", "resident", &["amara@example.org"]).await.unwrap();
    harness.publish(["held".to_owned()]).await.unwrap();
    wait::until("the crash is shown", LIMIT, async || {
        let Some(resident) = view(&harness).await.resident else { return Ok(None) };
        let last = resident.last_crash.unwrap_or_default();
        Ok((resident.crashes > 1 && last.starts_with("trap: ")).then_some(()))
    })
    .await
    .unwrap();
    let books = harness.books("resident").await.unwrap();
    assert_eq!((books.accepted, books.pending), (1, 1), "{books:?}");
    let config = json!({"host": "127.0.0.1", "port": port, "start": "connect"});
    harness.client.put("/api/v1/channels/resident/config", &config).await.unwrap();
    let books = harness.queue_empty("resident").await.unwrap();
    assert_eq!(books.delivered, 1, "{books:?}");
}

/// Another build of the plugin: the same code, and a custom section that is not read.
async fn next_build(harness: &Harness) -> String {
    let mut file = std::fs::read(paths::plugin("resident-fixture").unwrap()).unwrap();
    file.extend([0, 6, 5]);
    file.extend(b"build");
    harness.client.install(file).await.unwrap().digest
}

/// The channel's history, newest first.
async fn events(harness: &Harness) -> Vec<EventKind> {
    harness.client.channel_events("resident").await.unwrap().iter().map(|event| event.event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_resident_that_traps_at_its_start_is_rolled_back_with_its_settings_without_a_delivery() {
    let mut harness = Harness::start().await.unwrap();
    let server = Lines::start("127.0.0.1:0", Arc::default()).await;
    let config = json!({"host": "127.0.0.1", "port": server.address.port().to_string(), "start": "connect"});
    let plugin = paths::plugin("resident-fixture").unwrap();
    channel::install(&harness.client, "resident", &plugin, &config, &channel::loopback(server.address)).await.unwrap();
    until("it connects", &server, |seen| seen.connections == 1).await;
    let old = view(&harness).await.component;
    let new = next_build(&harness).await;
    let began = Instant::now();
    let body = json!({"component": new, "config": {"start": "trap"}, "unproven": true}).to_string();
    harness.client.post("/api/v1/channels/resident/upgrade", body).await.unwrap();
    wait::until("the old version is back", ROLL_BACK.saturating_sub(began.elapsed()), async || {
        let view = view(&harness).await;
        Ok((view.component == old && view.resident.is_some_and(|resident| resident.alive)).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(view(&harness).await.config["start"], "connect", "the settings of the new version are removed with it");
    assert_eq!(events(&harness).await[0], EventKind::RolledBack);
    until("it connects again", &server, |seen| seen.connections == 2).await;
    harness.wants_everything("amara", "resident", &["amara@example.org"]).await.unwrap();
    harness.publish(["after".to_owned()]).await.unwrap();
    harness.wait_processed(1).await.unwrap();
    assert_eq!(harness.queue_empty("resident").await.unwrap().delivered, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_that_traps_at_every_start_is_quarantined_and_its_crashes_are_counted() {
    let harness = Harness::start_with(|settings| settings.dispatch.quarantine_crashes = Some(3)).await.unwrap();
    let plugin = paths::plugin("resident-fixture").unwrap();
    let nothing = json!({"reach": []});
    channel::install(&harness.client, "resident", &plugin, &json!({"start": "trap"}), &nothing).await.unwrap();
    wait::until("it is quarantined", LIMIT, async || {
        let view = view(&harness).await;
        let ChannelStateInfo::Quarantined { reason, .. } = view.state else { return Ok(None) };
        Ok(reason.contains("the last with trap: ").then_some(()))
    })
    .await
    .unwrap();
    let metrics =
        harness.client.send(hyper::Method::GET, "/metrics", bytes::Bytes::new()).await.unwrap().success().unwrap();
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    let counted = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(r#"channel="resident""#));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    assert!(counted("tidings_version_crashes_total") >= Some(3.0), "{metrics}");
    assert!(counted("tidings_version_memory_peak_bytes") > Some(0.0), "the memory of the starts is counted: {metrics}");
    assert!(counted("tidings_version_cpu_seconds_total") > Some(0.0), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resident_gets_a_last_call_when_the_daemon_ends() {
    let harness = Harness::start().await.unwrap();
    let server = Lines::start("127.0.0.1:0", Arc::default()).await;
    let config = json!({"host": "127.0.0.1", "port": server.address.port().to_string(), "start": "connect"});
    let plugin = paths::plugin("resident-fixture").unwrap();
    channel::install(&harness.client, "resident", &plugin, &config, &channel::loopback(server.address)).await.unwrap();
    until("it connects", &server, |seen| seen.connections == 1).await;
    assert!(harness.daemon.terminate().await.unwrap().success());
    assert_eq!(server.with(|seen| seen.farewells), 1);
}
