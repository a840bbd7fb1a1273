//! Tests against ngircd, an IRC server, on a loopback port. One test stops and starts it during deliveries.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use support::{Channel, settings, single};
use tidings_plugin::testing::letters;
use tidings_plugin::{Delivery, Outcome};

const NGIRCD: &str = "/usr/sbin/ngircd";
const MESSAGES: usize = 1000;
/// The deliveries of one call.
const BATCH: usize = 50;
/// The most unconfirmed deliveries: a restart may repeat them.
const WINDOW: usize = 16;
/// The most ports that are tried for ngircd.
const PORTS: usize = 5;
/// The longest wait for an event. A test that reaches it fails.
const LIMIT: Duration = Duration::from_secs(20);

/// A running ngircd with a configuration of its own.
struct Ngircd {
    dir: PathBuf,
    port: u16,
    process: Child,
}

impl Ngircd {
    /// `more` is added to the section of limits.
    fn start(name: &str, more: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("tidings-ngircd-{name}-{}", std::process::id()));
        // ngircd cannot choose a port itself, so another process may take the free one first.
        (0..PORTS).find_map(|_| Ngircd::on_free_port(&dir, more)).expect("ngircd accepts connections")
    }

    fn on_free_port(dir: &Path, more: &str) -> Option<Self> {
        fs::create_dir_all(dir).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "[Global]\nName = irc.example.org\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\nMotdPhrase = hello\n\
             [Limits]\nMaxConnectionsIP = 0\nMaxNickLength = 16\nPingTimeout = 5\nPongTimeout = 5\n{more}\n\
             [Options]\nDNS = no\nIdent = no\nPAM = no\n"
        );
        fs::write(dir.join("ngircd.conf"), configuration).unwrap();
        let mut server = Ngircd { dir: dir.to_owned(), port, process: spawn(dir) };
        server.accepts().then_some(server)
    }

    fn restart(&mut self) {
        self.process = spawn(&self.dir);
        assert!(self.accepts(), "ngircd has ended");
    }

    /// Waits until it accepts connections. Returns false when the process has ended.
    fn accepts(&mut self) -> bool {
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < end, "ngircd accepts no connection within {LIMIT:?}");
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

impl Drop for Ngircd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn spawn(dir: &Path) -> Child {
    let mut command = Command::new(NGIRCD);
    command.arg("-n").arg("-f").arg(dir.join("ngircd.conf")).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().expect("ngircd runs; `cargo xtask setup` installs it")
}

/// Sends SIGTERM.
fn terminate(process: u32) {
    assert!(Command::new("kill").arg(process.to_string()).status().unwrap().success());
}

/// A client that joins a channel. Returns the texts that it reads there.
fn reader(port: u16, nick: &str, channel: &str) -> Receiver<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nJOIN {channel}\r\n").as_bytes()).unwrap();
    let (ready, joined) = mpsc::channel();
    let (sender, texts) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream.try_clone().unwrap()).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8(line).unwrap();
            let line = line.trim_end();
            if let Some(token) = line.strip_prefix("PING ") {
                let _ = stream.write_all(format!("PONG {token}\r\n").as_bytes());
            } else if line.split(' ').nth(1) == Some("366") {
                let _ = ready.send(());
            } else if let Some((_, text)) = line.split_once(" PRIVMSG ").and_then(|(_, rest)| rest.split_once(" :")) {
                // A late message ends with its age.
                let text = text.split_once(" (").map_or(text, |(text, _)| text);
                let _ = sender.send(text.to_owned());
            }
        }
    });
    joined.recv_timeout(LIMIT).expect("the reader joins");
    texts
}

/// Collects texts up to the last one; without one, until no more arrive.
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
        // As in the daemon, deliveries that wait for the channel keep their order, and retries come after the others.
        let (mut postponed, mut retries) = (Vec::new(), Vec::new());
        for (delivery, outcome) in waiting.drain(..batch.len()).zip(outcomes) {
            match outcome {
                Outcome::Delivered(_) => {}
                Outcome::ChannelTrouble(_) => postponed.push(delivery),
                _ => retries.push(delivery),
            }
        }
        waiting = postponed.into_iter().chain(std::mem::take(&mut waiting)).chain(retries).collect();
        if killed {
            server.process.wait().unwrap();
            drain(&texts, &mut arrived, None);
            server.restart();
            texts = reader(server.port, "ralph", "#tidings");
            channel.wake_until_online();
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
    assert!(copies <= 3 * WINDOW, "{copies} arrived twice, more than were unconfirmed");
    println!("{copies} of {MESSAGES} arrived twice over three restarts; {:?}", channel.host.warnings());
}

#[test]
fn penalties_of_the_server_lose_nothing() {
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
fn an_unknown_nick_is_retried_and_a_taken_nick_is_replaced() {
    let server = Ngircd::start("names", "");
    let taken = reader(server.port, "tidings", "#elsewhere");
    let mut channel = Channel::new(settings(server.port, &[]));
    let outcomes = channel.deliver(&[single("nobody", "1"), single("tidings", "żółw 🐢"), single("nobody", "2")]);
    assert_eq!(letters(&outcomes), "rdr");
    assert_eq!(channel.engine.nick(), Some("tidings_"));
    assert_eq!(taken.recv_timeout(LIMIT).unwrap(), "żółw 🐢");
}

#[test]
fn an_idle_connection_answers_the_pings_of_the_server() {
    let server = Ngircd::start("idle", "");
    let mut channel = Channel::new(settings(server.port, &[]));
    channel.wake_until_online();
    // The server closes the connection of a client that registers later and answers no PING.
    let mut silent = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    silent.write_all(b"NICK silent\r\nUSER silent 0 * :silent\r\n").unwrap();
    silent.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    channel.wake_until("the server closes the connection of a silent client", |_| match silent.read(&mut buffer) {
        Ok(length) => length == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    });
    assert!(channel.host.warnings().is_empty(), "{:?}", channel.host.warnings());
}

#[test]
fn a_long_text_arrives_complete() {
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
