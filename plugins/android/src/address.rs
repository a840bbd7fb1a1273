//! Addresses: a registration token of FCM, or a UnifiedPush endpoint with or without keys for encryption.
//!
//! An endpoint with keys is one URL. Its fragment has the keys of a push subscription:
//! `https://push.example.org/ZkV3vQ8#p256dh=BLn9…&auth=_ord…`, both in base64url without padding. The fragment must never
//! be sent.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use thiserror::Error;
use tidings_plugin::address::{self, WebAddressError};
use web_push_native::{Auth, p256};

/// The longest address that Tidings stores, in characters.
const ADDRESS_CHARS: usize = 500;
/// The shortest registration token, in characters. The id of an installation alone has 22.
const TOKEN_CHARS: usize = 20;
/// The length of the secret that the app shares with senders (RFC 8291, 3.2), in octets.
const AUTH_OCTETS: usize = 16;

/// The address of a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A registration token of FCM.
    Token(String),
    /// A UnifiedPush endpoint: its URL without fragment, and the keys of the app.
    Endpoint { url: String, keys: Option<Keys> },
}

/// The keys to encrypt for an app (RFC 8291): its public key and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub p256dh: p256::PublicKey,
    pub auth: Auth,
}

/// Why an address is invalid, in one line for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("this is neither a registration token nor a URL such as https://push.example.org/ZkV3vQ8")]
    Unrecognized,
    #[error("this channel accepts only UnifiedPush endpoints, such as https://push.example.org/ZkV3vQ8")]
    TokenUnsupported,
    #[error("only https addresses are allowed")]
    Scheme,
    #[error("a URL with a user name or a password is not allowed")]
    Credentials,
    #[error("the part after # must be p256dh=KEY&auth=SECRET, with the values that the app shows")]
    Keys,
    #[error("this is longer than {ADDRESS_CHARS} characters")]
    TooLong,
}

impl Address {
    /// Parses an address. With `plain_http`, an endpoint may use http.
    pub fn parse(text: &str, plain_http: bool) -> Result<Address, AddressError> {
        let text = text.trim();
        let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
        let address = match text.contains("://") {
            true => endpoint(text, plain_http)?,
            false if text.len() >= TOKEN_CHARS && text.chars().all(token) => Address::Token(text.to_owned()),
            false => return Err(AddressError::Unrecognized),
        };
        match address.to_string().chars().count() {
            0..=ADDRESS_CHARS => Ok(address),
            _ => Err(AddressError::TooLong),
        }
    }
}

/// The normal form, which parses to the same address.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Token(token) => f.write_str(token),
            Address::Endpoint { url, keys: None } => f.write_str(url),
            Address::Endpoint { url, keys: Some(keys) } => {
                let encode = |octets: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(octets);
                let p256dh = encode(&keys.p256dh.to_sec1_bytes());
                write!(f, "{url}#p256dh={p256dh}&auth={}", encode(&keys.auth))
            }
        }
    }
}

fn endpoint(text: &str, plain_http: bool) -> Result<Address, AddressError> {
    let mut url = address::web(text, plain_http)?;
    let keys = match url.fragment() {
        None | Some("") => None,
        Some(fragment) => Some(keys(fragment).ok_or(AddressError::Keys)?),
    };
    url.set_fragment(None);
    Ok(Address::Endpoint { url: url.into(), keys })
}

impl From<WebAddressError> for AddressError {
    fn from(error: WebAddressError) -> AddressError {
        match error {
            WebAddressError::NoUrl => AddressError::Unrecognized,
            WebAddressError::Scheme => AddressError::Scheme,
            WebAddressError::Credentials => AddressError::Credentials,
        }
    }
}

/// Parses a fragment: both keys and nothing else, in any order.
fn keys(fragment: &str) -> Option<Keys> {
    let (one, two) = fragment.split_once('&')?;
    let (one, two) = (one.split_once('=')?, two.split_once('=')?);
    let (p256dh, auth) = match (one.0, two.0) {
        ("p256dh", "auth") => (one.1, two.1),
        ("auth", "p256dh") => (two.1, one.1),
        _ => return None,
    };
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let auth = decode(auth).filter(|auth| auth.len() == AUTH_OCTETS)?;
    // The point must be uncompressed (RFC 8291, 3.1) and lie on the curve.
    let p256dh = decode(p256dh).filter(|point| point.first() == Some(&4))?;
    let p256dh = p256::PublicKey::from_sec1_bytes(&p256dh).ok()?;
    Some(Keys { p256dh, auth: Auth::clone_from_slice(&auth) })
}

#[cfg(test)]
mod tests {
    use super::AddressError::*;
    use super::*;

    /// From RFC 8291, section 5.
    const KEYS: &str = "p256dh=BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4&auth=BTBZMqHH6r4Tts7J_aSIgg";

    #[test]
    fn a_valid_address_gets_its_normal_form_and_an_invalid_one_an_error() {
        let token = format!("d1Xq_-7:APA91b{}", "x".repeat(130));
        let keyed = format!("https://push.example.org/Zk#{KEYS}");
        let (p256dh, auth) = KEYS.split_once('&').unwrap();
        let swapped = format!("https://PUSH.example.org:443/a/../Zk#{auth}==&{p256dh}=");
        let half = format!("https://push.example.org/Zk#{auth}");
        let not_a_point = keyed.replace("BCVx", "BCVy");
        let short_auth = keyed.replace("auth=BTBZ", "auth=");
        let more = format!("{keyed}&x=y");
        let long = format!("https://a.example/{}", "x".repeat(500));
        let (token, keyed) = (token.as_str(), keyed.as_str());
        for (text, expected) in [
            (token, Ok(token)),
            (&format!(" {token}\n"), Ok(token)),
            ("https://push.example.org/Zk?up=1", Ok("https://push.example.org/Zk?up=1")),
            ("https://push.example.org/Zk#", Ok("https://push.example.org/Zk")),
            (keyed, Ok(keyed)),
            (&swapped, Ok(keyed)),
            (&half, Err(Keys)),
            (&not_a_point, Err(Keys)),
            (&short_auth, Err(Keys)),
            (&more, Err(Keys)),
            ("https://push.example.org/Zk#top", Err(Keys)),
            ("http://push.example.org/Zk", Err(Scheme)),
            ("ftp://push.example.org/Zk", Err(Scheme)),
            ("https://u:p@push.example.org/Zk", Err(Credentials)),
            ("https://push.exa\nmple.org/Zk", Err(Unrecognized)),
            ("https://", Err(Unrecognized)),
            ("+49 170 1234567890 12345", Err(Unrecognized)),
            ("short", Err(Unrecognized)),
            ("", Err(Unrecognized)),
            (&long, Err(TooLong)),
            (&"x".repeat(501), Err(TooLong)),
        ] {
            let address = Address::parse(text, false);
            assert_eq!(address.map(|address| address.to_string()).as_deref(), expected.as_ref().copied(), "{text:?}");
        }
        assert!(Address::parse("http://phone.lan/Zk", true).is_ok());
    }
}
