//! The links in notifications: to edit a filter, to end deliveries to an address with one click, to read the address's event
//! stream. A link contains its purpose and its subject, signed, so that it cannot be forged for another address and nothing
//! is stored for it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tidings_domain::secret::Secret;

use crate::config::Config;
use crate::precondition::StateTag;

const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// Makes links, and verifies those that it made.
pub struct LinkSigner {
    key: Secret<[u8; KEY_BYTES]>,
    public_url: Option<String>,
    settings: Option<String>,
}

/// A user's address on a channel: what a signed link is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSubject {
    pub user: String,
    pub channel: String,
    pub address: String,
}

/// What a signed link lets its holder do. A link for one purpose is invalid for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Stop deliveries to the address. Each delivery has such a link.
    Unsubscribe,
    /// Read the address's event stream.
    Follow,
    /// Answer whether notifications are wanted at the address. It is sent to the address only.
    Confirm,
}

impl Purpose {
    /// The bytes that are signed before the subject, which begins with a brace.
    const fn mark(self) -> &'static [u8] {
        match self {
            Purpose::Unsubscribe => b"",
            Purpose::Follow => b"follow ",
            Purpose::Confirm => b"confirm ",
        }
    }
}

impl LinkSigner {
    /// Reads the signing key from the data directory; makes one at the first start.
    pub fn open(config: &Config) -> Result<LinkSigner, std::io::Error> {
        let key = read_or_make_key(&config.data_dir.0.join("links.key"))?;
        let trimmed = |url: &String| url.trim_end_matches('/').to_owned();
        Ok(LinkSigner {
            key,
            public_url: config.api.public_url.as_ref().map(trimmed),
            settings: config.links.settings.clone(),
        })
    }

    /// Where the user edits a filter, if `links.settings` is set.
    pub fn settings_link(&self, user: &str, channel: &str, filter: &str) -> Option<String> {
        let template = self.settings.as_ref()?;
        let mut link = template.clone();
        for (name, value) in [("{user}", user), ("{channel}", channel), ("{filter}", filter)] {
            link = link.replace(name, &escape(value));
        }
        Some(link)
    }

    /// Where one click stops deliveries to an address, if `api.public_url` is set.
    pub fn unsubscribe_link(&self, user: &str, channel: &str, address: &str) -> Option<String> {
        let url = self.public_url.as_ref()?;
        let subject = LinkSubject { user: user.into(), channel: channel.into(), address: address.into() };
        Some(format!("{url}/unsubscribe/{}", self.sign(Purpose::Unsubscribe, &subject)?))
    }

    /// Where the owner of an address accepts it, and where it is rejected, if `api.public_url` is set.
    pub fn confirm_links(&self, subject: &LinkSubject) -> Option<(String, String)> {
        let (url, token) = (self.public_url.as_ref()?, self.sign(Purpose::Confirm, subject)?);
        Some((format!("{url}/confirm/{token}"), format!("{url}/reject/{token}")))
    }

    /// The path of a destination's event stream, and the URL if `api.public_url` is set.
    pub fn stream_link(&self, subject: &LinkSubject) -> Option<(String, Option<String>)> {
        let path = format!("/stream/{}", self.sign(Purpose::Follow, subject)?);
        let url = self.public_url.as_ref().map(|url| format!("{url}{path}"));
        Some((path, url))
    }

    /// The subject of a link's token; none where this key did not sign it for the purpose.
    pub fn read_token(&self, purpose: Purpose, token: &str) -> Option<LinkSubject> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (tag, payload) = bytes.split_at_checked(MAC_BYTES)?;
        self.mac(purpose, payload)?.verify_slice(tag).ok()?;
        serde_json::from_slice(payload).ok()
    }

    /// The tag of a state that may contain secrets: equal states have equal tags, and a tag reveals nothing of its state.
    pub fn state_tag(&self, state: &impl Serialize) -> StateTag {
        let json = serde_json::to_vec(state).unwrap_or_default();
        // No payload of a link begins like this.
        let mac =
            Hmac::<Sha256>::new_from_slice(self.key.expose()).map(|mac| mac.chain_update(b"state ").chain_update(json));
        StateTag::new(mac.map(|mac| hex::encode(&mac.finalize().into_bytes()[..16])).unwrap_or_default())
    }

    fn sign(&self, purpose: Purpose, subject: &LinkSubject) -> Option<String> {
        let payload = serde_json::to_vec(subject).ok()?;
        let mut bytes = self.mac(purpose, &payload)?.finalize().into_bytes().to_vec();
        bytes.extend(payload);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn mac(&self, purpose: Purpose, payload: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose()).ok()?;
        mac.update(purpose.mark());
        mac.update(payload);
        Some(mac)
    }
}

/// Percent-encodes what is not unreserved in a URL (RFC 3986).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn read_or_make_key(path: &Path) -> Result<Secret<[u8; KEY_BYTES]>, std::io::Error> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    match std::fs::read(path) {
        Ok(bytes) => {
            let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice());
            let damaged = || std::io::Error::other(format!("{} is not {KEY_BYTES} bytes long", path.display()));
            Ok(Secret::new(key.map_err(|_| damaged())?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key: [u8; KEY_BYTES] = rand::random();
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(Secret::new(key))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(key: u8) -> LinkSigner {
        LinkSigner {
            key: Secret::new([key; KEY_BYTES]),
            public_url: Some("https://tell.example.org".into()),
            settings: Some("https://apps.example.org/{user}/{channel}?filter={filter}".into()),
        }
    }

    #[test]
    fn an_unsubscribe_link_names_its_subject_and_cannot_be_forged() {
        let link = links(1).unsubscribe_link("ralph", "email", "ralph@example.org").expect("there is a public URL");
        let token = link.strip_prefix("https://tell.example.org/unsubscribe/").expect("it leads to the server");
        let subject =
            LinkSubject { user: "ralph".into(), channel: "email".into(), address: "ralph@example.org".into() };
        assert_eq!(links(1).read_token(Purpose::Unsubscribe, token), Some(subject));
        assert_eq!(links(2).read_token(Purpose::Unsubscribe, token), None);
        let mut changed = token.to_owned();
        changed.replace_range(60..61, if &token[60..61] == "A" { "B" } else { "A" });
        for invalid in [changed.as_str(), "", "AAAA", "%%%"] {
            assert_eq!(links(1).read_token(Purpose::Unsubscribe, invalid), None, "{invalid}");
        }
    }

    #[test]
    fn a_link_is_valid_for_its_purpose_alone() {
        let subject = LinkSubject { user: "ralph".into(), channel: "browser".into(), address: "ralph".into() };
        let (path, url) = links(1).stream_link(&subject).expect("a link");
        assert_eq!(url, Some(format!("https://tell.example.org{path}")));
        let token = path.strip_prefix("/stream/").expect("the stream's path");
        assert_eq!(links(1).read_token(Purpose::Follow, token), Some(subject));
        assert_eq!(links(1).read_token(Purpose::Unsubscribe, token), None);
        let other = links(1).unsubscribe_link("ralph", "browser", "ralph").expect("there is a public URL");
        let token = other.strip_prefix("https://tell.example.org/unsubscribe/").expect("it leads to the server");
        assert_eq!(links(1).read_token(Purpose::Follow, token), None);
    }

    #[test]
    fn a_settings_link_is_escaped() {
        assert_eq!(
            links(1).settings_link("ralph", "email", "my packages & more").as_deref(),
            Some("https://apps.example.org/ralph/email?filter=my%20packages%20%26%20more")
        );
    }
}
