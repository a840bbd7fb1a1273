//! A client of the daemon's API, as small as the commands need: http, one connection for each request. Its errors are for
//! anyone who typed the command.

use std::path::PathBuf;
use std::time::Duration;

use crate::api::limits;
use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidings_domain::secret::Secret;
use tidings_domain::text::one_line;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 512 * 1024 * 1024;
/// The longest line of a problem that is shown, in characters.
const LINE_CHARS: usize = 1000;

/// Where the daemon is and who asks.
#[derive(Debug, Args)]
pub(super) struct ApiArgs {
    /// Where the daemon's API is
    #[arg(long, global = true, env = "TIDINGS_URL", default_value = "http://127.0.0.1:8900")]
    url: String,
    /// A token of the API; other users of this machine can see it in the list of processes
    #[arg(long, global = true, env = "TIDINGS_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file with the token; goes over --token
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Asks one daemon.
pub(super) struct Client {
    base: Url,
    token: Option<Secret>,
}

/// The daemon understood and would not.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct RequestRefused {
    status: StatusCode,
    text: String,
}

impl RequestRefused {
    /// Whether the fault is in this one request, so that the next may be good.
    pub(super) fn is_of_the_request(&self) -> bool {
        matches!(
            self.status,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
        )
    }
}

/// A problem document, as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
    errors: Vec<Mistake>,
}

#[derive(Debug, Deserialize)]
struct Mistake {
    path: String,
    detail: String,
}

impl Client {
    pub(super) fn new(args: &ApiArgs) -> anyhow::Result<Client> {
        let token = match &args.token_file {
            Some(file) => {
                let text = std::fs::read_to_string(file);
                Some(text.with_context(|| format!("cannot read the token from {}", file.display()))?)
            }
            None => args.token.clone(),
        };
        Client::at(&args.url, token.map(|token| Secret::new(token.trim().to_owned())))
    }

    pub(super) fn at(url: &str, token: Option<Secret>) -> anyhow::Result<Client> {
        let base = Url::parse(url).with_context(|| format!("`{url}` is no URL"))?;
        if base.scheme() != "http" || base.host_str().is_none() {
            bail!("`{url}`: only http://HOST:PORT is possible; the API has no TLS of its own");
        }
        Ok(Client { base, token })
    }

    /// The URL of these path segments below `/api/v1`; each may hold any text.
    pub(super) fn api(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(["api", "v1"]).extend(segments);
        }
        url
    }

    /// A page of the daemon's, by its path, as a browser on this machine would open it.
    pub(super) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    pub(super) async fn get(&self, url: &Url) -> anyhow::Result<Value> {
        self.send(Method::GET, url, Bytes::new()).await
    }

    pub(super) async fn put(&self, url: &Url, body: &impl Serialize) -> anyhow::Result<Value> {
        self.send(Method::PUT, url, serde_json::to_vec(body)?.into()).await
    }

    pub(super) async fn post(&self, url: &Url, body: impl Into<Bytes>) -> anyhow::Result<Value> {
        self.send(Method::POST, url, body.into()).await
    }

    /// For the routes whose body may be something else than JSON.
    pub(super) async fn post_json(&self, url: &Url, body: &impl Serialize) -> anyhow::Result<Value> {
        self.send_as(Some("application/json"), Method::POST, url, serde_json::to_vec(body)?.into()).await
    }

    pub(super) async fn delete(&self, url: &Url) -> anyhow::Result<Value> {
        self.send(Method::DELETE, url, Bytes::new()).await
    }

    /// Whether something there answers as a daemon that is well.
    pub(super) async fn healthy(&self) -> anyhow::Result<()> {
        let mut url = self.base.clone();
        url.set_path("/-/healthy");
        self.get(&url).await.map(drop)
    }

    async fn send(&self, method: Method, url: &Url, body: Bytes) -> anyhow::Result<Value> {
        self.send_as(None, method, url, body).await
    }

    /// The answer's JSON; null where it has no body.
    async fn send_as(
        &self,
        kind: Option<&'static str>,
        method: Method,
        url: &Url,
        body: Bytes,
    ) -> anyhow::Result<Value> {
        let exchange = timeout(limits::API_SLOW_TIMEOUT + CONNECT_TIMEOUT, self.exchange(kind, method, url, body));
        let (status, body) = exchange.await.with_context(|| format!("no answer from {}", self.base))??;
        if status.is_success() {
            return if body.is_empty() {
                Ok(Value::Null)
            } else {
                serde_json::from_slice(&body)
                    .with_context(|| format!("what answers at {} is no Tidings daemon", self.base))
            };
        }
        Err(refused(status, serde_json::from_slice(&body).unwrap_or_default()).into())
    }

    async fn exchange(
        &self,
        kind: Option<&'static str>,
        method: Method,
        url: &Url,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = self.connect().await.map_err(|error| {
            anyhow!("cannot reach the daemon at {}: is it running? ({error})", self.base.as_str().trim_end_matches('/'))
        })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut request = Request::builder().method(method).uri(target).header(header::HOST, host);
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request = request.body(Full::new(body)).context("the token is not one line of ASCII text")?;
        let response = sender.send_request(request).await.context("the daemon ended the connection")?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        driver.abort();
        let body = body.map_err(|error| anyhow!("the answer broke off: {error}"))?;
        Ok((status, body.to_bytes()))
    }

    async fn connect(&self) -> Result<TcpStream, std::io::Error> {
        // `new` made sure that there is a host; an IPv6 one is without its brackets here.
        let host = self.base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = self.base.port_or_known_default().unwrap_or(80);
        match timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await {
            Ok(connected) => connected,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
}

fn refused(status: StatusCode, problem: Problem) -> RequestRefused {
    let mut lines =
        vec![if problem.detail.is_empty() { format!("the daemon answered {status}") } else { problem.detail }];
    for Mistake { path, detail } in problem.errors {
        lines.push(format!("  {path}{}{detail}", if path.is_empty() { "" } else { ": " }));
    }
    if status == StatusCode::UNAUTHORIZED {
        lines.push("  `tidings token create NAME` makes a token; give it as TIDINGS_TOKEN or by --token-file".into());
    }
    let lines: Vec<String> = lines.iter().map(|line| one_line(line, LINE_CHARS)).collect();
    RequestRefused { status, text: lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_escaped_and_only_http_is_taken() {
        let client = Client::at("http://[::1]:8900/", None).expect("it is a URL");
        assert_eq!(
            client.api(&["subscriptions", "a/b?c", "email"]).as_str(),
            "http://[::1]:8900/api/v1/subscriptions/a%2Fb%3Fc/email"
        );
        for url in ["https://localhost", "localhost:8900", "http:", "unix:/run/x"] {
            assert!(Client::at(url, None).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_daemon_that_does_not_run_is_said_to_be_so() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        drop(listener);
        let client = Client::at(&url, None).expect("it is a URL");
        let error = client.get(&client.api(&["status"])).await.expect_err("nobody listens").to_string();
        assert!(error.starts_with(&format!("cannot reach the daemon at {url}: is it running?")), "{error}");
    }
}
