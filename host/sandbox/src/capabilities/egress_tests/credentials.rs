//! Credentials of requests and connections: tokens for a service account, and client certificates. The servers run on
//! loopback; the token endpoint verifies assertions.

use std::sync::Mutex;

use crate::limits;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use tokio::time::Instant;

use super::http::{ask, network, ok, server};
use super::*;
use crate::capabilities::http::PluginHttpRequest;
use crate::credentials::tests::{key_file, verified};
use crate::instance::TlsOptions;
use crate::network::NetworkError;

fn status(code: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {code} Said\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn token(token: &str, seconds: u64) -> Vec<u8> {
    ok(&json!({ "access_token": token, "expires_in": seconds, "token_type": "Bearer" }).to_string())
}

/// A state with a service account whose token endpoint is at the port `tokens`, and grants for these ports of `localhost`.
fn holding(tokens: u16, ports: &[u16]) -> InstanceState {
    let plain = |port: &u16| Grant { plain_http: true, ..grant(Capability::Http, "localhost", *port) };
    let file = key_file(&format!("http://localhost:{tokens}/token"));
    let credentials = vec![secret("account", CredentialKind::GoogleServiceAccount, &file)];
    instance_state(
        Grants { reach: ports.iter().map(plain).collect(), credentials },
        PluginLimits::default(),
        trusting_tls(),
    )
}

fn to(port: u16) -> PluginHttpRequest {
    PluginHttpRequest { credential: Some("account".to_owned()), ..ask(&format!("http://localhost:{port}/send")) }
}

/// The tokens in the requests, in order.
fn tokens_sent(requests: &Mutex<Vec<String>>) -> Vec<String> {
    let requests = requests.lock().expect("a lock");
    let token = |request: &String| {
        let value = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
        value.unwrap_or("none").to_owned()
    };
    requests.iter().map(token).collect()
}

#[tokio::test]
async fn a_service_account_obtains_a_token_that_is_cached() {
    let (tokens, asked) = server(false, vec![token("t1", 3600)]).await;
    let (api, requests) = server(false, vec![ok("1"), ok("2")]).await;
    let mut state = holding(tokens, &[tokens, api]);
    for _ in 0..2 {
        assert_eq!(state.send(to(api)).await.map(|reply| reply.status), Ok(200));
    }
    assert_eq!(tokens_sent(&requests), ["t1", "t1"]);
    let asked = asked.lock().expect("a lock").remove(0);
    assert!(asked.starts_with("POST /token HTTP/1.1\r\n"), "{asked}");
    let (_, form) = asked.split_once("\r\n\r\n").expect("a body");
    let claims = verified(form).expect("signed by the account");
    assert_eq!(claims["aud"], format!("http://localhost:{tokens}/token"));
}

#[tokio::test]
async fn a_token_is_replaced_when_it_is_about_to_expire_and_once_when_it_is_refused() {
    let refused = || status(401, "{}");
    // Each row: the lifetime of tokens, the API's replies, the statuses that the plugin sees, the tokens that were sent.
    for (lasts, replies, expected, expected_tokens) in [
        (60, vec![ok(""), ok("")], vec![200, 200], vec!["t1", "t2"]),
        (3600, vec![ok(""), refused(), ok(""), ok("")], vec![200, 200, 200], vec!["t1", "t1", "t2", "t2"]),
        (3600, vec![refused(), ok("")], vec![401, 200], vec!["t1", "t1"]),
        (3600, vec![ok(""), refused(), refused()], vec![200, 401], vec!["t1", "t1", "t2"]),
    ] {
        let (tokens, _) = server(false, (1..=4).map(|n| token(&format!("t{n}"), lasts)).collect()).await;
        let (api, requests) = server(false, replies).await;
        let mut state = holding(tokens, &[tokens, api]);
        for status in expected {
            assert_eq!(state.send(to(api)).await.map(|reply| reply.status), Ok(status), "{expected_tokens:?}");
        }
        assert_eq!(tokens_sent(&requests), expected_tokens);
    }
}

#[tokio::test]
async fn requests_at_the_same_time_share_one_exchange() {
    let (tokens, asked) = server(false, vec![token("t1", 3600), token("t2", 3600)]).await;
    let (api, requests) = server(false, (0..4).map(|_| ok("")).collect()).await;
    let mut first = holding(tokens, &[tokens, api]);
    let mut others: Vec<InstanceState> = (0..3).map(|_| holding(tokens, &[tokens, api])).collect();
    for state in &mut others {
        state.context = first.context.clone();
    }
    let [second, third, fourth] = others.as_mut_slice() else { panic!("three") };
    let answers = tokio::join!(first.send(to(api)), second.send(to(api)), third.send(to(api)), fourth.send(to(api)));
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        assert_eq!(answer.map(|reply| reply.status), Ok(200));
    }
    assert_eq!(tokens_sent(&requests), ["t1"; 4]);
    assert_eq!(asked.lock().expect("a lock").len(), 1);
}

#[tokio::test]
async fn a_failed_exchange_is_reported_without_the_key_and_not_repeated_at_once() {
    for (reply, expected) in [
        (status(400, r#"{"error":"invalid_grant","error_description":"s3cret"}"#), "HTTP 400 (invalid_grant)"),
        (status(401, r#"{"error":"s3cret: ey.."}"#), "HTTP 401 instead of a token from localhost"),
        (status(503, "s3cret"), "HTTP 503 instead"),
        (ok("s3cret"), "no token in the answer"),
        (token("s3cret\r\nx-evil: 1", 3600), "no token in the answer"),
        (token(&"s3cret".repeat(2000), 3600), "no token in the answer"),
        (Vec::new(), "no token from localhost"),
    ] {
        let (tokens, asked) = server(false, vec![reply, token("t2", 3600)]).await;
        let (api, requests) = server(false, vec![ok("")]).await;
        let mut state = holding(tokens, &[tokens, api]);
        for _ in 0..2 {
            let error = network(state.send(to(api)).await);
            assert!(matches!(error, NetworkError::Denied(_)), "{error}");
            let text = error.to_string();
            assert!(text.contains(expected) && text.contains("`account`"), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("PRIVATE") && !text.contains("ey"), "{text}");
        }
        assert_eq!(state.stats.egress_denials, 0, "the plugin exceeded no grant");
        assert_eq!(asked.lock().expect("a lock").len(), 1, "asked once");
        assert!(requests.lock().expect("a lock").is_empty(), "the API got no request");
    }
}

/// The paused clock advances when nothing but timers is left to wait for.
#[tokio::test(start_paused = true)]
async fn a_silent_token_server_is_waited_for_once_and_named() {
    let (listener, tokens) = listen().await;
    let (api, requests) = server(false, vec![ok("")]).await;
    let mut state = holding(tokens, &[tokens, api]);
    let started = Instant::now();
    let (first, _held) = tokio::join!(state.send(to(api)), accept(&listener));
    assert!(started.elapsed() >= limits::TOKEN_TIME);
    let second = state.send(to(api)).await;
    assert!(started.elapsed() < limits::TOKEN_TIME * 2, "the second one does not wait again");
    for error in [network(first), network(second)] {
        assert!(matches!(&error, NetworkError::Denied(why) if why.contains("no token within 10 s")), "{error}");
    }
    assert!(requests.lock().expect("a lock").is_empty(), "the API got no request");
}

#[tokio::test]
async fn a_quota_that_one_call_used_up_does_not_affect_the_next() {
    let (tokens, asked) = server(false, vec![token("t1", 3600)]).await;
    let (api, requests) = server(false, vec![ok("")]).await;
    let mut state = holding(tokens, &[tokens, api]);
    let fresh = std::mem::replace(
        &mut state.egress,
        Egress::new(trusting_tls(), &PluginLimits { connections: 0, ..PluginLimits::default() }),
    );
    let error = network(state.send(to(api)).await);
    assert!(matches!(error, NetworkError::Limit(_)), "{error}");
    assert!(asked.lock().expect("a lock").is_empty());
    state.egress = fresh;
    assert_eq!(state.send(to(api)).await.map(|reply| reply.status), Ok(200));
    assert_eq!(tokens_sent(&requests), ["t1"]);
}

#[tokio::test]
async fn a_token_endpoint_needs_a_grant_as_every_host() {
    let (tokens, asked) = server(false, vec![token("t1", 3600)]).await;
    let (api, requests) = server(false, vec![ok("")]).await;
    let private = |private, plain_http| Grant { private, plain_http, ..grant(Capability::Http, "localhost", tokens) };
    for (more, expected) in [
        (None, "no grant of `http` for localhost"),
        (Some(private(false, true)), "its grant lacks `private`"),
        (Some(private(true, false)), "its grant lacks `plain_http`"),
    ] {
        let mut state = holding(tokens, &[api]);
        let mut grants = Grants::clone(&state.context.grants);
        grants.reach.extend(more);
        state.context.grants = Arc::new(grants);
        let error = network(state.send(to(api)).await);
        assert!(matches!(&error, NetworkError::Denied(why) if why.contains(expected)), "{error}");
        assert_eq!(state.stats.egress_denials, 1);
    }
    assert!(asked.lock().expect("a lock").is_empty() && requests.lock().expect("a lock").is_empty());
}

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
        (Some("token"), Err("denied: the credential `token` is of the kind `header`, which `net` has no use for")),
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
    let error = network(
        instance_state(Grants { reach, credentials }, PluginLimits::default(), trusting_tls()).send(to(api)).await,
    );
    assert!(matches!(&error, NetworkError::Denied(why) if why.contains("`http` has no use for")), "{error}");
    assert!(requests.lock().expect("a lock").is_empty());
}
