//! An HTTP server on loopback that sends the replies of a test and keeps the requests that it receives.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Runs until the test ends.
pub struct TestHttpServer {
    pub port: u16,
    replies: Arc<Mutex<VecDeque<&'static str>>>,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
}

/// A received request. Header names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRequest {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl ReceivedRequest {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl TestHttpServer {
    pub async fn start() -> TestHttpServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = TestHttpServer { port, replies: Arc::default(), requests: Arc::default() };
        let (replies, requests) = (Arc::clone(&server.replies), Arc::clone(&server.requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&replies), Arc::clone(&requests)));
            }
        });
        server
    }

    /// Sets the next replies: a status and further headers, e.g. `503 Busy\r\nretry-after: 7`. Later replies are `200
    /// OK`.
    pub fn reply_with(&self, replies: &[&'static str]) {
        self.replies.lock().expect("a lock").extend(replies);
    }

    /// Takes the requests received since the last call of this.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        std::mem::take(&mut *self.requests.lock().expect("a lock"))
    }
}

async fn serve(
    mut stream: TcpStream,
    replies: Arc<Mutex<VecDeque<&'static str>>>,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
) -> Option<()> {
    let mut bytes = Vec::new();
    let request = loop {
        stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
        if let Some(request) = parse(&bytes) {
            break request;
        }
    };
    requests.lock().expect("a lock").push(request);
    let reply = replies.lock().expect("a lock").pop_front().unwrap_or("200 OK");
    let reply = format!("HTTP/1.1 {reply}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(reply.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

/// The request, once it is complete.
fn parse(bytes: &[u8]) -> Option<ReceivedRequest> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let request = ReceivedRequest { line, headers, body: body.to_owned() };
    let length = request.header("content-length").parse().unwrap_or(0);
    (body.len() >= length).then_some(request)
}
