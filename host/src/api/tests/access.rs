//! Who is let in, and where.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::api::routes;

#[tokio::test]
async fn every_route_of_the_api_needs_a_valid_token() {
    let stand = Stand::new().await;
    let now = clock::now();
    let expired = new_token("old", now, Some(now.before(Duration::from_secs(1))));
    stand.state.store.put_token(&expired.record).await.expect("it is stored");
    let revoked = new_token("gone", now, None);
    let other_secret =
        format!("{}{}", &stand.token[..stand.token.len() - 1], if stand.token.ends_with('0') { 1 } else { 0 });
    let bad = [
        None,
        Some(""),
        Some("x"),
        Some(expired.text.expose().as_str()),
        Some(revoked.text.expose()),
        Some(&other_secret),
    ];
    let routes = routes::protected();
    assert!(!routes.is_empty());
    for route in routes {
        assert!(route.path.starts_with("/api/v1/"), "{}", route.path);
        let path = route.path.replace(['{', '}'], "x");
        for token in bad {
            let answer = stand.ask_as(token, route.method.clone(), &path, "{}").await;
            assert_eq!(answer.status, 401, "{} {path} with {token:?}", route.method);
            assert!(answer.header(header::WWW_AUTHENTICATE).starts_with("Bearer"), "{path}");
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json", "{path}");
        }
        let answer = stand.ask(route.method.clone(), &path, "{}").await;
        assert!(
            answer.status != 401 && answer.status < 500,
            "{} {path} with a good token: {}",
            route.method,
            answer.status
        );
    }
}

#[tokio::test]
async fn nothing_else_is_open_than_what_is_listed_here() {
    // A route that joins this list is open to anyone who can connect: think twice.
    let open = [
        "GET /-/healthy",
        "GET /-/ready",
        "GET /confirm/{token}",
        "GET /metrics",
        "GET /openapi.json",
        "GET /reject/{token}",
        "GET /stream.css",
        "GET /stream.js",
        "GET /stream/{token}",
        "GET /stream/{token}/events",
        "GET /unsubscribe/{token}",
        "POST /confirm/{token}",
        "POST /reject/{token}",
        "POST /unsubscribe/{token}",
    ];
    let found: BTreeSet<String> =
        routes::public().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(found, open.map(str::to_owned).into());
}

#[tokio::test]
async fn a_token_counts_until_it_expires_or_is_revoked() {
    let stand = Stand::new().await;
    let now = clock::now();
    let new = new_token("soon", now, Some(now.after(Duration::from_secs(3600))));
    stand.state.store.put_token(&new.record).await.expect("it is stored");
    let token = Some(new.text.expose().as_str());
    assert_eq!(stand.ask_as(token, Method::GET, "/api/v1/books", "").await.status, 200);
    stand.state.store.delete_token(&new.record.id).await.expect("it is there");
    assert_eq!(stand.ask_as(token, Method::GET, "/api/v1/books", "").await.status, 401);
}

#[tokio::test]
async fn health_is_open_and_says_how_it_is() {
    let stand = Stand::new().await;
    for (path, kind, part) in [
        ("/-/healthy", "application/json", "healthy"),
        ("/-/ready", "application/json", "ready"),
        ("/metrics", "application/openmetrics-text; version=1.0.0; charset=utf-8", "tidings_messages_received_total"),
    ] {
        let answer = stand.ask_as(None, Method::GET, path, "").await;
        assert_eq!((answer.status, answer.header(header::CONTENT_TYPE)), (200, kind), "{path}");
        assert!(answer.text().contains(part), "{path}: {}", answer.text());
    }
    stand.state.store.close().await;
    assert_eq!(stand.ask_as(None, Method::GET, "/-/ready", "").await.status, 503, "the store is closed");
    assert_eq!(stand.ask_as(None, Method::GET, "/-/healthy", "").await.status, 200);
}

#[tokio::test]
async fn the_listener_serves_and_ends_when_told() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let stand = Stand::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let stop = tokio_util::sync::CancellationToken::new();
    let serving = tokio::spawn(serve(listener, stand.state.clone(), stop.clone()));
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
    let mut start = [0; 15];
    stream.read_exact(&mut start).await.expect("it answers");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    // The connection is idle now, and does not keep the server.
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(3), serving).await.expect("it ends at once").expect("and well");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the listener is closed");
}
