//! A small client of the API, with one connection for each request. Responses have the types of the API. Tests of refused
//! requests use raw responses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_api_types::{
    BooksInfo, ChannelInfo, ComponentDetails, DeliveryInfo, ListPage, LogLineInfo, StatusInfo, VersionInfo,
};
use tidings_domain::plugin_life::ChannelEvent;
use tidings_domain::subscription::Subscription;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The time limit of a request, from the connection to the last byte.
const REQUEST_TIME: Duration = Duration::from_secs(60);
/// The largest response, in bytes.
const RESPONSE_BYTES: usize = 256 * 1024 * 1024;

/// The address of the API, and a token.
#[derive(Clone, Debug)]
pub struct TestClient {
    address: SocketAddr,
    token: Option<String>,
}

/// A response of any status.
#[derive(Debug)]
pub struct RawResponse {
    pub status: u16,
    pub body: Bytes,
}

impl RawResponse {
    /// The body, if the status is a success; otherwise an error with the status and the body.
    pub fn success(self) -> Result<Bytes> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!((200..300).contains(&self.status), "status {}: {text}", self.status);
        Ok(self.body)
    }
}

impl TestClient {
    pub fn new(address: SocketAddr, token: Option<String>) -> TestClient {
        TestClient { address, token }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gets a path as text.
    pub async fn text(&self, path: &str) -> Result<String> {
        let body =
            self.send(Method::GET, path, Bytes::new()).await?.success().with_context(|| format!("GET {path}"))?;
        String::from_utf8(body.to_vec()).with_context(|| format!("the response to GET {path} is not UTF-8"))
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let body =
            self.send(Method::GET, path, Bytes::new()).await?.success().with_context(|| format!("GET {path}"))?;
        serde_json::from_slice(&body).with_context(|| format!("GET {path} returned {}", String::from_utf8_lossy(&body)))
    }

    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<Bytes> {
        let response = self.send(Method::PUT, path, serde_json::to_vec(body)?.into()).await?;
        response.success().with_context(|| format!("PUT {path}"))
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes> {
        self.send(Method::POST, path, body.into()).await?.success().with_context(|| format!("POST {path}"))
    }

    /// The first page of a list.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        Ok(self.get::<ListPage<T>>(path).await?.data)
    }

    /// The counts of deliveries, by channel.
    pub async fn books(&self) -> Result<BTreeMap<String, BooksInfo>> {
        let books = self.list::<BooksInfo>("/api/v1/books").await?;
        Ok(books.into_iter().map(|books| (books.channel.clone(), books)).collect())
    }

    pub async fn status(&self) -> Result<StatusInfo> {
        self.get("/api/v1/status").await
    }

    /// The newest deliveries that match the query.
    pub async fn deliveries(&self, query: &str) -> Result<Vec<DeliveryInfo>> {
        self.list(&format!("/api/v1/deliveries?{query}")).await
    }

    pub async fn channel(&self, name: &str) -> Result<ChannelInfo> {
        self.get(&format!("/api/v1/channels/{name}")).await
    }

    /// The events of a channel, newest first.
    pub async fn channel_events(&self, name: &str) -> Result<Vec<ChannelEvent>> {
        self.list(&format!("/api/v1/channels/{name}/events")).await
    }

    pub async fn channel_versions(&self, name: &str) -> Result<Vec<VersionInfo>> {
        self.list(&format!("/api/v1/channels/{name}/versions")).await
    }

    /// The last log lines of the plugin of a channel, oldest first.
    pub async fn channel_log(&self, name: &str) -> Result<Vec<LogLineInfo>> {
        self.list(&format!("/api/v1/channels/{name}/log")).await
    }

    pub async fn subscription(&self, user: &str, channel: &str) -> Result<Subscription> {
        self.get(&format!("/api/v1/subscriptions/{user}/{channel}")).await
    }

    /// Installs a component.
    pub async fn install(&self, file: impl Into<Bytes>) -> Result<ComponentDetails> {
        let body = self.post("/api/v1/components", file).await?;
        serde_json::from_slice(&body).context("the installed component")
    }

    /// Sends a request and returns its response, whatever the status is.
    pub async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<RawResponse> {
        timeout(REQUEST_TIME, self.exchange(method, path, body))
            .await
            .with_context(|| format!("no response to {path} within {REQUEST_TIME:?}"))?
            .with_context(|| format!("requesting http://{}{path}", self.address))
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
        let body = Limited::new(response.into_body(), RESPONSE_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("reading the response: {error}"))?.to_bytes();
        driver.abort();
        Ok(RawResponse { status, body })
    }
}
