//! TLS by rustls with the ring provider, named explicitly so that no other crate's choice of a provider can break it. The
//! roots are the system's and those of a file that the administrator names.

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

use super::{NetworkError, Wire};

/// An encrypted connection.
pub(crate) type TlsWire = tokio_rustls::client::TlsStream<Wire>;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read certificates from {}: {problem}", path.display())]
    CaFile { path: PathBuf, problem: String },
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

/// What a handshake demands of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// A certificate that is good for the name.
    Verified,
    /// The same, and HTTP/1.1 behind it.
    Https,
    /// Any certificate. For opportunistic encryption, where the alternative is none.
    Unverified,
}

/// The client's side of TLS, one for the whole sandbox.
pub(crate) struct Tls {
    verified: Arc<ClientConfig>,
    https: Arc<ClientConfig>,
    unverified: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the system's roots, and more from `ca_file`.
    pub(crate) fn new(ca_file: Option<&Path>) -> Result<Tls, TlsError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::warn!(%error, "the system's certificates are incomplete");
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
        let anyone = Arc::new(Anyone(Arc::clone(&provider)));
        let unverified = builder()?.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth();
        Ok(Tls { verified: Arc::new(verified), https: Arc::new(https), unverified: Arc::new(unverified) })
    }

    /// Shakes hands. It has no timeout of its own.
    pub(super) async fn connect(
        &self,
        wire: Wire,
        name: &str,
        mode: TlsMode,
        identity: Option<CertifiedKey>,
    ) -> Result<TlsWire, NetworkError> {
        let config = match mode {
            TlsMode::Verified => &self.verified,
            TlsMode::Https => &self.https,
            TlsMode::Unverified => &self.unverified,
        };
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| NetworkError::Tls("the server name is neither a host name nor an address".to_owned()))?;
        let config = identity.map_or_else(|| Arc::clone(config), |identity| Arc::new(showing(config, identity)));
        let connected = TlsConnector::from(config).connect(server, wire).await;
        connected.map_err(|error| NetworkError::Tls(error.to_string()))
    }
}

/// The same, with a certificate of the client's for one handshake. Its session is kept by nobody: another channel would
/// resume it as this client.
fn showing(config: &ClientConfig, identity: CertifiedKey) -> ClientConfig {
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
        return Err(fail("there is none in it".to_owned()));
    }
    Ok(certificates)
}

/// Accepts any certificate. The handshake's signature is still checked: the peer holds the key of what it shows.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
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
