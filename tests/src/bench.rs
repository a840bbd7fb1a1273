//! Benchmarks of the whole daemon, from outside. Each prints one JSON object a line; what depends on the machine comes with
//! a baseline from the same run, so that the ratio can be compared.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;
use zeromq::{Socket, SocketRecv, SubSocket};

use crate::channel;
use crate::client::Client;
use crate::daemon::{Daemon, Home};
use crate::port;
use crate::publisher::Publisher;
use crate::samples::{self, Message};
use crate::settings::Settings;
use crate::sink::Sink;
use crate::wait;

/// Messages of the intake benchmark.
const MESSAGES: u64 = 40_000;
/// Published and not yet taken: the publisher drops what its own queue does not hold.
const OUTSTANDING: u64 = 800;
/// Mails of the delivery benchmark.
const MAILS: u64 = 4_000;
/// Starts of which the median is told.
const STARTS: usize = 7;
const LIMIT: Duration = Duration::from_secs(300);

/// Runs them all.
pub async fn run() -> Result<()> {
    starts().await?;
    intake().await?;
    deliveries().await
}

fn tell(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit}));
}

/// A daemon with the e-mail channel, from the start of its process until it is ready: with an empty cache of compiled
/// plugins, and with a full one.
async fn starts() -> Result<()> {
    let stage = Stage::set().await?;
    let cache = stage.dir.path().join("data/cache");
    let Stage { home, token, daemon, dir: _dir, sink: _sink, .. } = stage;
    daemon.terminate().await?;
    fs::remove_dir_all(&cache).with_context(|| format!("removing {}", cache.display()))?;
    let mut times = Vec::new();
    for _ in 0..=STARTS {
        let began = Instant::now();
        let daemon = Daemon::start(&home, Some(&token)).await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        daemon.terminate().await?;
    }
    let cold = times.remove(0);
    times.sort_by(f64::total_cmp);
    let warm = times[times.len() / 2];
    tell("start_cold_ms", cold, "ms");
    tell("start_warm_ms", warm, "ms");
    tell("start_warm_vs_cold", warm / cold, "ratio");
    Ok(())
}

/// Messages per second from the ZeroMQ socket to their commit, a quarter of them with a recipient; the baseline is a bare
/// subscriber that counts the same messages.
async fn intake() -> Result<()> {
    let messages = samples::messages()?;
    let bare = bare_subscriber(&messages).await?;
    let stage = Stage::set().await?;
    channel::switch(&stage.client, "email", false).await?;
    channel::subscribe(&stage.client, &everything("git")).await?;
    let mut publisher = stage.publisher;
    let client = &stage.client;
    let began = Instant::now();
    publish(&mut publisher, &messages, async || Ok(client.status().await?.messages.settled())).await?;
    let rate = MESSAGES as f64 / began.elapsed().as_secs_f64();
    let books = client.books().await?.remove("email").unwrap_or_default();
    ensure!(books.balance() && books.accepted > 0, "the books after the run: {books:?}");
    tell("zeromq_to_committed_per_s", rate, "messages/s");
    tell("zeromq_bare_subscriber_per_s", bare, "messages/s");
    tell("zeromq_to_committed_vs_bare", rate / bare, "ratio");
    stage.daemon.terminate().await.map(drop)
}

async fn bare_subscriber(messages: &[Message]) -> Result<f64> {
    let mut publisher = Publisher::bind(port::free()?).await?;
    let mut socket = SubSocket::new();
    socket.connect(publisher.endpoint()).await.context("connecting")?;
    socket.subscribe("").await.context("subscribing")?;
    sleep(Duration::from_millis(300)).await;
    let received = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = received.clone();
    let task = tokio::spawn(async move {
        while socket.recv().await.is_ok() {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let began = Instant::now();
    publish(&mut publisher, messages, async || Ok(received.load(std::sync::atomic::Ordering::Relaxed))).await?;
    task.abort();
    Ok(MESSAGES as f64 / began.elapsed().as_secs_f64())
}

/// Publishes no faster than they are taken, and returns when all are.
async fn publish(publisher: &mut Publisher, messages: &[Message], taken: impl AsyncFn() -> Result<u64>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut sent = 0;
    let mut done = 0;
    while done < MESSAGES {
        ensure!(Instant::now() < deadline, "{done} of {MESSAGES} messages were taken within {LIMIT:?}");
        while sent < MESSAGES && sent < done + OUTSTANDING {
            publisher.send(&messages[sent as usize % messages.len()]).await?;
            sent += 1;
        }
        sleep(Duration::from_millis(1)).await;
        done = taken().await?;
    }
    Ok(())
}

/// Mails per second from the outbox through the sandboxed plugin to the sink; the baseline is a native client that sends
/// as many over one connection, without pipelining.
async fn deliveries() -> Result<()> {
    let native = native_client().await?;
    let stage = Stage::set().await?;
    channel::switch(&stage.client, "email", false).await?;
    channel::subscribe(&stage.client, &everything("git")).await?;
    let message = samples::messages()?.into_iter().find(|message| message.topic.contains(".git."));
    let message = message.context("there is a sample of git")?;
    let mut publisher = stage.publisher;
    let client = &stage.client;
    let accepted = async || anyhow::Ok(client.books().await?.remove("email").unwrap_or_default().accepted);
    let mut sent = 0;
    while sent < MAILS {
        for _ in 0..OUTSTANDING.min(MAILS - sent) {
            publisher.send(&message).await?;
            sent += 1;
        }
        wait::until("the messages are accepted", LIMIT, async || Ok((accepted().await? >= sent).then_some(()))).await?;
    }
    let began = Instant::now();
    channel::switch(client, "email", true).await?;
    while stage.sink.mails.count() < MAILS {
        ensure!(began.elapsed() < LIMIT, "{} of {MAILS} mails arrived", stage.sink.mails.count());
        sleep(Duration::from_millis(1)).await;
    }
    let rate = MAILS as f64 / began.elapsed().as_secs_f64();
    tell("deliveries_per_s", rate, "deliveries/s");
    tell("native_smtp_per_s", native, "mails/s");
    tell("deliveries_vs_native_smtp", rate / native, "ratio");
    stage.daemon.terminate().await.map(drop)
}

async fn native_client() -> Result<f64> {
    let sink = Sink::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let stream = TcpStream::connect(sink.smtp).await?;
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut reply = async || -> Result<()> {
        loop {
            let line = lines.next_line().await?.context("the sink closed the connection")?;
            ensure!(line.starts_with(['2', '3']), "the sink said {line}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    };
    let body = "A line of text as long as lines of mails are used to be.\r\n".repeat(20);
    let data = format!("Subject: native\r\nMessage-ID: <native@tidings.example>\r\n\r\n{body}.\r\n");
    reply().await?;
    write.write_all(b"EHLO bench.example\r\n").await?;
    reply().await?;
    let began = Instant::now();
    for _ in 0..MAILS {
        for command in ["MAIL FROM:<a@tidings.example>\r\n", "RCPT TO:<b@tidings.example>\r\n", "DATA\r\n", &data] {
            write.write_all(command.as_bytes()).await?;
            reply().await?;
        }
    }
    Ok(MAILS as f64 / began.elapsed().as_secs_f64())
}

/// A user who is told of everything that an application publishes.
fn everything(application: &str) -> Value {
    json!({
        "user": "bench",
        "channel": "email",
        "addresses": ["bench@tidings.example"],
        "filters": [{"name": "everything", "rules": [{"rule": format!("{application}_catchall")}]}],
    })
}

/// A publisher, a daemon that listens to it, and a sink that its channel `email` sends to.
struct Stage {
    dir: TempDir,
    home: Home,
    token: String,
    sink: Sink,
    publisher: Publisher,
    daemon: Daemon,
    client: Client,
}

impl Stage {
    async fn set() -> Result<Stage> {
        let dir = tempfile::tempdir()?;
        let sink = Sink::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let publisher = Publisher::bind(port::free()?).await?;
        let home = Home::new(dir.path(), Settings::new(dir.path(), &[publisher.endpoint()])?)?;
        let token = home.token("bench").await?;
        let daemon = Daemon::start(&home, Some(&token)).await?;
        let client = daemon.client().clone();
        channel::install_email(&client, sink.smtp).await?;
        daemon.subscribed(Duration::from_secs(60)).await?;
        // The publisher acts on a subscription a round trip after it was asked for.
        sleep(Duration::from_millis(300)).await;
        Ok(Stage { dir, home, token, sink, publisher, daemon, client })
    }
}
