//! A real server that nobody here wrote: ngircd, on a loopback port, killed and started while messages are on their way.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test's helpers may fail it")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use support::{Channel, settings, single};
use tidings_plugin::testing::letters;
use tidings_plugin::{Delivery, Outcome};

const NGIRCD: &str = "/usr/sbin/ngircd";
const MESSAGES: usize = 1000;
/// What the host hands over at a time.
const BATCH: usize = 50;
/// Deliveries that wait for one PING's answer: what a restart may cost.
const WINDOW: usize = 16;

/// A running ngircd of its own configuration.
struct Ngircd {
    dir: PathBuf,
    port: u16,
    process: Child,
}

impl Ngircd {
    /// `more` are further lines of its section of limits.
    fn start(name: &str, more: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("tidings-ngircd-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "[Global]\nName = irc.example.org\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\nMotdPhrase = hello\n\
             [Limits]\nMaxConnectionsIP = 0\nMaxNickLength = 16\nPingTimeout = 5\nPongTimeout = 5\n{more}\n\
             [Options]\nDNS = no\nIdent = no\nPAM = no\n"
        );
        fs::write(dir.join("ngircd.conf"), configuration).unwrap();
        let process = spawn(&dir);
        let server = Ngircd { dir, port, process };
        server.ready();
        server
    }

    fn restart(&mut self) {
        self.process = spawn(&self.dir);
        self.ready();
    }

    fn ready(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "ngircd takes no connections");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Ngircd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn spawn(dir: &std::path::Path) -> Child {
    let mut command = Command::new(NGIRCD);
    command.arg("-n").arg("-f").arg(dir.join("ngircd.conf")).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().expect("ngircd runs; `cargo xtask setup` installs it")
}

/// Ends a process as an administrator does.
fn terminate(process: u32) {
    assert!(Command::new("kill").arg(process.to_string()).status().unwrap().success());
}

/// Somebody who reads in a channel; what is said there comes out.
fn reader(port: u16, nick: &str, channel: &str) -> Receiver<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nJOIN {channel}\r\n").as_bytes()).unwrap();
    let (ready, joined) = mpsc::channel();
    let (said, texts) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream.try_clone().unwrap()).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8(line).unwrap();
            let line = line.trim_end();
            if let Some(token) = line.strip_prefix("PING ") {
                let _ = stream.write_all(format!("PONG {token}\r\n").as_bytes());
            } else if line.split(' ').nth(1) == Some("366") {
                let _ = ready.send(());
            } else if let Some((_, text)) = line.split_once(" PRIVMSG ").and_then(|(_, rest)| rest.split_once(" :")) {
                // What is late says so behind its text.
                let text = text.split_once(" (").map_or(text, |(text, _)| text);
                let _ = said.send(text.to_owned());
            }
        }
    });
    joined.recv_timeout(Duration::from_secs(20)).expect("the reader joins");
    texts
}

/// Waits for the last text, then takes what is there.
fn drain(texts: &Receiver<String>, into: &mut Vec<String>, last: Option<&str>) {
    while let Ok(text) = texts.recv_timeout(Duration::from_millis(if last.is_some() { 20_000 } else { 300 })) {
        let done = last == Some(text.as_str());
        into.push(text);
        if done {
            return;
        }
    }
}

#[test]
fn a_thousand_messages_arrive_in_order_over_three_restarts() {
    let mut server = Ngircd::start("restarts", "MaxPenaltyTime = 0");
    let fast = [("interval_ms", "5"), ("burst", "20"), ("perishable_minutes", "60")];
    let mut channel = Channel::new(settings(server.port, &fast));
    let mut texts = reader(server.port, "ralph", "#tidings");
    let mut arrived = Vec::new();
    let mut waiting: Vec<Delivery> =
        (0..MESSAGES).map(|number| single("#tidings", &format!("message {number}"))).collect();
    let mut kills = vec![700, 450, 200];
    while !waiting.is_empty() {
        let batch: Vec<Delivery> = waiting.iter().take(BATCH).cloned().collect();
        let killed = kills.last().is_some_and(|left| MESSAGES - waiting.len() >= *left);
        if killed {
            kills.pop();
            let process = server.process.id();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(60));
                terminate(process);
            });
        }
        let outcomes = channel.deliver(&batch);
        let dead: Vec<_> = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Rejected(_))).collect();
        assert!(dead.is_empty(), "{dead:?}");
        // What the channel's trouble held up keeps its place with the host; what is tried again by itself comes behind.
        let (mut held, mut later) = (Vec::new(), Vec::new());
        for (delivery, outcome) in waiting.drain(..batch.len()).zip(outcomes) {
            match outcome {
                Outcome::Delivered(_) => {}
                Outcome::ChannelTrouble(_) => held.push(delivery),
                _ => later.push(delivery),
            }
        }
        waiting = held.into_iter().chain(std::mem::take(&mut waiting)).chain(later).collect();
        if killed {
            server.process.wait().unwrap();
            drain(&texts, &mut arrived, None);
            server.restart();
            texts = reader(server.port, "ralph", "#tidings");
            channel.live("the next connection", |channel| channel.engine.nick().is_some());
        }
    }
    drain(&texts, &mut arrived, Some(&format!("message {}", MESSAGES - 1)));
    assert!(kills.is_empty(), "three restarts");
    let copies = arrived.len() - arrived.iter().collect::<BTreeSet<_>>().len();
    let mut seen = BTreeSet::new();
    arrived.retain(|text| seen.insert(text.clone()));
    let expected: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
    assert!(
        arrived == expected,
        "{} arrived, first wrong: {:?}",
        arrived.len(),
        arrived.iter().zip(&expected).find(|(a, b)| a != b)
    );
    assert!(copies <= 3 * WINDOW, "{copies} came twice: no more than what was on its way");
    println!("{copies} of {MESSAGES} came twice over three restarts; {:?}", channel.host.warnings());
}

#[test]
fn a_servers_penalties_for_floods_delay_and_lose_nothing() {
    let server = Ngircd::start("penalties", "");
    let texts = reader(server.port, "ralph", "#tidings");
    let mut channel = Channel::new(settings(server.port, &[]));
    let batch: Vec<Delivery> = (0..30).map(|number| single("#tidings", &number.to_string())).collect();
    assert_eq!(letters(&channel.deliver(&batch)), "d".repeat(30));
    let mut arrived = Vec::new();
    drain(&texts, &mut arrived, Some("29"));
    assert_eq!(arrived, (0..30).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn nobody_of_that_name_and_a_taken_nick_are_as_the_server_says() {
    let server = Ngircd::start("names", "");
    let taken = reader(server.port, "tidings", "#elsewhere");
    let mut channel = Channel::new(settings(server.port, &[]));
    let outcomes = channel.deliver(&[single("nobody", "1"), single("tidings", "żółw 🐢"), single("nobody", "2")]);
    assert_eq!(letters(&outcomes), "rdr");
    assert_eq!(channel.engine.nick(), Some("tidings_"));
    assert_eq!(taken.recv_timeout(Duration::from_secs(10)).unwrap(), "żółw 🐢");
}

#[test]
fn an_idle_connection_outlives_the_servers_patience() {
    let server = Ngircd::start("idle", "");
    let mut channel = Channel::new(settings(server.port, &[]));
    channel.live("registration", |channel| channel.engine.nick().is_some());
    let end = Instant::now() + Duration::from_secs(12);
    channel.live("longer than PING and PONG may take", |_| Instant::now() > end);
    assert!(channel.host.warnings().is_empty(), "{:?}", channel.host.warnings());
}

#[test]
fn the_longest_line_arrives_whole() {
    let server = Ngircd::start("long", "");
    let texts = reader(server.port, "ralph", "#tidings");
    let mut channel = Channel::new(settings(server.port, &[]));
    let text = "żółw ".repeat(150);
    assert_eq!(letters(&channel.deliver(&[single("#tidings", "short"), single("#tidings", &text)])), "dd");
    let mut arrived = Vec::new();
    drain(&texts, &mut arrived, None);
    assert_eq!(arrived[1..].join(" "), text.trim());
    assert!(arrived.len() > 2);
}
