//! A scripted IRC server on a loopback port. Each script plays one connection, in a thread.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

type Script = Box<dyn FnOnce(&mut Client) + Send>;

/// The longest wait of a script for a line of the client.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// The server, and the lines that it received over all connections.
pub struct Server {
    pub port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Plays one script for each connection, in order. After the last one it accepts no connection.
    pub fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let received = Arc::clone(&lines);
        thread::spawn(move || {
            for script in scripts {
                let Ok((stream, _)) = listener.accept() else { return };
                stream.set_read_timeout(Some(READ_LIMIT)).unwrap();
                let reader = BufReader::new(stream.try_clone().unwrap());
                script(&mut Client { stream, reader, lines: Arc::clone(&received) });
            }
        });
        Server { port, lines }
    }

    /// The lines that it received, without NICK and USER.
    pub fn received(&self) -> Vec<String> {
        let registers = |line: &str| ["NICK ", "USER "].iter().any(|word| line.starts_with(word));
        self.lines.lock().unwrap().iter().filter(|line| !registers(line)).cloned().collect()
    }
}

pub fn script(play: impl FnOnce(&mut Client) + Send + 'static) -> Script {
    Box::new(play)
}

/// A server that accepts everything and answers PING, on one connection.
pub fn accepting() -> Server {
    Server::start(vec![script(|client| {
        client.welcome();
        client.serve(|_| None);
    })])
}

/// The server's end of a connection.
pub struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Client {
    pub fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes());
    }

    /// Ignores errors: the client may have closed the connection.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next line; none when the client has closed the connection.
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

    /// Reads up to the first line with this prefix, and returns it.
    pub fn until(&mut self, prefix: &str) -> Option<String> {
        loop {
            let line = self.line()?;
            if line.starts_with(prefix) {
                return Some(line);
            }
        }
    }

    /// Completes the registration.
    pub fn welcome(&mut self) {
        self.until("USER ");
        self.send(":irc.example.org 001 tidings :Welcome");
        self.send(":irc.example.org 005 tidings NICKLEN=16 CASEMAPPING=rfc1459 :are supported");
        self.send(":irc.example.org 422 tidings :MOTD File is missing");
    }

    /// Accepts all lines until the end. Sends what `answer` returns for a line, and else answers PING.
    pub fn serve(&mut self, mut answer: impl FnMut(&str) -> Option<String>) {
        while let Some(line) = self.line() {
            if let Some(answer) = answer(&line) {
                self.send(&answer);
            } else if let Some(token) = line.strip_prefix("PING ") {
                self.send(&format!(":irc.example.org PONG irc.example.org {token}"));
            }
        }
    }
}
