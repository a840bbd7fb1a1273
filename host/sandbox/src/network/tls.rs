//! The handshakes of plugins' connections. The provider and the roots are those of `tidings-tls`.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tidings_tls::TlsError;
use tokio_rustls::TlsConnector;

use super::{MeteredStream, NetworkError};

/// An encrypted connection.
pub(crate) type EncryptedStream = tokio_rustls::client::TlsStream<MeteredStream>;

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
        let verified = tidings_tls::client_config(ca_file)?;
        let mut https = verified.clone();
        https.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut unverified = verified.clone();
        unverified.dangerous().set_certificate_verifier(Arc::new(AnyCertificate(tidings_tls::provider())));
        // A session of its own kind: a verified connection must not resume one that was not verified.
        unverified.resumption = Resumption::default();
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
