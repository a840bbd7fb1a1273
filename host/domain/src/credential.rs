//! Credentials: secrets that the host uses on behalf of a plugin, which knows only their names. The sandbox uses them at
//! egress. Whether a channel has those that its plugin requires is checked in `manifest`.

use crate::secret::Secret;

/// A secret, and the only host that it is used for.
#[derive(Clone, Debug)]
pub struct Credential {
    pub name: String,
    pub kind: CredentialKind,
    /// The secret, in the form that the kind defines.
    pub value: Secret,
    /// A host name or IP address, compared without regard to case.
    pub host: String,
}

/// The kind of a credential: `credential-request.kind` in the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// The value is sent as this header, e.g. `authorization`.
    Header { header: String },
    /// The value is the JSON key file of a Google service account; the host trades it for a bearer token and sends that.
    GoogleServiceAccount,
    /// The value is PEM: a certificate, its chain and its private key, for the TLS handshake.
    ClientCertificate,
}

/// The contract's names of the kinds.
pub const CREDENTIAL_KINDS: [&str; 3] = ["header", "google-service-account", "client-certificate"];

/// Why a kind, with or without a header's name, is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    #[error("none of {}", CREDENTIAL_KINDS.join(", "))]
    Unknown,
    #[error("a credential of the kind `header` names its header")]
    NoHeader,
    #[error("only a credential of the kind `header` names one")]
    NotAHeader,
}

impl CredentialKind {
    /// The kind with this name; `header` is the header's name for the kind that needs one.
    pub fn read(word: &str, header: Option<String>) -> Result<CredentialKind, KindError> {
        match (word, header) {
            ("header", Some(header)) => Ok(CredentialKind::Header { header }),
            ("header", None) => Err(KindError::NoHeader),
            ("google-service-account", None) => Ok(CredentialKind::GoogleServiceAccount),
            ("client-certificate", None) => Ok(CredentialKind::ClientCertificate),
            (word, Some(_)) if CREDENTIAL_KINDS.contains(&word) => Err(KindError::NotAHeader),
            _ => Err(KindError::Unknown),
        }
    }

    /// The contract's name.
    pub const fn as_str(&self) -> &'static str {
        match self {
            CredentialKind::Header { .. } => CREDENTIAL_KINDS[0],
            CredentialKind::GoogleServiceAccount => CREDENTIAL_KINDS[1],
            CredentialKind::ClientCertificate => CREDENTIAL_KINDS[2],
        }
    }

    /// The name of the header, where it is one.
    pub fn header(&self) -> Option<&str> {
        match self {
            CredentialKind::Header { header } => Some(header),
            CredentialKind::GoogleServiceAccount | CredentialKind::ClientCertificate => None,
        }
    }
}
