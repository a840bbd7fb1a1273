//! One bounded GET of a JSON document. It stays on the configured host, reads a bounded number of bytes, and keeps 404
//! (does not exist) apart from every failure.

use std::time::Duration;

use crate::limits;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::settings::{AclSettingsError, ServiceSettings};

/// Connections that are kept open without a request, and for how long.
const IDLE_CONNECTIONS: usize = 4;
const IDLE: Duration = Duration::from_secs(30);

/// Why a service's answer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No connection, or it broke before the answer was complete.
    #[error("the service cannot be reached: {}", chain(.0))]
    Unreachable(#[source] reqwest::Error),
    #[error("the service answered with status {0}")]
    Status(u16),
    #[error("the answer is larger than {} bytes", limits::ACL_RESPONSE_BYTES)]
    TooLarge,
    /// Not the documented JSON.
    #[error("the answer does not have the documented form: {0}")]
    Invalid(String),
}

/// An error with its causes: reqwest's own text omits them.
fn chain(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A service: its address, and a client that keeps connections to it.
#[derive(Clone, Debug)]
pub(super) struct HttpService {
    client: Client,
    base: Url,
    /// Whether its paths end in a slash; without it some services answer with a redirect.
    trailing_slash: bool,
}

impl HttpService {
    pub(super) fn new(settings: &ServiceSettings) -> Result<HttpService, AclSettingsError> {
        let base = settings.url.clone();
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(AclSettingsError::Url(base));
        }
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        if let Some(secret) = &settings.authorization {
            let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| AclSettingsError::Authorization)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tidings_tls::https_client_config(None)?)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(Policy::custom(same_host))
            .connect_timeout(limits::ACL_CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(AclSettingsError::Client)?;
        Ok(HttpService { client, base, trailing_slash: false })
    }

    pub(super) fn with_trailing_slash(self) -> HttpService {
        HttpService { trailing_slash: true, ..self }
    }

    /// The document at `base/segments…?query`; none if the service answers that it does not exist. Segments are
    /// escaped, so that a package's name cannot lead to another path.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, u32)],
    ) -> Result<Option<T>, ServiceError> {
        let Some(url) = self.url(segments, query) else { return Ok(None) };
        let mut response = self.client.get(url).send().await.map_err(ServiceError::Unreachable)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(ServiceError::Status(status.as_u16())),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(ServiceError::Unreachable)? {
            if body.len() + chunk.len() > limits::ACL_RESPONSE_BYTES {
                return Err(ServiceError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map(Some).map_err(|error| ServiceError::Invalid(error.to_string()))
    }

    /// None for names that cannot be part of a path; no package or group has such a name.
    fn url(&self, segments: &[&str], query: &[(&str, u32)]) -> Option<Url> {
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return None;
        }
        let mut url = self.base.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(segments).extend(self.trailing_slash.then_some(""));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query.iter().map(|(key, value)| (key, value.to_string())));
        }
        Some(url)
    }
}

/// Requests and credentials go to the configured host only.
fn same_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let here = attempt.previous().first().map(Url::origin);
    if here != Some(attempt.url().origin()) {
        return attempt.error("the service redirects to another host");
    }
    if attempt.previous().len() > limits::ACL_REDIRECTS {
        attempt.error("too many redirects")
    } else {
        attempt.follow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_to_another_path() {
        let settings = ServiceSettings { url: "https://lists.example/api/".parse().unwrap(), authorization: None };
        let service = HttpService::new(&settings).unwrap();
        let table = [
            ("guake", Some("https://lists.example/api/package/guake")),
            ("a/../b?x#y", Some("https://lists.example/api/package/a%2F..%2Fb%3Fx%23y")),
            ("gtk+ü", Some("https://lists.example/api/package/gtk+%C3%BC")),
            ("..", None),
            ("", None),
        ];
        for (name, expected) in table {
            let url = service.url(&["package", name], &[]).map(String::from);
            assert_eq!(url.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn an_address_without_http_is_refused() {
        for url in ["ftp://lists.example/", "file:///etc/passwd", "data:text/plain,x"] {
            let settings = ServiceSettings { url: url.parse().unwrap(), authorization: None };
            assert!(matches!(HttpService::new(&settings), Err(AclSettingsError::Url(_))), "{url}");
        }
    }
}
