//! Whose components may run here: detached Ed25519 signatures in minisign's format, the keys of publishers, and what is asked
//! of a component without one. A signature says who made a file; what the file may do is for grants and limits.

use minisign_verify::{Error as KeyError, PublicKey, Signature};
use serde::Deserialize;

/// `[trust]`: without it any component may be installed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrustConfig {
    /// A component without a good signature is neither installed nor run.
    pub required: bool,
    pub publishers: Vec<PublisherConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublisherConfig {
    pub name: String,
    /// minisign's public keys: the second line of a `.pub` file. Several while one replaces another.
    pub keys: Vec<String>,
    /// The plugins that this publisher may sign, by the name in their manifest; any where it is absent.
    pub plugins: Option<Vec<String>>,
}

/// The policy, with its keys read.
#[derive(Debug, Default)]
pub struct Trust {
    required: bool,
    publishers: Vec<Publisher>,
}

#[derive(Debug)]
struct Publisher {
    name: String,
    keys: Vec<PublicKey>,
    plugins: Option<Vec<String>>,
}

/// A publisher whose signature of a file was found good.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'t>(&'t Publisher);

/// Why a component is not trusted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    #[error("it is not signed, and `trust.required` is set")]
    Unsigned,
    #[error("the signature is not one of minisign's")]
    Unreadable,
    #[error("the signature is by a key that no publisher in `trust.publishers` has")]
    UnknownKey,
    #[error("the signature is not of this file: one of them was changed")]
    Forged,
    #[error("`{publisher}` may not sign the plugin `{plugin}`")]
    NotTheirs { publisher: String, plugin: String },
    #[error("it was installed with the signature of `{0}`, which is no publisher in `trust.publishers` any more")]
    Gone(String),
}

impl Trust {
    /// Reads the keys; one that is none is an error.
    pub fn new(config: &TrustConfig) -> Result<Trust, String> {
        let publisher = |config: &PublisherConfig| {
            let key = |text: &String| {
                let key = PublicKey::from_base64(text.trim());
                key.map_err(|error| format!("trust.publishers: `{}`: a key cannot be read: {error}", config.name))
            };
            let keys = config.keys.iter().map(key).collect::<Result<_, _>>()?;
            Ok(Publisher { name: config.name.clone(), keys, plugins: config.plugins.clone() })
        };
        let publishers = config.publishers.iter().map(publisher).collect::<Result<_, String>>()?;
        Ok(Trust { required: config.required, publishers })
    }

    /// Whose signature a file has. To be asked before the file is looked at in any other way.
    ///
    /// # Errors
    /// A signature that is not good is refused also where none is required: something is wrong with it.
    pub fn verify(&self, file: &[u8], signature: Option<&str>) -> Result<Option<Signer<'_>>, Distrust> {
        let Some(text) = signature else {
            return if self.required { Err(Distrust::Unsigned) } else { Ok(None) };
        };
        let signature = Signature::decode(text).map_err(|_| Distrust::Unreadable)?;
        for publisher in &self.publishers {
            for key in &publisher.keys {
                match key.verify(file, &signature, false) {
                    Ok(()) => return Ok(Some(Signer(publisher))),
                    Err(KeyError::UnexpectedKeyId) => {}
                    Err(_) => return Err(Distrust::Forged),
                }
            }
        }
        Err(Distrust::UnknownKey)
    }

    /// Whether a component that is installed may run, now that the configuration may be another one.
    pub fn permits(&self, signed_by: Option<&str>, plugin: &str) -> Result<(), Distrust> {
        let Some(name) = signed_by.filter(|_| self.required) else {
            return if self.required { Err(Distrust::Unsigned) } else { Ok(()) };
        };
        let publisher = self.publishers.iter().find(|publisher| publisher.name == name);
        Signer(publisher.ok_or_else(|| Distrust::Gone(name.to_owned()))?).may_sign(plugin)
    }
}

impl Signer<'_> {
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether this plugin is one of the publisher's.
    pub fn may_sign(&self, plugin: &str) -> Result<(), Distrust> {
        let Publisher { name, plugins, .. } = self.0;
        match plugins {
            Some(theirs) if !theirs.iter().any(|one| one == plugin) => {
                Err(Distrust::NotTheirs { publisher: name.clone(), plugin: plugin.to_owned() })
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
        let good = sign(&ours, FILE);
        for (name, required, signature, expected) in [
            ("unsigned where it may be", false, None, Ok(None)),
            ("unsigned where it may not", true, None, Err(Distrust::Unsigned)),
            ("signed", true, Some(good.as_str()), Ok(Some("fedora"))),
            ("signed, though it need not be", false, Some(good.as_str()), Ok(Some("fedora"))),
            ("of another file", false, Some(&sign(&ours, b"\0asm another")), Err(Distrust::Forged)),
            ("by somebody else", false, Some(&sign(&theirs, FILE)), Err(Distrust::UnknownKey)),
            ("no signature at all", false, Some("hello"), Err(Distrust::Unreadable)),
            ("cut off", true, good.get(..good.len() / 2), Err(Distrust::Unreadable)),
        ] {
            let trust = trust(required, &ours, None);
            let verdict = trust.verify(FILE, signature).map(|signer| signer.map(|signer| signer.name().to_owned()));
            assert_eq!(verdict, expected.map(|name| name.map(str::to_owned)), "{name}");
        }
    }

    #[test]
    fn a_publisher_signs_its_own_plugins_only() {
        let pair = pair();
        let trust = trust(true, &pair, Some(&["email"]));
        let signature = sign(&pair, FILE);
        let signer = trust.verify(FILE, Some(&signature)).expect("good").expect("signed");
        assert_eq!(signer.may_sign("email"), Ok(()));
        let other = Distrust::NotTheirs { publisher: "fedora".into(), plugin: "irc".into() };
        assert_eq!(signer.may_sign("irc"), Err(other));
    }

    #[test]
    fn what_was_installed_before_the_policy_changed_is_judged_by_the_new_one() {
        let pair = pair();
        let strict = trust(true, &pair, Some(&["email"]));
        assert_eq!(strict.permits(Some("fedora"), "email"), Ok(()));
        assert_eq!(strict.permits(None, "email"), Err(Distrust::Unsigned));
        assert_eq!(strict.permits(Some("gone"), "email"), Err(Distrust::Gone("gone".into())));
        assert!(matches!(strict.permits(Some("fedora"), "irc"), Err(Distrust::NotTheirs { .. })));
        assert_eq!(trust(false, &pair, None).permits(None, "email"), Ok(()));
    }

    #[test]
    fn a_key_that_is_none_is_a_mistake_of_the_configuration() {
        let publisher = PublisherConfig { name: "fedora".into(), keys: vec!["RWQ".into()], plugins: None };
        let error = Trust::new(&TrustConfig { required: false, publishers: vec![publisher] }).expect_err("no key");
        assert!(error.contains("`fedora`"), "{error}");
    }
}
