//! A client of the daemon's API, as small as the tests need: one connection for each request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One request in all, from connecting to the last byte.
const REQUEST_TIME: Duration = Duration::from_secs(60);
/// The largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// Where the API is, and the token to use.
#[derive(Clone, Debug)]
pub struct TestClient {
    address: SocketAddr,
    token: Option<String>,
}

/// A status and a body, whatever they are.
#[derive(Debug)]
pub struct RawResponse {
    pub status: u16,
    pub body: Bytes,
}

impl RawResponse {
    /// The body, where the status is a success; else an error with the problem's text.
    pub fn success(self) -> Result<Bytes> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!((200..300).contains(&self.status), "status {}: {text}", self.status);
        Ok(self.body)
    }
}

/// Deliveries of one channel by their state; `accepted` is counted apart from the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelBooks {
    pub accepted: u64,
    pub delivered: u64,
    pub dead: u64,
    pub cancelled: u64,
    pub pending: u64,
}

impl ChannelBooks {
    /// `accepted = delivered + dead + cancelled + pending`.
    pub fn balance(&self) -> bool {
        self.accepted == self.delivered + self.dead + self.cancelled + self.pending
    }
}

/// What the daemon says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DaemonStatus {
    pub bus: Vec<EndpointView>,
    pub messages: MessageTotals,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointView {
    pub name: String,
    pub state: String,
}

/// What became of the messages since the daemon started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MessageTotals {
    pub received: u64,
    pub matched: u64,
    pub unmatched: u64,
    pub duplicate: u64,
    pub conflict: u64,
    /// Messages that the daemon itself failed on.
    pub poison: u64,
    /// By reason.
    pub refused: BTreeMap<String, u64>,
}

impl MessageTotals {
    /// Messages whose fate is known; equals `received` when nothing is under way.
    pub fn settled(&self) -> u64 {
        self.matched
            + self.unmatched
            + self.duplicate
            + self.conflict
            + self.poison
            + self.refused.values().sum::<u64>()
    }
}

impl TestClient {
    pub fn new(address: SocketAddr, token: Option<String>) -> TestClient {
        TestClient { address, token }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A page.
    pub async fn text(&self, path: &str) -> Result<String> {
        let body =
            self.send(Method::GET, path, Bytes::new()).await?.success().with_context(|| format!("GET {path}"))?;
        String::from_utf8(body.to_vec()).context("the page is text")
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let body =
            self.send(Method::GET, path, Bytes::new()).await?.success().with_context(|| format!("GET {path}"))?;
        serde_json::from_slice(&body).with_context(|| format!("GET {path} answered {}", String::from_utf8_lossy(&body)))
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Bytes> {
        let answer = self.send(Method::PUT, path, body.to_string().into()).await?;
        answer.success().with_context(|| format!("PUT {path}"))
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes> {
        self.send(Method::POST, path, body.into()).await?.success().with_context(|| format!("POST {path}"))
    }

    pub async fn books(&self) -> Result<BTreeMap<String, ChannelBooks>> {
        self.get("/api/v1/books").await
    }

    pub async fn status(&self) -> Result<DaemonStatus> {
        self.get("/api/v1/status").await
    }

    /// Any request; a status that is no success is an answer like any other.
    pub async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<RawResponse> {
        timeout(REQUEST_TIME, self.exchange(method, path, body))
            .await
            .with_context(|| format!("no answer to {path} within {REQUEST_TIME:?}"))?
            .with_context(|| format!("asking http://{}{path}", self.address))
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<RawResponse> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let kind = if body.starts_with(b"\0asm") { "application/wasm" } else { "application/json" };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, kind);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("reading the answer: {error}"))?.to_bytes();
        driver.abort();
        Ok(RawResponse { status, body })
    }
}
