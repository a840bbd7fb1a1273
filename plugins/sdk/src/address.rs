//! Web addresses that users give for themselves (feature `url`). They decide where a delivery goes, so what could mean two
//! things is refused.

use url::{Host, Url};

/// Why a text is no web address that is delivered to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebAddressError {
    /// It is none at all.
    NoUrl,
    /// Neither https nor, where that is allowed, http.
    Scheme,
    /// It has a user name or a password, which would be one in the open.
    Credentials,
}

/// An https URL (with `plain_http`, also http) in normal form: the host in lower case and as IDNA's ASCII, the port only
/// where it is not the usual one, the path without `.` and `..`. Its fragment is kept.
pub fn web(text: &str, plain_http: bool) -> Result<Url, WebAddressError> {
    // The URL standard drops these silently; anyone who has them in an address meant something else.
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(WebAddressError::NoUrl);
    }
    let url = Url::parse(text).map_err(|_| WebAddressError::NoUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if plain_http => {}
        _ => return Err(WebAddressError::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(WebAddressError::Credentials);
    }
    match url.host() {
        None | Some(Host::Domain("")) => Err(WebAddressError::NoUrl),
        Some(_) => Ok(url),
    }
}
