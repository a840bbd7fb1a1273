//! An IRC server on a script, on a loopback port: each connection is played by the next scene, in a thread.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

type Scene = Box<dyn FnOnce(&mut Talk) + Send>;

/// The server, and what was said to it over all connections.
pub struct Server {
    pub port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// After the last scene nobody listens any more.
    pub fn start(scenes: Vec<Scene>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&lines);
        thread::spawn(move || {
            for scene in scenes {
                let Ok((stream, _)) = listener.accept() else { return };
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                let reader = BufReader::new(stream.try_clone().unwrap());
                scene(&mut Talk { stream, reader, lines: Arc::clone(&heard) });
            }
        });
        Server { port, lines }
    }

    /// What was said to it, without what belongs to every registration.
    pub fn heard(&self) -> Vec<String> {
        let usual = |line: &&String| !["NICK ", "USER "].iter().any(|word| line.starts_with(word));
        self.lines.lock().unwrap().iter().filter(usual).cloned().collect()
    }
}

pub fn scene(play: impl FnOnce(&mut Talk) + Send + 'static) -> Scene {
    Box::new(play)
}

/// One connection.
pub struct Talk {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Talk {
    pub fn say(&mut self, line: &str) {
        self.raw(format!("{line}\r\n").as_bytes());
    }

    /// A client that went away is no failure of the script.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next line; none when the client has gone.
    pub fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let length = self.reader.read_until(b'\n', &mut line).ok()?;
        if length == 0 {
            return None;
        }
        let line = String::from_utf8(line).unwrap();
        let line = line.strip_suffix("\r\n").expect("a line ends with CRLF").to_owned();
        assert!(!line.contains(['\r', '\n', '\0']) && line.len() <= 510, "{line:?}");
        self.lines.lock().unwrap().push(line.clone());
        Some(line)
    }

    /// Lines up to the first that starts so.
    pub fn until(&mut self, start: &str) -> Option<String> {
        loop {
            let line = self.line()?;
            if line.starts_with(start) {
                return Some(line);
            }
        }
    }

    pub fn welcome(&mut self) {
        self.until("USER ");
        self.say(":irc.example.org 001 tidings :Welcome");
        self.say(":irc.example.org 005 tidings NICKLEN=16 CASEMAPPING=rfc1459 :are supported");
        self.say(":irc.example.org 422 tidings :MOTD File is missing");
    }

    /// Takes everything, answers PING, and first of all what `more` answers.
    pub fn serve(&mut self, mut more: impl FnMut(&str) -> Option<String>) {
        while let Some(line) = self.line() {
            if let Some(answer) = more(&line) {
                self.say(&answer);
            } else if let Some(token) = line.strip_prefix("PING ") {
                self.say(&format!(":irc.example.org PONG irc.example.org {token}"));
            }
        }
    }
}
