//! The secrets that the host uses on behalf of plugins: each kind becomes what is sent to the one host that the secret
//! is for. No error text here contains any part of a secret.

mod certificate;
mod service_account;
mod token_cache;

use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tidings_domain::grant::{Credential, CredentialKind, Denial, Grants};
use tidings_domain::manifest::Capability;

use crate::limits;
use crate::network::{Egress, ExchangeError, HttpError};

pub(crate) use certificate::identity;
use service_account::ServiceAccount;
pub(crate) use token_cache::TokenCache;

/// Why a value is not a valid secret of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialProblem {
    #[error("more than {} bytes", limits::CREDENTIAL_BYTES)]
    TooLong,
    #[error("not the value of an HTTP header")]
    HeaderValue,
    #[error("not the key file of a service account: {0}")]
    KeyFile(&'static str),
    #[error("not a certificate with its key: {0}")]
    Certificate(&'static str),
}

/// Checks that `value` is a valid secret of this kind.
pub fn check_credential(kind: &CredentialKind, value: &str) -> Result<(), CredentialProblem> {
    if value.len() > limits::CREDENTIAL_BYTES {
        return Err(CredentialProblem::TooLong);
    }
    match kind {
        CredentialKind::Header { .. } => {
            HeaderValue::from_str(value).map(drop).map_err(|_| CredentialProblem::HeaderValue)
        }
        CredentialKind::GoogleServiceAccount => ServiceAccount::read(value).map(drop),
        CredentialKind::ClientCertificate => identity(value).map(drop),
    }
}

/// A header that authenticates a request.
pub(crate) struct AuthHeader {
    pub header: HeaderName,
    /// Marked as sensitive, so that it is never printed.
    pub value: HeaderValue,
    /// It was used before, so the server may have revoked it since.
    pub reused: bool,
}

/// Makes the header for a credential that [`Grants::credential`] has permitted.
pub(crate) async fn auth_header(
    grants: &Grants,
    tokens: &TokenCache,
    egress: &Egress,
    credential: &Credential,
) -> Result<AuthHeader, ExchangeError> {
    match &credential.kind {
        CredentialKind::Header { header } => {
            // Name and value are the administrator's, so the plugin learns only which credential is invalid.
            let broken = || HttpError::Invalid(format!("the credential `{}` is not a valid header", credential.name));
            let header = HeaderName::from_bytes(header.as_bytes()).map_err(|_| broken())?;
            let mut value = HeaderValue::from_str(credential.value.expose()).map_err(|_| broken())?;
            value.set_sensitive(true);
            Ok(AuthHeader { header, value, reused: false })
        }
        CredentialKind::GoogleServiceAccount => {
            let (value, reused) = tokens.bearer(grants, egress, credential).await?;
            Ok(AuthHeader { header: AUTHORIZATION, value, reused })
        }
        CredentialKind::ClientCertificate => Err(unusable(credential, Capability::Http).into()),
    }
}

/// The denial of a credential whose kind `capability` cannot use.
pub(crate) fn unusable(credential: &Credential, capability: Capability) -> Denial {
    Denial::CredentialUse { name: credential.name.clone(), kind: credential.kind.as_str(), capability }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) use super::service_account::tests::{key_file, verified};

    #[test]
    fn an_invalid_secret_is_described_without_its_value() {
        let header = || CredentialKind::Header { header: "x-key".to_owned() };
        let account = || CredentialKind::GoogleServiceAccount;
        let certificate = || CredentialKind::ClientCertificate;
        let made = rcgen::generate_simple_self_signed(vec!["a.b".to_owned()]).expect("a certificate");
        let other = rcgen::generate_simple_self_signed(vec!["a.b".to_owned()]).expect("a certificate");
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let key_file = key_file("https://oauth2.example.org/token");
        let without = |part: &str| {
            let mut file: serde_json::Value = serde_json::from_str(&key_file).expect("JSON");
            file.as_object_mut().expect("an object").remove(part);
            file.to_string()
        };
        let weak = key_file.replace("BEGIN PRIVATE", "BEGIN PUBLIC");
        for (kind, value, expected) in [
            (header(), "Bearer s3cret".to_owned(), None),
            (header(), "s3cret\n".to_owned(), Some("not the value of an HTTP header")),
            (header(), "s3cret".repeat(limits::CREDENTIAL_BYTES), Some("more than 65536 bytes")),
            (account(), key_file.clone(), None),
            (
                account(),
                "s3cret".to_owned(),
                Some("not the key file of a service account: it is not JSON with the members of one"),
            ),
            (account(), without("private_key"), Some("it is not JSON with the members of one")),
            (account(), without("token_uri"), Some("it is not JSON with the members of one")),
            (account(), key_file.replace("service_account", "s3cret"), Some("its type is not `service_account`")),
            (account(), key_file.replace("https://", "s3cret"), Some("its token_uri is not an https or http URL")),
            (account(), weak, Some("its private_key is not an RSA key")),
            (certificate(), format!("{cert}{key}"), None),
            (certificate(), format!("{key}{cert}"), None),
            (certificate(), "s3cret".to_owned(), Some("not a certificate with its key: it has no certificate")),
            (certificate(), cert.clone(), Some("it has no private key")),
            (certificate(), format!("{}{key}", other.cert.pem()), Some("the key is not the first certificate's")),
        ] {
            let problem = check_credential(&kind, &value).err().map(|problem| problem.to_string());
            let fits = |expected: &str| problem.as_ref().is_some_and(|problem| problem.contains(expected));
            assert!(expected.map_or(problem.is_none(), fits), "{}: {problem:?}, not {expected:?}", kind.as_str());
            assert!(!format!("{problem:?}").contains("s3cret"));
        }
    }
}
