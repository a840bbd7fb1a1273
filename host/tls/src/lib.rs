//! The client side of TLS: which crypto provider it uses and which root certificates it trusts. Every client of the
//! host takes both from here and passes them explicitly; nothing installs a default provider for the process, so that
//! no other crate's choice can break a connection. This crate opens no connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Why a TLS client cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read certificates from {}: {problem}", path.display())]
    CaFile { path: PathBuf, problem: String },
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

/// The crypto provider of every connection: ring.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The configuration of a client that verifies its servers. It trusts the system's root certificates, and those in
/// `ca_file` (PEM). It offers no application protocol. System certificates that cannot be read are logged and left out.
///
/// # Errors
/// Fails when `ca_file` cannot be read, contains no certificate or contains an invalid one.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots(ca_file)?).with_no_client_auth())
}

/// The same for HTTPS: it offers HTTP/1.1.
///
/// # Errors
/// As [`client_config`].
pub fn https_client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut config = client_config(ca_file)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "cannot read some of the system's root certificates; continuing without them");
    }
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        for certificate in read_certificates(path)? {
            roots.add(certificate)?;
        }
    }
    Ok(roots)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |problem: String| TlsError::CaFile { path: path.to_owned(), problem };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fail(error.to_string()))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(|error| fail(error.to_string()))?;
    if certificates.is_empty() {
        return Err(fail("the file contains no certificate".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_adds_to_the_roots_of_the_system() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap().cert.pem())
            .unwrap();
        assert_eq!(roots(Some(&file)).unwrap().len(), roots(None).unwrap().len() + 1);
    }

    #[test]
    fn a_ca_file_without_certificates_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, "no certificate").unwrap();
        for path in [file, directory.path().join("missing.pem")] {
            let error = client_config(Some(&path)).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}
