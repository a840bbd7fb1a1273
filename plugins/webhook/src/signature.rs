//! The signature of Standard Webhooks (<https://www.standardwebhooks.com>, specification, "Symmetric"): HMAC-SHA256 over
//! `id.timestamp.body`. No error or debug output may contain a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;

/// The prefix of a secret.
const PREFIX: &str = "whsec_";
/// The length of a key in octets, as the specification limits it.
const KEY_OCTETS: std::ops::RangeInclusive<usize> = 24..=64;
/// How many secrets sign at the same time: the new one and the one that it replaces.
const KEYS: usize = 2;

/// Signs with one or two keys. It has no `Debug`, so that the keys cannot be logged.
#[derive(Clone)]
pub struct Signer {
    keys: Vec<Hmac<Sha256>>,
}

/// Why a secret is invalid. The text does not quote the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecretError {
    #[error("a secret is `{PREFIX}` followed by base64")]
    Format,
    #[error("a secret has 24 to 64 bytes (32 to 88 characters of base64)")]
    Length,
    #[error("there must be one secret, or two separated by a space while one replaces the other")]
    Count,
}

impl Signer {
    /// Parses a secret `whsec_…`, or two separated by a space.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let keys: Vec<_> = text.split_ascii_whitespace().map(key).collect::<Result<_, _>>()?;
        if (1..=KEYS).contains(&keys.len()) { Ok(Signer { keys }) } else { Err(SecretError::Count) }
    }

    /// Returns the value of `webhook-signature`: one signature for each key.
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let signature = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(format!("{id}.{timestamp_s}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.keys.iter().map(signature).collect::<Vec<_>>().join(" ")
    }
}

fn key(text: &str) -> Result<Hmac<Sha256>, SecretError> {
    let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Format)?;
    let octets = STANDARD.decode(encoded).map_err(|_| SecretError::Format)?;
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
    fn the_signature_matches_the_test_vector_of_the_specification() {
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
    fn an_invalid_secret_is_refused() {
        let of = |octets: usize| format!("whsec_{}", STANDARD.encode(vec![1; octets]));
        for (text, expected) in [
            (String::new(), Some(SecretError::Count)),
            ("secret".to_owned(), Some(SecretError::Format)),
            (SECRET.replace("whsec_", ""), Some(SecretError::Format)),
            ("whsec_a-b".to_owned(), Some(SecretError::Format)),
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
