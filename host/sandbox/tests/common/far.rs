//! The far side of an HTTP channel: a server on the loopback that answers as it is told and keeps what it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Runs until the test ends.
pub struct Far {
    pub port: u16,
    replies: Arc<Mutex<VecDeque<&'static str>>>,
    seen: Arc<Mutex<Vec<Request>>>,
}

/// What arrived; names of headers are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl Far {
    pub async fn start() -> Far {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let far = Far { port, replies: Arc::default(), seen: Arc::default() };
        let (replies, seen) = (Arc::clone(&far.replies), Arc::clone(&far.seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&replies), Arc::clone(&seen)));
            }
        });
        far
    }

    /// The next answers: a status and what else is in the head, e.g. `503 Busy\r\nretry-after: 7`. Afterwards all is well.
    pub fn answers(&self, replies: &[&'static str]) {
        self.replies.lock().expect("a lock").extend(replies);
    }

    /// What arrived since this was asked last.
    pub fn seen(&self) -> Vec<Request> {
        std::mem::take(&mut *self.seen.lock().expect("a lock"))
    }
}

async fn serve(
    mut stream: TcpStream,
    replies: Arc<Mutex<VecDeque<&'static str>>>,
    seen: Arc<Mutex<Vec<Request>>>,
) -> Option<()> {
    let mut bytes = Vec::new();
    let request = loop {
        stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
        if let Some(request) = whole(&bytes) {
            break request;
        }
    };
    seen.lock().expect("a lock").push(request);
    let reply = replies.lock().expect("a lock").pop_front().unwrap_or("200 OK");
    let reply = format!("HTTP/1.1 {reply}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(reply.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

/// The request, once all of it is there.
fn whole(bytes: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let request = Request { line, headers, body: body.to_owned() };
    let length = request.header("content-length").parse().unwrap_or(0);
    (body.len() >= length).then_some(request)
}
