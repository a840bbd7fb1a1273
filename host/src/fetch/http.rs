//! One bounded GET request that follows few redirects. The policy checks each address on the way.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Client, Response, redirect};
use tidings_domain::secret::Secret;
use url::Url;

use super::{FetchError, FetchPolicy, limits};

/// A client that connects only where the policy allows it.
pub(super) struct FetchClient {
    client: Client,
    policy: FetchPolicy,
}

/// A request for one file.
pub(super) struct FetchRequest<'a> {
    pub(super) url: &'a Url,
    pub(super) accept: &'static str,
    /// Sent to the URL's own origin only, not to where that redirects.
    pub(super) token: Option<&'a Secret>,
    /// The longest body, in bytes.
    pub(super) most: usize,
}

impl<'a> FetchRequest<'a> {
    pub(super) fn of(url: &'a Url, most: usize) -> FetchRequest<'a> {
        FetchRequest { url, accept: "*/*", token: None, most }
    }
}

/// An answer that is not an error.
pub(super) enum FetchResponse {
    Body(Bytes),
    /// Status 401, with the value of `WWW-Authenticate`.
    Challenge(String),
}

impl FetchClient {
    pub(super) fn new(policy: FetchPolicy, ca_file: Option<&PathBuf>) -> Result<FetchClient, String> {
        let tls = tidings_tls::https_client_config(ca_file.map(PathBuf::as_path));
        let tls = tls.map_err(|error| format!("tls.ca_file: {error}"))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            // A proxy would resolve names itself, unchecked.
            .no_proxy()
            .referer(false)
            .dns_resolver(Arc::new(policy.clone()))
            .connect_timeout(tidings_sandbox::limits::CONNECT_TIMEOUT)
            .read_timeout(tidings_sandbox::limits::NETWORK_TIMEOUT)
            .timeout(limits::FETCH_TIME)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| chain(&error))?;
        Ok(FetchClient { client, policy })
    }

    pub(super) fn policy(&self) -> &FetchPolicy {
        &self.policy
    }

    /// The body. A server that asks for authentication is an error.
    pub(super) async fn get(&self, ask: &FetchRequest<'_>) -> Result<Bytes, FetchError> {
        match self.ask(ask).await? {
            FetchResponse::Body(body) => Ok(body),
            FetchResponse::Challenge(_) => Err(FetchError::Status { host: host(ask.url), status: 401 }),
        }
    }

    pub(super) async fn ask(&self, ask: &FetchRequest<'_>) -> Result<FetchResponse, FetchError> {
        let mut url = ask.url.clone();
        for _ in 0..=limits::FETCH_REDIRECTS {
            self.policy.url(&url)?;
            let mut request = self.client.get(url.clone()).header(ACCEPT, ask.accept);
            if let Some(token) = ask.token.filter(|_| url.origin() == ask.url.origin()) {
                let header = HeaderValue::try_from(format!("Bearer {}", token.expose()));
                let mut header = header.map_err(|_| registry(&url, "its token is not valid in a header"))?;
                header.set_sensitive(true);
                request = request.header(AUTHORIZATION, header);
            }
            let response = request.send().await.map_err(|error| failed(&url, error))?;
            let status = response.status();
            if status.is_redirection() {
                let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                let next = location.and_then(|to| url.join(to).ok());
                url = next.ok_or_else(|| FetchError::Redirects { host: host(&url) })?;
            } else if status.is_success() {
                return Ok(FetchResponse::Body(body(&url, response, ask.most).await?));
            } else {
                let wanted = response.headers().get(WWW_AUTHENTICATE).and_then(|wanted| wanted.to_str().ok());
                return match wanted.filter(|_| status.as_u16() == 401) {
                    Some(wanted) => Ok(FetchResponse::Challenge(wanted.to_owned())),
                    None => Err(FetchError::Status { host: host(&url), status: status.as_u16() }),
                };
            }
        }
        Err(FetchError::Redirects { host: host(ask.url) })
    }
}

async fn body(url: &Url, mut response: Response, most: usize) -> Result<Bytes, FetchError> {
    let too_large = || FetchError::TooLarge { host: host(url), most };
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, error))? {
        if body.len() + chunk.len() > most {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

pub(super) fn host(url: &Url) -> String {
    url.host_str().unwrap_or("unknown").to_owned()
}

pub(super) fn registry(url: &Url, detail: impl Into<String>) -> FetchError {
    FetchError::Registry { host: host(url), detail: detail.into() }
}

/// The error of a request. Where the policy refused an address while a name was resolved, it is the policy's error.
fn failed(url: &Url, error: reqwest::Error) -> FetchError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(FetchError::Address { host, address, what, remedy }) = inner.downcast_ref() {
            return FetchError::Address { host: host.clone(), address: *address, what, remedy };
        }
        cause = inner.source();
    }
    FetchError::Unreachable { host: host(url), detail: chain(&error.without_url()) }
}

/// An error with its causes: the client's own text leaves out the reason.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
