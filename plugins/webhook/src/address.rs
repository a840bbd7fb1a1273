//! Where a delivery may be sent: a web address in normal form, or a name within the channel's only URL.

use thiserror::Error;
use tidings_plugin::address::{self, WebAddressError};

/// The longest address that Tidings keeps, in characters.
const ADDRESS_CHARS: usize = 500;

/// Why a text is no address; one line for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("this is no web address, like https://hooks.example.org/tidings")]
    NoUrl,
    #[error("only https addresses are allowed")]
    Scheme,
    #[error("a web address with a user name or password in it is not allowed")]
    Credentials,
    #[error("this is longer than {ADDRESS_CHARS} characters")]
    TooLong,
    #[error("a name is one line of text, without white space at its ends")]
    Name,
}

/// A URL that is delivered to, in normal form and without fragment.
pub fn web(text: &str, plain_http: bool) -> Result<String, AddressError> {
    let mut url = address::web(text.trim(), plain_http)?;
    url.set_fragment(None);
    short(url.into())
}

impl From<WebAddressError> for AddressError {
    fn from(error: WebAddressError) -> AddressError {
        match error {
            WebAddressError::NoUrl => AddressError::NoUrl,
            WebAddressError::Scheme => AddressError::Scheme,
            WebAddressError::Credentials => AddressError::Credentials,
        }
    }
}

/// A user's name at the channel's only URL.
pub fn name(text: &str) -> Result<String, AddressError> {
    let name = text.trim();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(AddressError::Name);
    }
    short(name.to_owned())
}

fn short(text: String) -> Result<String, AddressError> {
    if text.chars().count() > ADDRESS_CHARS { Err(AddressError::TooLong) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::AddressError::*;
    use super::*;

    #[test]
    fn a_web_address_gets_its_normal_form_or_is_refused() {
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
            ("hooks.example.org", Err(NoUrl)),
            ("https://", Err(NoUrl)),
            ("https:// hooks.example.org/", Err(NoUrl)),
            ("https://hooks.exa\nmple.org/", Err(NoUrl)),
            ("https://hooks.example.org/\r\nx", Err(NoUrl)),
            ("https://xn--a/", Err(NoUrl)),
            ("", Err(NoUrl)),
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
