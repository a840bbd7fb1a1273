//! `http`: requests, redirects, credentials, and their limits. The server follows a script and keeps its requests.

use std::sync::Mutex;

use super::*;
use crate::capabilities::http::PluginHttpRequest;
use crate::limits;
use crate::network::{HttpError, HttpReply, NetworkError};

/// Answers each connection with the next of `replies`, over TLS or not, and keeps the requests.
pub(super) async fn server(tls: bool, replies: Vec<Vec<u8>>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let (listener, port) = listen().await;
    let requests = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&requests);
    tokio::spawn(async move {
        for reply in replies {
            let tcp = accept(&listener).await;
            if tls {
                let stream = authority().acceptor.accept(tcp).await.expect("a handshake");
                answer(stream, &reply, &received).await;
            } else {
                answer(tcp, &reply, &received).await;
            }
        }
    });
    (port, requests)
}

async fn answer(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    reply: &[u8],
    received: &Mutex<Vec<String>>,
) {
    let mut request = Vec::new();
    while !complete(&request) {
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(read @ 1..) => request.extend(&part[..read]),
            _ => break,
        }
    }
    received.lock().expect("a lock").push(String::from_utf8_lossy(&request).into_owned());
    drop(stream.write_all(reply).await);
    drop(stream.shutdown().await);
}

/// Whether the head and the announced body are there.
fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

pub(super) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-Test: yes\r\n\r\n{body}", body.len()).into_bytes()
}

fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

pub(super) fn post(url: &str) -> PluginHttpRequest {
    PluginHttpRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![("Content-Type".to_owned(), "text/plain".to_owned())],
        body: b"ping".to_vec(),
        credential: None,
        redirects: 0,
        timeout_ms: None,
    }
}

/// Grants for `localhost` at `plain` without TLS and at `encrypted` with it, and a credential for it.
fn reaching(plain: u16, encrypted: u16) -> InstanceState {
    let plain = Grant { plain_http: true, ..grant(Capability::Http, "localhost", plain) };
    let reach = vec![plain, grant(Capability::Http, "localhost", encrypted)];
    let credentials = vec![credential("token", "Bearer key"), credential("broken", "line\r\nbreak")];
    instance_state(Grants { reach, credentials }, PluginLimits::default(), trusting_tls())
}

pub(super) fn network(answer: Result<HttpReply, HttpError>) -> NetworkError {
    match answer {
        Err(HttpError::Network(error)) => error,
        other => panic!("expected an error of the network, got {other:?}"),
    }
}

#[tokio::test]
async fn a_request_goes_out_and_its_response_comes_back() {
    for tls in [false, true] {
        let (port, requests) = server(tls, vec![ok("pong")]).await;
        let scheme = if tls { "https" } else { "http" };
        let mut state = reaching(port, port);
        let asked = PluginHttpRequest {
            credential: Some("token".to_owned()),
            ..post(&format!("{scheme}://localhost:{port}/a?b=c#d"))
        };
        let reply = state.send(asked).await.expect("a reply");
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"pong".as_slice()));
        assert!(reply.headers.contains(&("x-test".to_owned(), "yes".to_owned())));
        let request = requests.lock().expect("a lock").remove(0).to_lowercase();
        assert!(request.starts_with("post /a?b=c http/1.1\r\n"), "{request}");
        for part in [&format!("host: localhost:{port}\r\n"), "authorization: bearer key\r\n", "user-agent: tidings/"] {
            assert!(request.contains(part), "{part} in {request}");
        }
        assert!(request.ends_with("\r\n\r\nping"), "{request}");
    }
}

#[tokio::test]
async fn what_is_not_granted_is_denied_before_anything_is_sent() {
    let (port, requests) = server(false, vec![ok("")]).await;
    let (other, _) = server(false, vec![]).await;
    let mut state = reaching(port, other);
    for (url, credential, expected) in [
        (format!("http://localhost:{other}/"), None, "lacks `plain_http`"),
        (format!("http://127.0.0.1:{port}/"), None, "no grant of `http` for 127.0.0.1"),
        (format!("http://2130706433:{port}/"), None, "no grant of `http` for 127.0.0.1"),
        (format!("http://localhost.:{other}/"), None, "lacks `plain_http`"),
        ("http://localhost/".to_owned(), None, "no grant of `http` for localhost:80"),
        ("http://example.org/".to_owned(), None, "no grant of `http` for example.org:80"),
        ("http://ⓛocalhost/".to_owned(), None, "no grant of `http` for localhost:80"),
        (format!("http://localhost:{port}/"), Some("key"), "no credential `key`"),
    ] {
        let asked = PluginHttpRequest { credential: credential.map(str::to_owned), ..post(&url) };
        let error = network(state.send(asked).await);
        assert!(matches!(&error, NetworkError::Denied(why) if why.contains(expected)), "{url}: {error}");
    }
    assert_eq!(state.stats.egress_denials, 8);
    assert!(requests.lock().expect("a lock").is_empty());
    let broken =
        PluginHttpRequest { credential: Some("broken".to_owned()), ..post(&format!("http://localhost:{port}/")) };
    let refused = state.send(broken).await;
    assert_eq!(refused, Err(HttpError::Invalid("the credential `broken` is not a valid header".to_owned())));
}

#[tokio::test]
async fn row_49_each_redirect_is_checked_and_the_credential_stays_at_its_origin() {
    let (last, last_requests) = server(false, vec![ok("done")]).await;
    let (plain, requests) = server(false, vec![redirect("/b"), redirect(&format!("http://localhost:{last}/c"))]).await;
    let mut state = reaching(plain, plain);
    let more = Grant { plain_http: true, ..grant(Capability::Http, "localhost", last) };
    let grants = Grants { reach: vec![more], credentials: Vec::new() };
    let all = Grants {
        reach: state.context.grants.reach.iter().cloned().chain(grants.reach).collect(),
        credentials: state.context.grants.credentials.clone(),
    };
    state.context.grants = Arc::new(all);
    let url = format!("http://localhost:{plain}/a");
    let asked = PluginHttpRequest { credential: Some("token".to_owned()), redirects: 5, ..post(&url) };
    let reply = state.send(asked).await.expect("a reply");
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"done".as_slice()));
    let carries = |request: &String| request.to_lowercase().contains("authorization:");
    assert!(requests.lock().expect("a lock").iter().all(carries), "the same origin gets it each time");
    assert!(!last_requests.lock().expect("a lock").iter().any(carries), "another port does not get it");
    assert!(last_requests.lock().expect("a lock")[0].ends_with("ping"), "307 keeps the body");
}

#[tokio::test]
async fn row_49_a_redirect_to_where_nothing_is_granted_is_denied() {
    for target in [
        "http://169.254.169.254/latest",
        "http://[::1]:1/",
        "http://internal.example/",
        "//127.0.0.1:9/",
        "https://localhost/",
    ] {
        let (port, _) = server(false, vec![redirect(target)]).await;
        let mut state = reaching(port, port);
        let asked = PluginHttpRequest { redirects: 1, ..post(&format!("http://localhost:{port}/")) };
        let error = network(state.send(asked).await);
        assert!(matches!(error, NetworkError::Denied(_)), "{target}: {error}");
    }
}

#[tokio::test]
async fn redirects_end_at_the_number_that_the_plugin_asks_for() {
    let (port, _) = server(false, vec![redirect("/1"), redirect("/2"), redirect("/3")]).await;
    let mut state = reaching(port, port);
    let url = format!("http://localhost:{port}/");
    assert_eq!(state.send(post(&url)).await.map(|reply| reply.status), Ok(307), "none asked for: the reply itself");
    let asked = PluginHttpRequest { redirects: 1, ..post(&url) };
    let reply = state.send(asked).await.expect("a reply");
    assert_eq!(reply.headers.iter().find(|(name, _)| name == "location").map(|(_, to)| to.as_str()), Some("/3"));
}

#[tokio::test]
async fn a_reply_beyond_its_bounds_is_an_error_and_not_memory() {
    let many: String = (0..=limits::HTTP_HEADERS).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(2 * limits::HTTP_HEADER_BYTES));
    let huge = [ok("")[..17].to_vec(), b"\r\n".to_vec(), vec![b'x'; limits::HTTP_RESPONSE_BYTES + 1]].concat();
    for (reply, is_limit) in [
        (format!("HTTP/1.1 200 OK\r\n{many}\r\n").into_bytes(), false),
        (long.into_bytes(), false),
        (huge, true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort".to_vec(), false),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(), false),
        (b"220 smtp.example.org ESMTP\r\n".to_vec(), false),
        (b"".to_vec(), false),
    ] {
        let (port, _) = server(false, vec![reply.clone()]).await;
        let error = network(reaching(port, port).send(post(&format!("http://localhost:{port}/"))).await);
        let head = String::from_utf8_lossy(&reply[..reply.len().min(60)]).into_owned();
        let fits =
            if is_limit { matches!(error, NetworkError::Limit(_)) } else { matches!(error, NetworkError::Failed(_)) };
        assert!(fits, "{head}: {error}");
    }
}

#[tokio::test]
async fn an_exchange_ends_at_its_timeout_and_its_connection_with_it() {
    let (listener, port) = listen().await;
    let mut state = reaching(port, port);
    let asked = PluginHttpRequest { timeout_ms: Some(100), ..post(&format!("http://localhost:{port}/")) };
    let (answer, mut peer) = tokio::join!(state.send(asked), accept(&listener));
    assert_eq!(network(answer), NetworkError::Timeout);
    let mut sent = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(5), peer.read_to_end(&mut sent)).await;
    assert!(end.is_ok(), "the connection was closed");
}

#[tokio::test]
async fn the_bytes_of_a_call_are_limited() {
    let (port, _) = server(false, vec![ok(&"x".repeat(10_000))]).await;
    let mut state = reaching(port, port);
    state.egress = Egress::new(trusting_tls(), &PluginLimits { network_bytes: 5000, ..PluginLimits::default() });
    let error = network(state.send(post(&format!("http://localhost:{port}/"))).await);
    assert_eq!(error, NetworkError::Limit("more than 5000 bytes over the network in one call".to_owned()));
}

#[tokio::test]
async fn an_untrusted_server_gets_no_request() {
    let (port, requests) = server(true, vec![ok("")]).await;
    let mut state = reaching(port, port);
    state.egress = Egress::new(Arc::new(Tls::new(None).expect("TLS")), &PluginLimits::default());
    let error = network(state.send(post(&format!("https://localhost:{port}/"))).await);
    assert!(matches!(error, NetworkError::Tls(_)), "{error}");
    assert!(requests.lock().expect("a lock").is_empty());
}
