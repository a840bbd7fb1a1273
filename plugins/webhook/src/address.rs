//! Addresses: a URL in normal form, or a name for the shared URL of the channel. It must not read settings.

use thiserror::Error;
use tidings_plugin::address::{self, WebAddressError};

/// The longest address that Tidings stores, in characters.
const ADDRESS_CHARS: usize = 500;

/// Why an address is invalid, in one line for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("this is not a valid URL; an example is https://hooks.example.org/tidings")]
    InvalidUrl,
    #[error("only https addresses are allowed")]
    Scheme,
    #[error("a URL with a user name or a password is not allowed")]
    Credentials,
    #[error("this is longer than {ADDRESS_CHARS} characters")]
    TooLong,
    #[error("a name is one line of text without control characters")]
    Name,
}

/// Parses a URL and returns its normal form, without the fragment.
pub fn web(text: &str, plain_http: bool) -> Result<String, AddressError> {
    let mut url = address::web(text.trim(), plain_http)?;
    url.set_fragment(None);
    limited(url.into())
}

impl From<WebAddressError> for AddressError {
    fn from(error: WebAddressError) -> AddressError {
        match error {
            WebAddressError::NoUrl => AddressError::InvalidUrl,
            WebAddressError::Scheme => AddressError::Scheme,
            WebAddressError::Credentials => AddressError::Credentials,
        }
    }
}

/// Parses the name of a user for the shared URL of the channel.
pub fn name(text: &str) -> Result<String, AddressError> {
    let name = text.trim();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(AddressError::Name);
    }
    limited(name.to_owned())
}

fn limited(text: String) -> Result<String, AddressError> {
    if text.chars().count() > ADDRESS_CHARS { Err(AddressError::TooLong) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::AddressError::*;
    use super::*;

    #[test]
    fn a_valid_url_gets_its_normal_form_and_an_invalid_one_an_error() {
        let long = format!("https://a.example/{}", "x".repeat(500));
        for (text, expected) in [
            ("https://hooks.example.org/a?b=c", Ok("https://hooks.example.org/a?b=c")),
            (" HTTPS://Hooks.Example.org:443/a/../b#secret ", Ok("https://hooks.example.org/b")),
            ("https://hooks.example.org:8443", Ok("https://hooks.example.org:8443/")),
            ("https://bücher.example/ü", Ok("https://xn--bcher-kva.example/%C3%BC")),
            ("https://BÜCHER.example/", Ok("https://xn--bcher-kva.example/")),
            ("https://127.1/", Ok("https://127.0.0.1/")),
            ("https://[::1]/", Ok("https://[::1]/")),
            ("http://hooks.example.org/", Err(Scheme)),
            ("ftp://hooks.example.org/", Err(Scheme)),
            ("javascript:alert(1)", Err(Scheme)),
            ("https://user@hooks.example.org/", Err(Credentials)),
            ("https://user:pw@hooks.example.org/", Err(Credentials)),
            ("https://:pw@hooks.example.org/", Err(Credentials)),
            ("hooks.example.org", Err(InvalidUrl)),
            ("https://", Err(InvalidUrl)),
            ("https:// hooks.example.org/", Err(InvalidUrl)),
            ("https://hooks.exa\nmple.org/", Err(InvalidUrl)),
            ("https://hooks.example.org/\r\nx", Err(InvalidUrl)),
            ("https://xn--a/", Err(InvalidUrl)),
            ("", Err(InvalidUrl)),
            (&long, Err(TooLong)),
        ] {
            assert_eq!(web(text, false).as_deref(), expected.as_ref().copied(), "{text:?}");
        }
        assert_eq!(web("http://intern:8080/x", true).as_deref(), Ok("http://intern:8080/x"));
    }

    #[test]
    fn a_name_is_one_line() {
        assert_eq!(name(" ralph "), Ok("ralph".into()));
        for text in ["", " ", "a\nb", "a\0"] {
            assert_eq!(name(text), Err(Name), "{text:?}");
        }
    }
}
