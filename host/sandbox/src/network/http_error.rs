//! Why an HTTP exchange of a plugin failed, and the permit that a URL needs.

use tidings_domain::grant::{Denial, Grants, Permit};
use tidings_domain::manifest::Capability;
use url::Url;

use super::NetworkError;

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HttpError {
    /// The request is invalid: its URL, method or a header.
    Invalid(String),
    Network(NetworkError),
}

/// Why an exchange with a credential failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeError {
    /// The credential could not be turned into a header, so nothing was sent. Says why.
    Credential(String),
    Http(HttpError),
}

impl<E: Into<HttpError>> From<E> for ExchangeError {
    fn from(error: E) -> Self {
        ExchangeError::Http(error.into())
    }
}

impl From<NetworkError> for HttpError {
    fn from(error: NetworkError) -> Self {
        HttpError::Network(error)
    }
}

impl From<Denial> for HttpError {
    fn from(denial: Denial) -> Self {
        HttpError::Network(denial.into())
    }
}

/// The permit for the host, port and scheme of `url`.
pub(crate) fn http_permit(grants: &Grants, url: &Url) -> Result<Permit, HttpError> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let permit = grants.permit(Capability::Http, host, port)?;
    if url.scheme() == "http" {
        permit.plain_http()?;
    }
    Ok(permit)
}
