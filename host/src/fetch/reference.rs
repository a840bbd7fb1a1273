//! The names of components: digests, and references to artifacts in registries (as the OCI Distribution Specification 1.1
//! has them).

use std::fmt;
use std::str::FromStr;

use tidings_domain::network::HostName;
use tidings_domain::text::one_line;

/// The longest name of a repository and of a tag, in bytes; the specification's.
const REPOSITORY_BYTES: usize = 255;
const TAG_BYTES: usize = 128;

/// SHA-256 of a file, written in 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentDigest(String);

impl ComponentDigest {
    pub fn of(bytes: [u8; 32]) -> ComponentDigest {
        ComponentDigest(hex::encode(bytes))
    }
}

impl fmt::Display for ComponentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ComponentDigest {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<ComponentDigest, ReferenceError> {
        let valid = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if valid {
            Ok(ComponentDigest(text.to_ascii_lowercase()))
        } else {
            Err(ReferenceError::Digest(one_line(text, 100)))
        }
    }
}

/// Why a name is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("`{0}` is not a SHA-256 digest of 64 hexadecimal digits")]
    Digest(String),
    #[error("`{0}` is not an OCI reference: REGISTRY[:PORT]/REPOSITORY, then :TAG or @sha256:DIGEST")]
    Reference(String),
}

/// An artifact in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciReference {
    /// `host` or `host:port`.
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) version: OciVersion,
}

/// Which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OciVersion {
    /// As the registry has it at the moment.
    Tag(String),
    /// That one and no other.
    Digest(ComponentDigest),
}

impl fmt::Display for OciVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OciVersion::Tag(tag) => f.write_str(tag),
            OciVersion::Digest(digest) => write!(f, "sha256:{digest}"),
        }
    }
}

impl FromStr for OciReference {
    type Err = ReferenceError;

    /// With a tag and a digest, the digest counts.
    fn from_str(text: &str) -> Result<OciReference, ReferenceError> {
        read(text).ok_or_else(|| ReferenceError::Reference(one_line(text, 300)))
    }
}

fn read(text: &str) -> Option<OciReference> {
    let (registry, rest) = text.split_once('/')?;
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.strip_prefix("sha256:")?.parse().ok()?)),
        None => (rest, None),
    };
    let (repository, tag) = match rest.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag).filter(|tag| is_tag(tag))?),
        None => (rest, "latest"),
    };
    let version = digest.map_or_else(|| OciVersion::Tag(tag.to_owned()), OciVersion::Digest);
    let valid = is_registry(registry) && is_repository(repository);
    valid.then(|| OciReference { registry: registry.to_ascii_lowercase(), repository: repository.to_owned(), version })
}

fn is_registry(text: &str) -> bool {
    if HostName::parse(text).is_some() {
        return true;
    }
    let port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    text.rsplit_once(':').is_some_and(|(host, number)| HostName::parse(host).is_some() && port(number))
}

/// Words of lower-case letters and digits, joined by `.`, `_`, `__` or hyphens, in parts joined by `/`.
fn is_repository(text: &str) -> bool {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let inner = |&byte: &u8| edge(byte) || matches!(byte, b'.' | b'_' | b'-');
        let ends = bytes.first().zip(bytes.last()).is_some_and(|(&first, &last)| edge(first) && edge(last));
        ends && bytes.iter().all(inner) && !part.contains("..")
    };
    text.len() <= REPOSITORY_BYTES && text.split('/').all(part)
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = text.bytes();
    text.len() <= TAG_BYTES && bytes.next().is_some_and(word) && bytes.all(|b| word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_or_refused() {
        let digest = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            ("ghcr.io/us/email:1.0", Some(("ghcr.io", "us/email", "1.0".to_owned()))),
            ("Registry.example:5000/email", Some(("registry.example:5000", "email", "latest".to_owned()))),
            (&format!("ghcr.io/us/email@sha256:{digest}"), Some(("ghcr.io", "us/email", format!("sha256:{digest}")))),
            (&format!("ghcr.io/email:1@sha256:{digest}"), Some(("ghcr.io", "email", format!("sha256:{digest}")))),
            ("[::1]:5000/email:1", Some(("[::1]:5000", "email", "1".to_owned()))),
            ("email:1.0", None),
            ("ghcr.io/../etc/passwd", None),
            ("ghcr.io/us//email", None),
            ("ghcr.io/Us/email", None),
            ("ghcr.io/us/email:1/2", None),
            ("ghcr.io/us/email@md5:00", None),
            ("ghcr.io/us/email@sha256:00", None),
            ("user:pw@ghcr.io/us/email", None),
            ("ghcr.io:0/us/email", None),
            ("2130706433/us/email", None),
            ("ghcr.io/us/email?x=1", None),
            ("", None),
        ] {
            let read = text.parse::<OciReference>().ok();
            let read = read.as_ref().map(|r| (&*r.registry, &*r.repository, r.version.to_string()));
            assert_eq!(read, expected, "{text}");
        }
    }
}
