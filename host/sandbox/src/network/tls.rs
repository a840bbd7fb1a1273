//! TLS with rustls and the ring provider, named explicitly so that another crate's choice of a provider cannot break
//! it. The roots are the system's and those of a file that the administrator names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::{MeteredStream, NetworkError};

/// An encrypted connection.
pub(crate) type EncryptedStream = tokio_rustls::client::TlsStream<MeteredStream>;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read certificates from {}: {problem}", path.display())]
    CaFile { path: PathBuf, problem: String },
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

/// What a handshake requires of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// A certificate that is valid for the name.
    Verified,
    /// The same, with HTTP/1.1 by ALPN.
    Https,
    /// Any certificate, for opportunistic encryption.
    Unverified,
}

/// The client configurations, shared by the whole sandbox.
pub(crate) struct Tls {
    verified: Arc<ClientConfig>,
    https: Arc<ClientConfig>,
    unverified: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the system's roots, and further ones from `ca_file`.
    ///
    /// # Errors
    /// `ca_file` is not readable or has no valid certificate.
    pub(crate) fn new(ca_file: Option<&Path>) -> Result<Tls, TlsError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::warn!(%error, "a certificate of the system cannot be read; it is left out");
        }
        roots.add_parsable_certificates(native.certs);
        if let Some(path) = ca_file {
            for certificate in read_certificates(path)? {
                roots.add(certificate)?;
            }
        }
        let provider = Arc::new(ring::default_provider());
        let builder =
            || ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let verified = builder()?.with_root_certificates(roots).with_no_client_auth();
        let mut https = verified.clone();
        https.alpn_protocols = vec![b"http/1.1".to_vec()];
        let any = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let unverified = builder()?.dangerous().with_custom_certificate_verifier(any).with_no_client_auth();
        Ok(Tls { verified: Arc::new(verified), https: Arc::new(https), unverified: Arc::new(unverified) })
    }

    /// Performs a handshake. The caller bounds the time.
    pub(super) async fn connect(
        &self,
        stream: MeteredStream,
        name: &str,
        mode: TlsMode,
        identity: Option<CertifiedKey>,
    ) -> Result<EncryptedStream, NetworkError> {
        let config = match mode {
            TlsMode::Verified => &self.verified,
            TlsMode::Https => &self.https,
            TlsMode::Unverified => &self.unverified,
        };
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| NetworkError::Tls("the server name is neither a host name nor an address".to_owned()))?;
        let config = identity.map_or_else(|| Arc::clone(config), |identity| Arc::new(with_identity(config, identity)));
        let connected = TlsConnector::from(config).connect(server, stream).await;
        connected.map_err(|error| NetworkError::Tls(error.to_string()))
    }
}

/// The same with a client certificate, for one handshake. Sessions are not resumed: another channel would resume them
/// as this client.
fn with_identity(config: &ClientConfig, identity: CertifiedKey) -> ClientConfig {
    let mut config = config.clone();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(identity));
    config.resumption = Resumption::disabled();
    config
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |problem: String| TlsError::CaFile { path: path.to_owned(), problem };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fail(error.to_string()))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(|error| fail(error.to_string()))?;
    if certificates.is_empty() {
        return Err(fail("it has no certificate".to_owned()));
    }
    Ok(certificates)
}

/// Accepts any certificate. The handshake's signature is still checked: the peer must hold the certificate's key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
