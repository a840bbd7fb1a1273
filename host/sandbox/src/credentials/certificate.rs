//! Reads a client certificate with its chain and its key from PEM.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::CredentialProblem;

/// The identity that a handshake presents. The certificates come leaf first; the key is PKCS #8, PKCS #1 or SEC 1,
/// before or after them.
pub(crate) fn identity(pem: &str) -> Result<CertifiedKey, CredentialProblem> {
    let problem = CredentialProblem::Certificate;
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| problem("it is not PEM"))?;
    if chain.is_empty() {
        return Err(problem("it has no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| problem("it has no private key"))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => problem("the key is not the first certificate's"),
        _ => problem("the key or the certificate is damaged, or of an unsupported kind"),
    })
}
