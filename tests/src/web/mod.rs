//! A fake web server: it records requests, responds with a given function, and fails on request. Fake servers for the
//! protocols of the channels use it: [`fcm`], [`push`], [`ntfy`] and [`matrix`]. This file must not know a protocol.

pub mod fcm;
pub mod matrix;
pub mod ntfy;
pub mod push;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::wait;

/// A received request.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    pub method: String,
    /// The path and the query, not decoded.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl RecordedRequest {
    /// The value of a header; empty if the request has none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub fn status(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: String::new() }
    }

    pub fn json(status: u16, body: &Value) -> Reply {
        Reply { body: body.to_string(), ..Reply::status(status) }.with("content-type", "application/json")
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }
}

/// How the server handles one request instead of the usual way.
#[derive(Clone, Debug)]
pub enum WebFault {
    /// It returns this response and has no other effect.
    Respond(Reply),
    /// It handles the request after this time.
    Delay(Duration),
    /// It closes the connection and does not handle the request.
    Reset,
    /// It handles the request and closes the connection without a response.
    LoseReply,
}

type Handler = dyn Fn(&RecordedRequest) -> Reply + Send + Sync;

/// A running server on loopback. Dropping it stops the server.
pub struct WebServer {
    pub address: SocketAddr,
    state: Arc<State>,
    listening: JoinHandle<()>,
}

struct State {
    handler: Box<Handler>,
    requests: Mutex<Vec<RecordedRequest>>,
    faults: Mutex<VecDeque<WebFault>>,
}

impl WebServer {
    /// Starts a server that responds with this function.
    pub async fn start(handler: impl Fn(&RecordedRequest) -> Reply + Send + Sync + 'static) -> Result<WebServer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the web server")?;
        let address = listener.local_addr()?;
        let state = State { handler: Box::new(handler), requests: Mutex::default(), faults: Mutex::default() };
        let state = Arc::new(state);
        let listening = tokio::spawn(listen(listener, state.clone()));
        Ok(WebServer { address, state, listening })
    }

    /// The URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Adds a fault for the next request; several faults apply to as many requests, in order.
    pub fn fault(&self, fault: WebFault) {
        lock(&self.state.faults).push_back(fault);
    }

    /// All requests so far, in order, including those with a fault.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.state.requests).clone()
    }

    /// Waits until `wanted` returns a value for the requests.
    pub async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&[RecordedRequest]) -> Option<T>,
    ) -> Result<T> {
        wait::until(what, limit, async || Ok(wanted(&self.requests()))).await
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, state.clone()));
    }
}

/// Serves one connection. An error of the service closes it without a response.
async fn serve(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(|request| respond(request, state.clone()));
    // An error is visible to the client.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: Request<Incoming>, state: Arc<State>) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let recorded = RecordedRequest { method: parts.method.to_string(), target, headers: parts.headers, body };
    lock(&state.requests).push(recorded.clone());
    let fault = lock(&state.faults).pop_front();
    let broken = || Err(io::Error::from(io::ErrorKind::ConnectionReset));
    let reply = match fault {
        Some(WebFault::Reset) => return broken(),
        Some(WebFault::Respond(reply)) => reply,
        Some(WebFault::LoseReply) => {
            (state.handler)(&recorded);
            return broken();
        }
        Some(WebFault::Delay(time)) => {
            sleep(time).await;
            (state.handler)(&recorded)
        }
        None => (state.handler)(&recorded),
    };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    response.body(Full::new(reply.body.into())).map_err(io::Error::other)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
