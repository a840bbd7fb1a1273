//! The signature of Standard Webhooks (<https://www.standardwebhooks.com>, specification, "Symmetric"): HMAC-SHA256 over
//! `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;

/// What a secret starts with.
const PREFIX: &str = "whsec_";
/// The specification's bounds of a key, in octets.
const KEY_OCTETS: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets that sign at the same time: the new one and the one that it replaces.
const KEYS: usize = 2;

/// The keys that sign. Not shown by `Debug`, and never written anywhere.
#[derive(Clone)]
pub struct Signer {
    keys: Vec<Hmac<Sha256>>,
}

/// Why a setting is no secret; it never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecretError {
    #[error("a secret is `{PREFIX}` and base64")]
    Shape,
    #[error("a secret has 24 to 64 bytes (32 to 88 characters of base64)")]
    Length,
    #[error("one secret, or two with a space between them while one replaces the other")]
    Count,
}

impl Signer {
    /// From `whsec_…`, or two of them with a space between.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let keys: Vec<_> = text.split_ascii_whitespace().map(key).collect::<Result<_, _>>()?;
        if (1..=KEYS).contains(&keys.len()) { Ok(Signer { keys }) } else { Err(SecretError::Count) }
    }

    /// The value of `webhook-signature`: one signature for each key.
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let signed = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(format!("{id}.{timestamp_s}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.keys.iter().map(signed).collect::<Vec<_>>().join(" ")
    }
}

fn key(text: &str) -> Result<Hmac<Sha256>, SecretError> {
    let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Shape)?;
    let octets = STANDARD.decode(encoded).map_err(|_| SecretError::Shape)?;
    if !KEY_OCTETS.contains(&octets.len()) {
        return Err(SecretError::Length);
    }
    Hmac::new_from_slice(&octets).map_err(|_| SecretError::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_that_of_the_specifications_test_vector() {
        let body = br#"{"test": 2432232314}"#;
        let sign = |secret| Signer::parse(secret).unwrap().sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(SECRET), expected);
        let both = format!("whsec_{} {SECRET}", STANDARD.encode([7; 32]));
        let (new, old) = sign(&both).split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!(old, expected);
        assert!(new.starts_with("v1,") && new != old);
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let of = |octets: usize| format!("whsec_{}", STANDARD.encode(vec![1; octets]));
        for (text, expected) in [
            (String::new(), Some(SecretError::Count)),
            ("secret".to_owned(), Some(SecretError::Shape)),
            (SECRET.replace("whsec_", ""), Some(SecretError::Shape)),
            ("whsec_a-b".to_owned(), Some(SecretError::Shape)),
            (of(23), Some(SecretError::Length)),
            (of(24), None),
            (of(64), None),
            (of(65), Some(SecretError::Length)),
            (format!("{SECRET} {SECRET} {SECRET}"), Some(SecretError::Count)),
        ] {
            assert_eq!(Signer::parse(&text).err(), expected, "{text}");
        }
    }
}
