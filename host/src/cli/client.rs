//! The commands' client of the daemon's API: HTTP or HTTPS, typed requests and responses. It follows no redirect, so the
//! token reaches no other server, and uses no proxy. Its errors are for the user of the command line.

mod args;
mod refusal;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_api_types::ProblemDocument;
use tidings_domain::secret::Secret;
use url::Url;

use crate::api::limits;

pub(super) use args::ApiArgs;
pub(super) use refusal::RequestRefused;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 512 * 1024 * 1024;
/// The longest wait for the quota of the token, for one request.
const QUOTA_WAIT: Duration = Duration::from_secs(60);
const JSON: &str = "application/json";

/// A client of one daemon.
pub(super) struct ApiClient {
    base: Url,
    http: reqwest::Client,
    token: Option<Secret>,
}

/// An answer with its `ETag`, for a change of what was read.
pub(super) struct Tagged<T> {
    pub(super) value: T,
    etag: Option<HeaderValue>,
}

impl ApiClient {
    pub(super) fn new(args: &ApiArgs) -> anyhow::Result<ApiClient> {
        ApiClient::at(&args.url, args.token()?, args.ca_file.as_deref())
    }

    /// A client of the daemon at this URL. `ca_file` has root certificates (PEM) in addition to the system's.
    pub(super) fn at(url: &str, token: Option<Secret>, ca_file: Option<&Path>) -> anyhow::Result<ApiClient> {
        let base = Url::parse(url).with_context(|| format!("`{url}` is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            bail!("`{url}` is not a URL of the form http://HOST:PORT or https://HOST");
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tidings_tls::https_client_config(ca_file)?)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(limits::API_SLOW_TIMEOUT + CONNECT_TIMEOUT)
            .build()?;
        Ok(ApiClient { base, http, token })
    }

    /// The URL of these path segments below `/api/v1`.
    ///
    /// # Errors
    /// A segment `.` or `..`: in a URL it would name another path.
    pub(super) fn api(&self, segments: &[&str]) -> anyhow::Result<Url> {
        if let Some(dots) = segments.iter().find(|segment| matches!(**segment, "." | "..")) {
            bail!("`{dots}` is not a name");
        }
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(segments);
        }
        Ok(url)
    }

    /// The URL of a page of the daemon, as a browser on this machine opens it.
    pub(super) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.shown())
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, url: &Url) -> anyhow::Result<T> {
        self.value(self.request(Method::GET, url)?).await
    }

    /// A resource with its tag.
    pub(super) async fn get_tagged<T: DeserializeOwned>(&self, url: &Url) -> anyhow::Result<Tagged<T>> {
        let (headers, body) = self.exchange(self.request(Method::GET, url)?).await?;
        Ok(Tagged { value: self.parse(&body)?, etag: headers.get(ETAG).cloned() })
    }

    pub(super) async fn put<T: DeserializeOwned>(&self, url: &Url, body: &impl Serialize) -> anyhow::Result<T> {
        self.value(json(self.request(Method::PUT, url)?, body)?).await
    }

    /// Writes only if what was read has not changed since.
    pub(super) async fn put_if<T: DeserializeOwned, R>(
        &self,
        url: &Url,
        read: &Tagged<R>,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.value(if_match(json(self.request(Method::PUT, url)?, body)?, read)).await
    }

    /// The same, with the tag of the answer for a further change.
    pub(super) async fn put_tagged<T: DeserializeOwned>(
        &self,
        url: &Url,
        read: &Tagged<T>,
        body: &impl Serialize,
    ) -> anyhow::Result<Tagged<T>> {
        let (headers, body) = self.exchange(if_match(json(self.request(Method::PUT, url)?, body)?, read)).await?;
        Ok(Tagged { value: self.parse(&body)?, etag: headers.get(ETAG).cloned() })
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, url: &Url, body: &impl Serialize) -> anyhow::Result<T> {
        self.value(json(self.request(Method::POST, url)?, body)?).await
    }

    /// A POST without a body.
    pub(super) async fn post_empty<T: DeserializeOwned>(&self, url: &Url) -> anyhow::Result<T> {
        self.value(self.request(Method::POST, url)?).await
    }

    /// A POST without a body and without an answer.
    pub(super) async fn trigger(&self, url: &Url) -> anyhow::Result<()> {
        self.exchange(self.request(Method::POST, url)?).await.map(drop)
    }

    /// A POST of a component's file.
    pub(super) async fn upload<T: DeserializeOwned>(&self, url: &Url, file: Vec<u8>) -> anyhow::Result<T> {
        self.value(self.request(Method::POST, url)?.header(CONTENT_TYPE, "application/wasm").body(file)).await
    }

    pub(super) async fn delete(&self, url: &Url) -> anyhow::Result<()> {
        self.exchange(self.request(Method::DELETE, url)?).await.map(drop)
    }

    /// Whether a daemon answers at the URL.
    pub(super) async fn healthy(&self) -> anyhow::Result<()> {
        let url = Url::parse(&self.page("/-/healthy"))?;
        self.get::<tidings_api_types::Health>(&url).await.map(drop)
    }

    fn request(&self, method: Method, url: &Url) -> anyhow::Result<RequestBuilder> {
        let request = self.http.request(method, url.clone());
        let Some(token) = &self.token else { return Ok(request) };
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .context("the token is not one line of ASCII text")?;
        header.set_sensitive(true);
        Ok(request.header(reqwest::header::AUTHORIZATION, header))
    }

    async fn value<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let (_, body) = self.exchange(request).await?;
        self.parse(&body)
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> anyhow::Result<T> {
        serde_json::from_slice(body)
            .with_context(|| format!("the answer of {} is not one of a Tidings daemon", self.shown()))
    }

    /// The headers and the body of a successful answer.
    async fn exchange(&self, request: RequestBuilder) -> anyhow::Result<(HeaderMap, Vec<u8>)> {
        let response = self.send(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.body(response).await?;
        if status.is_redirection() {
            let location = headers.get(reqwest::header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            bail!("{} redirects to {location}, which is not followed: give the daemon's own URL", self.shown());
        }
        if !status.is_success() {
            let problem: ProblemDocument = serde_json::from_slice(&body).unwrap_or_default();
            return Err(RequestRefused::new(status, problem).into());
        }
        Ok((headers, body))
    }

    /// Sends a request, again while the daemon answers that the token makes too many.
    async fn send(&self, mut request: RequestBuilder) -> anyhow::Result<Response> {
        let mut waited = Duration::ZERO;
        loop {
            let again = request.try_clone();
            let response = request.send().await.map_err(|error| self.unreachable(&error))?;
            let (Some(again), Some(wait)) = (again, retry_after(&response)) else { return Ok(response) };
            waited += wait;
            if waited > QUOTA_WAIT {
                return Ok(response);
            }
            tokio::time::sleep(wait).await;
            request = again;
        }
    }

    async fn body(&self, mut response: Response) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                bail!("the answer of {} is larger than {ANSWER_BYTES} bytes", self.shown());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let (url, cause) = (self.shown(), causes(error));
        if cause.contains("CaUsedAsEndEntity") {
            return anyhow!(
                "the certificate of {url} is that of a CA, which a server cannot use: make one with CA:FALSE"
            );
        }
        if cause.contains("invalid peer certificate") {
            return anyhow!(
                "the certificate of {url} is not trusted ({cause}); --ca-file FILE adds a root certificate"
            );
        }
        if error.is_connect() {
            return anyhow!("cannot reach the daemon at {url}: is it running? ({cause})");
        }
        if error.is_timeout() {
            return anyhow!("no answer from {url} in time");
        }
        anyhow!("the connection to {url} failed: {cause}")
    }

    fn shown(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }
}

fn if_match<R>(request: RequestBuilder, read: &Tagged<R>) -> RequestBuilder {
    match &read.etag {
        Some(etag) => request.header(IF_MATCH, etag),
        None => request,
    }
}

fn json(request: RequestBuilder, body: &impl Serialize) -> anyhow::Result<RequestBuilder> {
    Ok(request.header(CONTENT_TYPE, JSON).body(serde_json::to_vec(body)?))
}

/// The wait that a daemon asks for which refuses the request for its quota.
fn retry_after(response: &Response) -> Option<Duration> {
    let header = response.headers().get(RETRY_AFTER).filter(|_| response.status() == StatusCode::TOO_MANY_REQUESTS)?;
    Some(Duration::from_secs(header.to_str().ok()?.parse().ok()?))
}

/// The causes of a failure, without reqwest's own line, which repeats the URL.
fn causes(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    causes.last().cloned().unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests;
