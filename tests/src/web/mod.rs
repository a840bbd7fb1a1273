//! A web server at the far side: it keeps what it was asked, answers as its maker says, and fails when it is told to. On
//! top of it, the protocols that channels speak: [`fcm`], [`push`], [`ntfy`] and [`matrix`].

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

/// A request as it came.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    pub method: String,
    /// Path and query, as they were written.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl SeenRequest {
    /// The value of a header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// An answer.
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

/// What the server does instead of its usual, once.
#[derive(Clone, Debug)]
pub enum WebFault {
    /// It answers this, and does nothing.
    Say(Reply),
    /// It does what was asked, but only after this time.
    Late(Duration),
    /// The connection breaks before anything is done.
    Reset,
    /// What was asked is done, and the connection breaks before the answer.
    LoseReply,
}

type Answer = dyn Fn(&SeenRequest) -> Reply + Send + Sync;

/// A running server on loopback. Dropping it ends it.
pub struct WebServer {
    pub address: SocketAddr,
    state: Arc<State>,
    listening: JoinHandle<()>,
}

struct State {
    answer: Box<Answer>,
    seen: Mutex<Vec<SeenRequest>>,
    faults: Mutex<VecDeque<WebFault>>,
}

impl WebServer {
    /// A server that answers so.
    pub async fn start(answer: impl Fn(&SeenRequest) -> Reply + Send + Sync + 'static) -> Result<WebServer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the web server")?;
        let address = listener.local_addr()?;
        let state = State { answer: Box::new(answer), seen: Mutex::default(), faults: Mutex::default() };
        let state = Arc::new(state);
        let listening = tokio::spawn(listen(listener, state.clone()));
        Ok(WebServer { address, state, listening })
    }

    /// The URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request is met by this; several are met in order.
    pub fn fault(&self, fault: WebFault) {
        lock(&self.state.faults).push_back(fault);
    }

    /// All requests so far, in order; those that met a fault are among them.
    pub fn seen(&self) -> Vec<SeenRequest> {
        lock(&self.state.seen).clone()
    }

    /// Waits until the requests have what `wanted` looks for.
    pub async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&[SeenRequest]) -> Option<T>,
    ) -> Result<T> {
        wait::until(what, limit, async || Ok(wanted(&self.seen()))).await
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

/// One connection. An error of the service ends it without an answer.
async fn serve(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(|request| respond(request, state.clone()));
    // How it ends is the client's to see.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: Request<Incoming>, state: Arc<State>) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let seen = SeenRequest { method: parts.method.to_string(), target, headers: parts.headers, body };
    lock(&state.seen).push(seen.clone());
    let fault = lock(&state.faults).pop_front();
    let broken = || Err(io::Error::from(io::ErrorKind::ConnectionReset));
    let reply = match fault {
        Some(WebFault::Reset) => return broken(),
        Some(WebFault::Say(reply)) => reply,
        Some(WebFault::LoseReply) => {
            (state.answer)(&seen);
            return broken();
        }
        Some(WebFault::Late(time)) => {
            sleep(time).await;
            (state.answer)(&seen)
        }
        None => (state.answer)(&seen),
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
