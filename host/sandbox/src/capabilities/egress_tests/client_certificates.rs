//! Client certificates in TLS handshakes, against a server on loopback that requires one.

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;

use super::http::{network, ok, post, server};
use super::*;
use crate::capabilities::http::PluginHttpRequest;
use crate::instance::TlsOptions;
use crate::network::NetworkError;

/// A server that requires a client certificate of this authority, and greets a client that has one.
async fn server_requiring(trusted: &rcgen::Certificate) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).expect("a root");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let (certificate, key) = &authority().own;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key.clone().into()))
        .expect("a server");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        loop {
            let tcp = accept(&listener).await;
            if let Ok(mut stream) = acceptor.accept(tcp).await {
                drop(stream.write_all(b"welcome").await);
                drop(stream.shutdown().await);
            }
        }
    });
    port
}

/// A certificate from `issuer` and its key, as PEM.
fn client(issuer: &rcgen::Issuer<'_, rcgen::KeyPair>) -> String {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["tidings".to_owned()]).expect("a name");
    format!("{}{}", params.signed_by(&key, issuer).expect("signed").pem(), key.serialize_pem())
}

fn issuer() -> (rcgen::Certificate, rcgen::Issuer<'static, rcgen::KeyPair>) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    (params.self_signed(&key).expect("signed"), rcgen::Issuer::new(params, key))
}

#[tokio::test]
async fn a_client_certificate_is_presented_to_its_host_only() {
    let (root, known) = issuer();
    let (_, untrusted) = issuer();
    let port = server_requiring(&root).await;
    let certificate = |name: &str, pem: &str| secret(name, CredentialKind::ClientCertificate, pem);
    let credentials = vec![
        certificate("valid", &client(&known)),
        certificate("untrusted", &client(&untrusted)),
        certificate("broken", "-----BEGIN s3cret"),
        Credential { host: "irc.example.org".to_owned(), ..certificate("elsewhere", &client(&known)) },
        credential("token", "Bearer key"),
    ];
    let reach = vec![grant(Capability::Net, "localhost", port)];
    let mut state = instance_state(Grants { reach, credentials }, PluginLimits::default(), trusting_tls());
    for (identity, expected) in [
        (Some("valid"), Ok("welcome")),
        (None, Err("TLS: received fatal alert: CertificateRequired")),
        (Some("untrusted"), Err("TLS: received fatal alert")),
        (Some("broken"), Err("denied: the credential `broken` is not a certificate with its key")),
        (Some("elsewhere"), Err("denied: the credential `elsewhere` is for irc.example.org, not for localhost")),
        (Some("token"), Err("denied: the credential `token` is of the kind `header`, which `net` cannot use")),
        (Some("none"), Err("denied: no credential `none` was granted")),
        (Some("valid"), Ok("welcome")),
        (None, Err("TLS: received fatal alert: CertificateRequired")),
    ] {
        let options = TlsOptions { server_name: None, verify: true, identity: identity.map(str::to_owned) };
        let answer = match state.connect("localhost", port, Some(options)).await {
            Ok(mut connection) => connection.read(&state.egress, 100).await,
            Err(error) => Err(error),
        };
        let answer = answer.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|e| e.to_string());
        match (&answer, expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected, "{identity:?}"),
            (Err(why), Err(expected)) => {
                assert!(why.contains(expected) && !why.contains("s3cret"), "{identity:?}: {why}")
            }
            _ => panic!("{identity:?}: {answer:?}, not {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_certificate_cannot_be_a_header() {
    let (api, requests) = server(false, vec![ok("")]).await;
    let (_, known) = issuer();
    let credentials = vec![secret("account", CredentialKind::ClientCertificate, &client(&known))];
    let reach = vec![Grant { plain_http: true, ..grant(Capability::Http, "localhost", api) }];
    let url = format!("http://localhost:{api}/send");
    let request = PluginHttpRequest { credential: Some("account".to_owned()), ..post(&url) };
    let error = network(
        instance_state(Grants { reach, credentials }, PluginLimits::default(), trusting_tls()).send(request).await,
    );
    assert!(matches!(&error, NetworkError::Denied(why) if why.contains("`http` cannot use")), "{error}");
    assert!(requests.lock().expect("a lock").is_empty());
}
