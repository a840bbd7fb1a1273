//! One connection of the test server. It answers HTTP/1.1 to a client that begins with a request, and `250 OK` to each
//! line of any other client, after a greeting if the client may wait for one, as in SMTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{FirstSpeaker, Received, ServerBehaviour};

/// How long a client may be silent before the server greets it. Silence is a guess: a client on a busy machine is
/// silent too.
pub(super) const GREETING_WAIT: Duration = Duration::from_millis(60);
/// What is kept of one connection, in bytes. The rest is read and dropped.
const KEPT_BYTES: usize = 4 * 1024 * 1024;
/// The head of a request, or the first line of another protocol, in bytes.
const HEAD_BYTES: usize = 256 * 1024;
/// The first byte of a TLS handshake, which the server does not support.
const TLS: u8 = 0x16;
/// No protocol's answer: control characters, a forged log line, and no line end that would complete anything.
const GARBAGE: &[u8] = b"\x1b[31m\0\xff\xfe garbage\r2026-01-01 ERROR forged\r\n\r\n\x00\x01\x02 nonsense \xc3\x28\r\n";

/// One connection of the server.
pub(super) struct ServerConnection {
    stream: TcpStream,
    received: Arc<Received>,
    /// Its index in `received`.
    index: usize,
}

impl ServerConnection {
    pub(super) fn new(stream: TcpStream, received: Arc<Received>, index: usize) -> ServerConnection {
        ServerConnection { stream, received, index }
    }

    /// Serves the connection to its end.
    pub(super) async fn serve(mut self, behaviour: ServerBehaviour, first_speaker: FirstSpeaker) -> io::Result<()> {
        match behaviour {
            ServerBehaviour::Close => Ok(()),
            ServerBehaviour::Silent => self.drain().await,
            ServerBehaviour::Garbage => {
                self.stream.write_all(GARBAGE).await?;
                self.drain().await
            }
            ServerBehaviour::Answer { status, headers, body } => {
                let first = match first_speaker {
                    FirstSpeaker::Client => self.read().await?,
                    FirstSpeaker::Either => match timeout(GREETING_WAIT, self.read()).await {
                        Ok(first) => first?,
                        Err(_) => {
                            self.stream.write_all(b"220 conformance.invalid at your service\r\n").await?;
                            self.read().await?
                        }
                    },
                };
                self.answer(first, &response(status, &headers, body)).await
            }
        }
    }

    /// Answers in the protocol of the first line.
    async fn answer(mut self, mut first: Vec<u8>, response: &[u8]) -> io::Result<()> {
        while !first.contains(&b'\n') {
            let unreadable = first.first() == Some(&TLS) || first.len() > HEAD_BYTES;
            let more = if unreadable { Vec::new() } else { self.read().await? };
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

    /// Reads some bytes and records them; returns none at the end.
    async fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 64 * 1024];
        let read = self.stream.read(&mut bytes).await?;
        bytes.truncate(read);
        let index = self.index;
        self.received.send_modify(|received| {
            if let Some(kept) = received.get_mut(index) {
                let space = KEPT_BYTES.saturating_sub(kept.len());
                kept.extend(bytes.iter().take(space));
            }
        });
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

    /// Answers each line. The lines after `DATA` get one answer, at the line with a single dot.
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
    let mut text = format!("HTTP/1.1 {status} Requested Status\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    match status {
        204 => text.push_str("\r\n"),
        _ => text.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())),
    }
    text.into_bytes()
}
