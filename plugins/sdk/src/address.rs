//! Web addresses that users give for themselves (feature `url`). They decide where a delivery goes, so an ambiguous one
//! is refused.

use url::{Host, Url};

/// Why a text is not accepted as a web address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebAddressError {
    /// It is not a URL.
    NoUrl,
    /// Neither https nor, where that is allowed, http.
    Scheme,
    /// It has a user name or a password, which would not be kept secret.
    Credentials,
}

/// Parses an https URL (with `plain_http`, also http) and returns it in normal form: the host in lower case and in the
/// ASCII form of IDNA, the port only where it is not the default, the path without `.` and `..`. The fragment is kept.
pub fn web(text: &str, plain_http: bool) -> Result<Url, WebAddressError> {
    // The URL standard drops these characters silently. An address that has them is probably a mistake.
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
