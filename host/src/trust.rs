//! Which components may run here: detached Ed25519 signatures in minisign's format, the keys of publishers, and the rule for
//! unsigned components. A signature says who made a file; what the file may do is for grants and limits.

use minisign_verify::{Error as KeyError, PublicKey, Signature};
use serde::Deserialize;
use tidings_store::Signed;

/// `[trust]`: without it any component may be installed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrustConfig {
    /// A component without a valid signature is neither installed nor run.
    pub required: bool,
    pub publishers: Vec<PublisherConfig>,
}

/// A publisher of components.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublisherConfig {
    pub name: String,
    /// minisign's public keys: the second line of a `.pub` file. Several while one replaces another.
    pub keys: Vec<String>,
    /// The plugins that this publisher may sign, by the name in their manifest; any where it is absent.
    pub plugins: Option<Vec<String>>,
}

/// The policy, with its keys parsed.
#[derive(Debug, Default)]
pub struct Trust {
    required: bool,
    publishers: Vec<Publisher>,
}

#[derive(Debug)]
struct Publisher {
    name: String,
    keys: Vec<Key>,
    plugins: Option<Vec<String>>,
}

/// A public key, and its text in the settings.
#[derive(Debug)]
struct Key {
    text: String,
    key: PublicKey,
}

/// Why a component is not trusted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("it is not signed, and `trust.required` is set")]
    Unsigned,
    #[error("the signature is not one of minisign's")]
    Unreadable,
    #[error("the signature is by a key that no publisher in `trust.publishers` has")]
    UnknownKey,
    #[error("the signature is not of this file: one of them was changed")]
    Forged,
    #[error("the signature is of minisign's legacy form, of the file and not of its hash; sign it again without `-l`")]
    Legacy,
    #[error("`{publisher}` may not sign the plugin `{plugin}`")]
    PluginNotAllowed { publisher: String, plugin: String },
    #[error("it was installed with a signature of `{0}` by a key that no publisher in `trust.publishers` has any more")]
    KeyRemoved(String),
}

impl Trust {
    /// Parses the keys.
    ///
    /// # Errors
    /// A key that cannot be parsed.
    pub fn new(config: &TrustConfig) -> Result<Trust, String> {
        let publisher = |config: &PublisherConfig| {
            let key = |text: &String| {
                let text = text.trim().to_owned();
                let wrong = |error| format!("trust.publishers: `{}`: a key cannot be read: {error}", config.name);
                PublicKey::from_base64(&text).map_err(wrong).map(|key| Key { text, key })
            };
            let keys = config.keys.iter().map(key).collect::<Result<_, _>>()?;
            Ok(Publisher { name: config.name.clone(), keys, plugins: config.plugins.clone() })
        };
        let publishers = config.publishers.iter().map(publisher).collect::<Result<_, String>>()?;
        Ok(Trust { required: config.required, publishers })
    }

    /// The publisher and key that signed a file. To be called before the file is read in any other way. A large file takes a
    /// while.
    ///
    /// # Errors
    /// An invalid signature is refused also where none is required.
    pub fn verify(&self, file: &[u8], signature: Option<&str>) -> Result<Option<Signed>, SignatureError> {
        let Some(text) = signature else {
            return if self.required { Err(SignatureError::Unsigned) } else { Ok(None) };
        };
        let signature = Signature::decode(text).map_err(|_| SignatureError::Unreadable)?;
        for publisher in &self.publishers {
            for Key { text, key } in &publisher.keys {
                match key.verify(file, &signature, false) {
                    Ok(()) => return Ok(Some(Signed { publisher: publisher.name.clone(), key: text.clone() })),
                    Err(KeyError::UnexpectedKeyId) => {}
                    Err(KeyError::UnexpectedAlgorithm) => return Err(SignatureError::Legacy),
                    Err(_) => return Err(SignatureError::Forged),
                }
            }
        }
        Err(SignatureError::UnknownKey)
    }

    /// Whether an installed component may run with the present configuration, which may have changed since.
    pub fn permits(&self, signed: Option<&Signed>, plugin: &str) -> Result<(), SignatureError> {
        match signed {
            _ if !self.required => Ok(()),
            None => Err(SignatureError::Unsigned),
            Some(signed) => self.may_sign(signed, plugin),
        }
    }

    /// Whether the key may sign this plugin. A key that was removed from the settings invalidates everything that it signed,
    /// also where its publisher has other keys.
    pub fn may_sign(&self, signed: &Signed, plugin: &str) -> Result<(), SignatureError> {
        let has_key = |publisher: &&Publisher| publisher.keys.iter().any(|key| key.text == signed.key);
        let publisher = self.publishers.iter().find(has_key);
        let Publisher { name, plugins, .. } =
            publisher.ok_or_else(|| SignatureError::KeyRemoved(signed.publisher.clone()))?;
        match plugins {
            Some(theirs) if !theirs.iter().any(|one| one == plugin) => {
                Err(SignatureError::PluginNotAllowed { publisher: name.clone(), plugin: plugin.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use minisign::KeyPair;

    use super::*;

    const FILE: &[u8] = b"\0asm a component";

    fn pair() -> KeyPair {
        KeyPair::generate_unencrypted_keypair().expect("random numbers")
    }

    fn sign(pair: &KeyPair, file: &[u8]) -> String {
        minisign::sign(None, &pair.sk, Cursor::new(file), Some("made for a test"), None).expect("it signs").to_string()
    }

    fn trust(required: bool, pair: &KeyPair, plugins: Option<&[&str]>) -> Trust {
        let plugins = plugins.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let publisher = PublisherConfig { name: "fedora".to_owned(), keys: vec![pair.pk.to_base64()], plugins };
        Trust::new(&TrustConfig { required, publishers: vec![publisher] }).expect("a key")
    }

    #[test]
    fn a_component_is_judged_by_its_signature() {
        let (ours, theirs) = (pair(), pair());
        let valid = sign(&ours, FILE);
        for (name, required, signature, expected) in [
            ("unsigned where it may be", false, None, Ok(None)),
            ("unsigned where it may not", true, None, Err(SignatureError::Unsigned)),
            ("signed", true, Some(valid.as_str()), Ok(Some("fedora"))),
            ("signed, though it need not be", false, Some(valid.as_str()), Ok(Some("fedora"))),
            ("of another file", false, Some(&sign(&ours, b"\0asm another")), Err(SignatureError::Forged)),
            ("by an unknown key", false, Some(&sign(&theirs, FILE)), Err(SignatureError::UnknownKey)),
            ("not a signature", false, Some("hello"), Err(SignatureError::Unreadable)),
            ("cut off", true, valid.get(..valid.len() / 2), Err(SignatureError::Unreadable)),
        ] {
            let trust = trust(required, &ours, None);
            let verdict = trust.verify(FILE, signature).map(|signed| signed.map(|signed| signed.publisher));
            assert_eq!(verdict, expected.map(|name| name.map(str::to_owned)), "{name}");
        }
    }

    #[test]
    fn a_publisher_signs_its_own_plugins_only() {
        let pair = pair();
        let trust = trust(true, &pair, Some(&["email"]));
        let signature = sign(&pair, FILE);
        let signed = trust.verify(FILE, Some(&signature)).expect("valid").expect("signed");
        assert_eq!(trust.may_sign(&signed, "email"), Ok(()));
        let other = SignatureError::PluginNotAllowed { publisher: "fedora".into(), plugin: "irc".into() };
        assert_eq!(trust.may_sign(&signed, "irc"), Err(other));
    }

    #[test]
    fn what_was_installed_before_the_policy_changed_is_judged_by_the_new_one() {
        let (pair, compromised) = (self::pair(), self::pair());
        let strict = trust(true, &pair, Some(&["email"]));
        let by = |pair: &KeyPair| Signed { publisher: "fedora".into(), key: pair.pk.to_base64() };
        assert_eq!(strict.permits(Some(&by(&pair)), "email"), Ok(()));
        assert_eq!(strict.permits(None, "email"), Err(SignatureError::Unsigned));
        let gone = Err(SignatureError::KeyRemoved("fedora".into()));
        assert_eq!(strict.permits(Some(&by(&compromised)), "email"), gone, "the publisher stayed and the key went");
        assert!(matches!(strict.permits(Some(&by(&pair)), "irc"), Err(SignatureError::PluginNotAllowed { .. })));
        assert_eq!(trust(false, &pair, None).permits(None, "email"), Ok(()));
    }

    /// What `minisign -S -l` writes: the file itself is signed, not its hash.
    #[test]
    fn a_legacy_signature_has_an_error_of_its_own() {
        let text = "untrusted comment: signature from minisign secret key\n\
            RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n\
            trusted comment: timestamp:1555779966\tfile:test\n\
            QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";
        let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3".to_owned();
        let publisher = PublisherConfig { name: "fedora".into(), keys: vec![key], plugins: None };
        let trust = Trust::new(&TrustConfig { required: true, publishers: vec![publisher] }).expect("a key");
        assert_eq!(trust.verify(b"test", Some(text)), Err(SignatureError::Legacy));
    }

    #[test]
    fn a_key_that_cannot_be_parsed_is_an_error_of_the_configuration() {
        let publisher = PublisherConfig { name: "fedora".into(), keys: vec!["RWQ".into()], plugins: None };
        let error = Trust::new(&TrustConfig { required: false, publishers: vec![publisher] }).expect_err("no key");
        assert!(error.contains("`fedora`"), "{error}");
    }
}
