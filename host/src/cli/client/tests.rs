//! URLs, and a real server over TLS with a CA of its own.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tidings_api_types::Health;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

#[test]
fn segments_are_escaped_and_only_http_and_https_are_taken() {
    let client = ApiClient::at("http://[::1]:8900/", None, None).expect("it is a URL");
    assert_eq!(
        client.api(&["subscriptions", "a/b?c", "email"]).expect("they are names").as_str(),
        "http://[::1]:8900/api/v1/subscriptions/a%2Fb%3Fc/email"
    );
    let below = ApiClient::at("https://example.org/tidings/", None, None).expect("it is a URL");
    assert_eq!(below.api(&["status"]).expect("it is a name").as_str(), "https://example.org/tidings/api/v1/status");
    for dots in [".", ".."] {
        assert!(client.api(&["subscriptions", dots, "email"]).is_err(), "{dots} would name another path");
    }
    for url in ["localhost:8900", "http:", "unix:/run/x", "ftp://example.org"] {
        assert!(ApiClient::at(url, None, None).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_daemon_that_does_not_run_is_reported() {
    // Bound, but not listening: connections are refused, and no other program gets the port.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let url = format!("http://{}", socket.local_addr().expect("it is bound"));
    let client = ApiClient::at(&url, None, None).expect("it is a URL");
    let error = client.healthy().await.expect_err("nothing listens").to_string();
    assert!(error.starts_with(&format!("cannot reach the daemon at {url}: is it running?")), "{error}");
}

/// A CA in a file, and a server with a certificate of it.
struct TlsServer {
    ca_file: tempfile::NamedTempFile,
    url: String,
}

/// Answers every request with `response`, and hands the requests on.
async fn tls_server(response: &'static str) -> (TlsServer, tokio::sync::mpsc::Receiver<String>) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = ca.self_signed(&ca_key).expect("it is signed");
    let ca_file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(ca_file.path(), certificate.pem()).expect("it can be written");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let server = server.signed_by(&key, &Issuer::new(ca, ca_key)).expect("it is signed");
    let config = ServerConfig::builder_with_provider(tidings_tls::provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
        .expect("they fit");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://localhost:{}", listener.local_addr().expect("it is bound").port());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (sender, requests) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.expect("it is readable");
            request.truncate(read);
            stream.write_all(response.as_bytes()).await.expect("it is writable");
            stream.shutdown().await.expect("it ends");
            sender.send(String::from_utf8(request).expect("text")).await.expect("the test waits");
        }
    });
    (TlsServer { ca_file, url }, requests)
}

#[tokio::test]
async fn a_server_with_a_certificate_of_the_given_ca_is_reached_over_tls_and_no_other() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{\"healthy\":true}";
    let (server, mut requests) = tls_server(answer).await;
    let token = || Some(Secret::new("tid_a_b".to_owned()));
    let client = ApiClient::at(&server.url, token(), Some(server.ca_file.path())).expect("it is a URL");
    let health: Health = client.get(&client.api(&["x"]).expect("it is a name")).await.expect("it is trusted");
    assert!(health.healthy);
    let request = requests.recv().await.expect("it came");
    assert!(request.to_lowercase().contains("authorization: bearer tid_a_b"), "{request}");

    let distrusting = ApiClient::at(&server.url, token(), None).expect("it is a URL");
    let error = distrusting.healthy().await.expect_err("its CA is unknown").to_string();
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_so_the_token_stays_here() {
    let answer = "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n";
    let (server, _requests) = tls_server(answer).await;
    let token = Some(Secret::new("tid_a_b".to_owned()));
    let client = ApiClient::at(&server.url, token, Some(server.ca_file.path())).expect("it is a URL");
    let error = client.healthy().await.expect_err("it redirects").to_string();
    assert!(error.contains("redirects to https://elsewhere.example/"), "{error}");
}

#[tokio::test]
async fn a_request_over_the_quota_is_sent_again_after_the_wait_that_the_daemon_asks_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let server = tokio::spawn(async move {
        for response in [
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{\"healthy\":true}",
        ] {
            let (mut connection, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 4096];
            assert!(connection.read(&mut request).await.expect("a request") > 0);
            connection.write_all(response.as_bytes()).await.expect("it is read");
        }
    });
    ApiClient::at(&url, None, None).expect("it is a URL").healthy().await.expect("the second answer");
    server.await.expect("both were asked for");
}
