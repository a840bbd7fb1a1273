//! Fetches components: by URL with the digest that the file must have, or from an OCI registry. It returns bytes whose digest
//! was checked and does not judge their content: that is for trust and admission. It connects only to addresses that the
//! settings and the rules for addresses allow.

mod http;
pub(crate) mod limits;
mod oci;
mod policy;
mod reference;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::Url;

pub use policy::FetchPolicy;
pub use reference::{ComponentDigest, OciReference, ReferenceError};

use http::{FetchClient, FetchRequest};

/// `[install]`: without it, components come from public addresses over HTTPS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstallConfig {
    /// Also from hosts whose names lead to private, loopback or link-local addresses.
    pub private: bool,
    /// The same for these hosts alone.
    pub hosts: Vec<String>,
    /// Hosts that are asked without TLS. The digest of the file is checked all the same.
    pub plain_http: Vec<String>,
}

/// Where a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComponentSource {
    /// A file, and the digest that it must have.
    Url { url: Url, sha256: ComponentDigest },
    /// An artifact in a registry.
    Oci(OciReference),
}

/// A fetched component.
#[derive(Debug)]
pub struct Fetched {
    pub file: Bytes,
    /// minisign's signature, where there was one beside the file.
    pub signature: Option<String>,
    /// Where it came from, with the digest that makes this the only possible file.
    pub from: String,
}

/// Why a component could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("`{0}` is not a valid URL of a component: it must be https://HOST/PATH, with neither user nor password")]
    Url(String),
    #[error("{host}: asked without TLS, and `install.plain_http` does not list it")]
    PlainHttp { host: String },
    #[error("{host} leads to {address} ({what}); {remedy}")]
    Address { host: String, address: std::net::IpAddr, what: &'static str, remedy: &'static str },
    #[error("{host} cannot be reached: {detail}")]
    Unreachable { host: String, detail: String },
    #[error("{host} answered with status {status}")]
    Status { host: String, status: u16 },
    #[error("{host} redirects too often, or to nowhere")]
    Redirects { host: String },
    #[error("what {host} sends is larger than {most} bytes")]
    TooLarge { host: String, most: usize },
    #[error("the file has the digest sha256:{found}, not sha256:{expected}: it is another file")]
    Digest { expected: ComponentDigest, found: ComponentDigest },
    #[error("the registry {host}: {detail}")]
    Registry { host: String, detail: String },
    #[error("it did not come within {} s", .within.as_secs())]
    Late { within: Duration },
}

impl FetchError {
    /// Whether the fault is at the other end, so that the same request may succeed later.
    pub fn is_elsewhere(&self) -> bool {
        matches!(
            self,
            FetchError::Unreachable { .. }
                | FetchError::Status { .. }
                | FetchError::Registry { .. }
                | FetchError::Late { .. }
        )
    }
}

/// Fetches components.
pub struct Fetcher {
    web: FetchClient,
    /// How long a component may take, all its requests together.
    within: Duration,
}

impl Fetcher {
    /// `ca_file`: certificates (PEM) to trust beside the system's.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn new(config: &InstallConfig, ca_file: Option<&PathBuf>) -> Result<Fetcher, String> {
        Ok(Fetcher { web: FetchClient::new(FetchPolicy::new(config)?, ca_file)?, within: limits::FETCH_ALL_TIME })
    }

    /// The file, with its digest checked.
    pub async fn fetch(&self, source: &ComponentSource) -> Result<Fetched, FetchError> {
        let fetching = async {
            match source {
                ComponentSource::Url { url, sha256 } => self.file_at(url, sha256).await,
                ComponentSource::Oci(reference) => oci::fetch(&self.web, reference).await,
            }
        };
        let fetched = tokio::time::timeout(self.within, fetching).await;
        fetched.unwrap_or_else(|_| Err(FetchError::Late { within: self.within }))
    }

    async fn file_at(&self, url: &Url, sha256: &ComponentDigest) -> Result<Fetched, FetchError> {
        let file = self.web.get(&FetchRequest::of(url, tidings_domain::limits::COMPONENT_BYTES)).await?;
        check(&file, sha256).await?;
        let mut beside = url.clone();
        beside.set_path(&format!("{}.minisig", url.path()));
        let signature = match self.web.get(&FetchRequest::of(&beside, limits::SIGNATURE_BYTES)).await {
            Ok(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            // There is none, or the server does not say whether there is (stores of files answer 403). The trust policy says
            // whether one is needed.
            Err(FetchError::Status { status: 403 | 404 | 410, .. }) => None,
            Err(error) => return Err(error),
        };
        // A query may contain a key.
        let mut from = url.clone();
        from.set_query(None);
        Ok(Fetched { file, signature, from: format!("{from}#sha256={sha256}") })
    }
}

/// Whether the file has the expected digest. Hashing 64 MiB takes a while: not on a thread that others wait for.
async fn check(file: &Bytes, expected: &ComponentDigest) -> Result<(), FetchError> {
    let bytes = file.clone();
    let found = tokio::task::spawn_blocking(move || digest(&bytes)).await;
    match found {
        Ok(found) if found == *expected => Ok(()),
        Ok(found) => Err(FetchError::Digest { expected: expected.clone(), found }),
        Err(error) => {
            Err(FetchError::Unreachable { host: "the daemon's own thread".into(), detail: error.to_string() })
        }
    }
}

fn digest(bytes: &[u8]) -> ComponentDigest {
    ComponentDigest::of(Sha256::digest(bytes).into())
}
