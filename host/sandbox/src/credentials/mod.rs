//! What the host does with the secrets that it uses for plugins: each sort becomes what is sent to the one host that it is
//! for. No error text here holds any part of a secret.

mod certificate;
mod service_account;
mod tokens;

use crate::limits;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tidings_domain::grant::{Credential, CredentialKind, Denial};
use tidings_domain::manifest::Capability;

use crate::capabilities::http::{HttpError, Unanswered};
use crate::instance_state::ChannelContext;
use crate::network::Egress;

pub(crate) use certificate::identity;
use service_account::ServiceAccount;
pub(crate) use tokens::Tokens;

/// Why a value is no secret of its sort.
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

/// Whether `value` can be used as a secret of this sort.
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

/// A header that proves who asks.
pub(crate) struct AuthHeader {
    pub header: HeaderName,
    /// Marked as sensitive, so that nothing prints it.
    pub value: HeaderValue,
    /// It was used before: what it proves may have been withdrawn since.
    pub reused: bool,
}

/// What a request carries for this credential, which [`Grants::credential`](tidings_domain::grant::Grants::credential) let
/// through.
pub(crate) async fn proof(
    furniture: &ChannelContext,
    egress: &Egress,
    credential: &Credential,
) -> Result<AuthHeader, Unanswered> {
    match &credential.kind {
        CredentialKind::Header { header } => {
            // Neither the name nor the value is the plugin's: what is wrong with it is the administrator's to see.
            let broken = || HttpError::Invalid(format!("the credential `{}` is no header", credential.name));
            let header = HeaderName::from_bytes(header.as_bytes()).map_err(|_| broken())?;
            let mut value = HeaderValue::from_str(credential.value.expose()).map_err(|_| broken())?;
            value.set_sensitive(true);
            Ok(AuthHeader { header, value, reused: false })
        }
        CredentialKind::GoogleServiceAccount => {
            let (value, reused) = furniture.tokens.bearer(&furniture.grants, egress, credential).await?;
            Ok(AuthHeader { header: AUTHORIZATION, value, reused })
        }
        CredentialKind::ClientCertificate => Err(useless(credential, Capability::Http).into()),
    }
}

/// The credential is of a sort that this way out has no use for.
pub(crate) fn useless(credential: &Credential, capability: Capability) -> Denial {
    Denial::CredentialUse { name: credential.name.clone(), kind: credential.kind.as_str(), capability }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) use super::service_account::tests::{key_file, verified};

    #[test]
    fn what_is_no_secret_of_its_sort_is_named_without_being_shown() {
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
            (account(), "s3cret".to_owned(), Some("not the key file of a service account: it is no JSON of one")),
            (account(), without("private_key"), Some("it is no JSON of one")),
            (account(), without("token_uri"), Some("it is no JSON of one")),
            (account(), key_file.replace("service_account", "s3cret"), Some("its type is not `service_account`")),
            (account(), key_file.replace("https://", "s3cret"), Some("its token_uri is not an https or http URL")),
            (account(), weak, Some("its private_key is no RSA key")),
            (certificate(), format!("{cert}{key}"), None),
            (certificate(), format!("{key}{cert}"), None),
            (certificate(), "s3cret".to_owned(), Some("not a certificate with its key: there is no certificate in it")),
            (certificate(), cert.clone(), Some("there is no private key in it")),
            (certificate(), format!("{}{key}", other.cert.pem()), Some("the key is not the first certificate's")),
        ] {
            let problem = check_credential(&kind, &value).err().map(|problem| problem.to_string());
            let fits = |expected: &str| problem.as_ref().is_some_and(|problem| problem.contains(expected));
            assert!(expected.map_or(problem.is_none(), fits), "{}: {problem:?}, not {expected:?}", kind.as_str());
            assert!(!format!("{problem:?}").contains("s3cret"));
        }
    }
}
