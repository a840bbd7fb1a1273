//! Tests of the capabilities that reach the network, against servers on loopback.

mod client_certificates;
mod http;
mod net;
mod tokens;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidings_domain::grant::{Credential, CredentialKind, Grant, Grants};
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::secret::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::delivery_request::Batch;
use crate::detached_host::describe_context;
use crate::instance::{ChannelContext, InstanceState};
use crate::network::{Egress, Tls};

/// A self-signed certificate for `localhost`, made once, and its file.
struct Authority {
    acceptor: TlsAcceptor,
    /// The certificate and its key (PKCS #8).
    own: (CertificateDer<'static>, Vec<u8>),
    _directory: tempfile::TempDir,
    file: PathBuf,
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, made.cert.pem()).expect("written");
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a server");
        let own = (made.cert.der().clone(), made.signing_key.serialize_der());
        Authority { acceptor: TlsAcceptor::from(Arc::new(config)), own, _directory: directory, file }
    })
}

fn trusting_tls() -> Arc<Tls> {
    static TLS: OnceLock<Arc<Tls>> = OnceLock::new();
    Arc::clone(TLS.get_or_init(|| Arc::new(Tls::new(Some(&authority().file)).expect("TLS"))))
}

/// A listener and its port.
async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.expect("a connection").0
}

/// Sends back what it receives until the end.
async fn echo(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    drop(stream.shutdown().await);
}

fn grant(capability: Capability, host: &str, port: u16) -> Grant {
    Grant { capability, host: host.to_owned(), port, private: true, plain_http: false }
}

fn credential(name: &str, value: &str) -> Credential {
    secret(name, CredentialKind::Header { header: "Authorization".to_owned() }, value)
}

fn secret(name: &str, kind: CredentialKind, value: &str) -> Credential {
    Credential { name: name.to_owned(), kind, value: Secret::new(value.to_owned()), host: "localhost".to_owned() }
}

fn instance_state(grants: Grants, limits: PluginLimits, tls: Arc<Tls>) -> InstanceState {
    let egress = Egress::new(tls, &limits);
    let context = ChannelContext { channel: "test".into(), grants: Arc::new(grants), limits, ..describe_context() };
    InstanceState::new(context, egress, Batch::default(), Duration::from_secs(60))
}
