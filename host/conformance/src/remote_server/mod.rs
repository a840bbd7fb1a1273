//! A far side on loopback, which is as helpful or as rude as it is told. It speaks HTTP/1.1 to whoever begins with a
//! request, and `250 OK` to each line of whoever does not, after a greeting where a client may wait for one, as with mail.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long a connection may be silent before the far side takes it for one that wants a greeting. Silence is a guess: a
/// busy machine is silent too.
const GREETING_WAIT: Duration = Duration::from_millis(60);
/// How long what was sent may take to be noted here, and how often that is looked at.
const GRACE: Duration = Duration::from_millis(250);
const GRACE_STEP: Duration = Duration::from_millis(5);
/// What is kept of one connection, in bytes; the rest is read and forgotten.
const KEPT_BYTES: usize = 4 * 1024 * 1024;
/// The head of a request, or the first line of anything else, in bytes.
const HEAD_BYTES: usize = 256 * 1024;
/// How TLS begins, which the far side does not speak.
const TLS: u8 = 0x16;
/// No protocol's answer: control characters, a forged log line, no line end that would complete anything.
const GARBAGE: &[u8] = b"\x1b[31m\0\xff\xfe garbage\r2026-01-01 ERROR forged\r\n\r\n\x00\x01\x02 nonsense \xc3\x28\r\n";

/// An answer for HTTP with control characters in it, as JSON writes them.
pub(crate) const TOLD: &str = r#"{"error": "as told", "errcode": "X_TOLD", "text": "line one\r\nline two\u0000"}"#;

/// How the far side behaves.
#[derive(Clone, Debug)]
pub enum ServerBehaviour {
    /// HTTP is answered with this, anything else line by line.
    Polite { status: u16, headers: Vec<(&'static str, String)>, body: &'static str },
    /// Reads and says nothing.
    Mute,
    /// Closes every connection at once.
    Close,
    /// Says what belongs to no protocol.
    Garbage,
}

/// Who begins on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSpeaker {
    /// The client, as in HTTP: silence is never answered.
    Client,
    /// Either: whoever is silent for a while is greeted.
    Either,
}

impl ServerBehaviour {
    /// Takes everything: `200 OK` with an empty JSON object.
    pub fn helpful() -> ServerBehaviour {
        ServerBehaviour::Polite { status: 200, headers: Vec::new(), body: "{}" }
    }
}

/// A server that lives as long as this does.
pub struct RemoteServer {
    port: u16,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    task: Option<JoinHandle<()>>,
    /// Bound and not listening: its port refuses connections, and nobody else gets it.
    _refusing: Option<TcpSocket>,
}

impl RemoteServer {
    /// Starts on a free port. Must be called within a runtime.
    pub async fn start(manner: ServerBehaviour, opening: FirstSpeaker) -> io::Result<RemoteServer> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (port, heard) = (listener.local_addr()?.port(), Arc::<Mutex<Vec<_>>>::default());
        let task = tokio::spawn(listen(listener, manner, opening, Arc::clone(&heard)));
        Ok(RemoteServer { port, heard, task: Some(task), _refusing: None })
    }

    /// A port where every connection is refused.
    pub fn refusing() -> io::Result<RemoteServer> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let port = socket.local_addr()?.port();
        Ok(RemoteServer { port, heard: Arc::default(), task: None, _refusing: Some(socket) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What came on each connection, in the order in which they were accepted.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether anything was said on a connection.
    pub async fn has_heard(&self) -> bool {
        self.comes_true(|heard| heard.iter().any(|said| !said.is_empty())).await
    }

    /// Whether there was a connection.
    pub async fn was_called(&self) -> bool {
        self.comes_true(|heard| !heard.is_empty()).await
    }

    /// What was sent a moment ago may still be on its way, so it waits a little.
    async fn comes_true(&self, seen: fn(&[Vec<u8>]) -> bool) -> bool {
        let wait = async {
            while !seen(&self.heard()) {
                sleep(GRACE_STEP).await;
            }
        };
        timeout(GRACE, wait).await.is_ok()
    }
}

impl Drop for RemoteServer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn listen(
    listener: TcpListener,
    manner: ServerBehaviour,
    opening: FirstSpeaker,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    let mut talks = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let place = {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push(Vec::new());
            heard.len() - 1
        };
        let talk = Talk { stream, heard: Arc::clone(&heard), place };
        let manner = manner.clone();
        // A plugin that hangs up in the middle is part of the trial.
        talks.spawn(async move { drop(talk.hold(manner, opening).await) });
        while talks.try_join_next().is_some() {}
    }
}

/// One connection.
struct Talk {
    stream: TcpStream,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    place: usize,
}

impl Talk {
    async fn hold(mut self, manner: ServerBehaviour, opening: FirstSpeaker) -> io::Result<()> {
        match manner {
            ServerBehaviour::Close => Ok(()),
            ServerBehaviour::Mute => self.drain().await,
            ServerBehaviour::Garbage => {
                self.stream.write_all(GARBAGE).await?;
                self.drain().await
            }
            ServerBehaviour::Polite { status, headers, body } => {
                let first = match opening {
                    FirstSpeaker::Client => self.read().await?,
                    FirstSpeaker::Either => match timeout(GREETING_WAIT, self.read()).await {
                        Ok(first) => first?,
                        Err(_) => {
                            self.stream.write_all(b"220 conformance.invalid at your service\r\n").await?;
                            self.read().await?
                        }
                    },
                };
                self.polite(first, &response(status, &headers, body)).await
            }
        }
    }

    /// Answers in the protocol of the first line.
    async fn polite(mut self, mut first: Vec<u8>, response: &[u8]) -> io::Result<()> {
        while !first.contains(&b'\n') {
            let over = first.first() == Some(&TLS) || first.len() > HEAD_BYTES;
            let more = if over { Vec::new() } else { self.read().await? };
            if more.is_empty() {
                return Ok(());
            }
            first.extend(more);
        }
        let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.windows(8).any(|eight| eight == b" HTTP/1.") {
            self.http(first, response).await
        } else {
            self.lines(first).await
        }
    }

    /// Some bytes; none at the end. All of them are noted.
    async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 64 * 1024];
        let read = self.stream.read(&mut bytes).await?;
        bytes.truncate(read);
        if let Some(heard) = self.heard.lock().unwrap_or_else(PoisonError::into_inner).get_mut(self.place) {
            let room = KEPT_BYTES.saturating_sub(heard.len());
            heard.extend(bytes.iter().take(room));
        }
        Ok(bytes)
    }

    async fn drain(&mut self) -> io::Result<()> {
        while !self.read().await?.is_empty() {}
        Ok(())
    }

    /// Reads one request and answers it.
    async fn http(&mut self, mut request: Vec<u8>, response: &[u8]) -> io::Result<()> {
        let head = loop {
            if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            let more = self.read().await?;
            if more.is_empty() || request.len() > HEAD_BYTES {
                return Ok(());
            }
            request.extend(more);
        };
        let mut missing = content_length(&request[..head]).saturating_sub(request.len() - head);
        while missing > 0 {
            match self.read().await?.len() {
                0 => return Ok(()),
                read => missing = missing.saturating_sub(read),
            }
        }
        self.stream.write_all(response).await?;
        self.stream.shutdown().await
    }

    /// Answers each line; what comes after `DATA` is answered once, at the lone dot.
    async fn lines(&mut self, mut bytes: Vec<u8>) -> io::Result<()> {
        let (mut line, mut data) = (Vec::new(), false);
        while !bytes.is_empty() {
            for byte in bytes {
                line.push(byte);
                if byte != b'\n' {
                    continue;
                }
                let text = String::from_utf8_lossy(&line).trim().to_ascii_uppercase();
                line.clear();
                let answer: &[u8] = match (data, text.as_str()) {
                    (true, ".") => b"250 OK\r\n",
                    (true, _) => continue,
                    (false, "DATA") => b"354 go on\r\n",
                    (false, "QUIT") => b"221 goodbye\r\n",
                    (false, _) => b"250 OK\r\n",
                };
                data = answer.starts_with(b"354");
                self.stream.write_all(answer).await?;
            }
            bytes = self.read().await?;
        }
        Ok(())
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

fn response(status: u16, headers: &[(&'static str, String)], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} As told\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    match status {
        204 => text.push_str("\r\n"),
        _ => text.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())),
    }
    text.into_bytes()
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests may fail as they do")]
mod tests {
    use super::*;

    async fn connected(far: &RemoteServer) -> TcpStream {
        TcpStream::connect(("127.0.0.1", far.port())).await.expect("it listens")
    }

    #[tokio::test]
    async fn it_speaks_the_protocol_of_whoever_begins() {
        for (opening, said, expected) in [
            (FirstSpeaker::Client, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.1 200 "),
            (FirstSpeaker::Either, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.1 200 "),
            (FirstSpeaker::Either, "NICK tidings\r\n", "250 OK\r\n"),
            (FirstSpeaker::Either, "\u{16}\u{3}\u{1}", ""),
        ] {
            let far = RemoteServer::start(ServerBehaviour::helpful(), opening).await.expect("a port");
            let mut stream = connected(&far).await;
            stream.write_all(said.as_bytes()).await.expect("written");
            stream.shutdown().await.expect("half closed");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.starts_with(expected) && answer.is_empty() == expected.is_empty(), "{said}: {answer}");
            assert!(far.has_heard().await);
            assert_eq!(far.heard(), [said.as_bytes()]);
        }
        let refusing = RemoteServer::refusing().expect("a port");
        assert!(TcpStream::connect(("127.0.0.1", refusing.port())).await.is_err());
    }

    #[tokio::test]
    async fn only_one_who_may_be_waiting_is_greeted() {
        let far = RemoteServer::start(ServerBehaviour::helpful(), FirstSpeaker::Either).await.expect("a port");
        let mut greeting = [0; 4];
        connected(&far).await.read_exact(&mut greeting).await.expect("a greeting");
        assert_eq!(&greeting, b"220 ");
        assert!(!far.has_heard().await, "a connection alone says nothing");

        let far = RemoteServer::start(ServerBehaviour::helpful(), FirstSpeaker::Client).await.expect("a port");
        let mut late = connected(&far).await;
        let silence = timeout(GREETING_WAIT * 3, late.read(&mut greeting)).await;
        assert!(silence.is_err(), "an HTTP client that is late is not greeted: {silence:?}");
        late.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
        late.read_exact(&mut greeting).await.expect("an answer");
        assert_eq!(&greeting, b"HTTP");
    }
}
