//! Tokens for a service account: how they are obtained, cached, replaced and refused. The servers run on loopback; the
//! token endpoint verifies assertions.

use std::sync::Mutex;

use serde_json::json;
use tokio::time::Instant;

use super::http::{network, ok, post, server};
use super::*;
use crate::capabilities::http::PluginHttpRequest;
use crate::credentials::tests::{key_file, verified};
use crate::limits;
use crate::network::NetworkError;

fn status(code: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {code} Status\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn token(token: &str, seconds: u64) -> Vec<u8> {
    ok(&json!({ "access_token": token, "expires_in": seconds, "token_type": "Bearer" }).to_string())
}

/// A state with a service account whose token endpoint is at the port `tokens`, and grants for these ports of
/// `localhost`.
fn with_account(tokens: u16, ports: &[u16]) -> InstanceState {
    let plain = |port: &u16| Grant { plain_http: true, ..grant(Capability::Http, "localhost", *port) };
    let file = key_file(&format!("http://localhost:{tokens}/token"));
    let credentials = vec![secret("account", CredentialKind::GoogleServiceAccount, &file)];
    instance_state(
        Grants { reach: ports.iter().map(plain).collect(), credentials },
        PluginLimits::default(),
        trusting_tls(),
    )
}

fn request_to(port: u16) -> PluginHttpRequest {
    PluginHttpRequest { credential: Some("account".to_owned()), ..post(&format!("http://localhost:{port}/send")) }
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
    let mut state = with_account(tokens, &[tokens, api]);
    for _ in 0..2 {
        assert_eq!(state.send(request_to(api)).await.map(|reply| reply.status), Ok(200));
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
    // Each row: the lifetime of tokens, the API's replies, the statuses that the plugin sees, the tokens that were
    // sent.
    for (lasts, replies, expected, expected_tokens) in [
        (60, vec![ok(""), ok("")], vec![200, 200], vec!["t1", "t2"]),
        (3600, vec![ok(""), refused(), ok(""), ok("")], vec![200, 200, 200], vec!["t1", "t1", "t2", "t2"]),
        (3600, vec![refused(), ok("")], vec![401, 200], vec!["t1", "t1"]),
        (3600, vec![ok(""), refused(), refused()], vec![200, 401], vec!["t1", "t1", "t2"]),
    ] {
        let (tokens, _) = server(false, (1..=4).map(|n| token(&format!("t{n}"), lasts)).collect()).await;
        let (api, requests) = server(false, replies).await;
        let mut state = with_account(tokens, &[tokens, api]);
        for status in expected {
            assert_eq!(state.send(request_to(api)).await.map(|reply| reply.status), Ok(status), "{expected_tokens:?}");
        }
        assert_eq!(tokens_sent(&requests), expected_tokens);
    }
}

#[tokio::test]
async fn requests_at_the_same_time_share_one_exchange() {
    let (tokens, asked) = server(false, vec![token("t1", 3600), token("t2", 3600)]).await;
    let (api, requests) = server(false, (0..4).map(|_| ok("")).collect()).await;
    let mut first = with_account(tokens, &[tokens, api]);
    let mut others: Vec<InstanceState> = (0..3).map(|_| with_account(tokens, &[tokens, api])).collect();
    for state in &mut others {
        state.context = first.context.clone();
    }
    let [second, third, fourth] = others.as_mut_slice() else { panic!("three") };
    let answers = tokio::join!(
        first.send(request_to(api)),
        second.send(request_to(api)),
        third.send(request_to(api)),
        fourth.send(request_to(api))
    );
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
        let mut state = with_account(tokens, &[tokens, api]);
        for _ in 0..2 {
            let error = network(state.send(request_to(api)).await);
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
    let mut state = with_account(tokens, &[tokens, api]);
    let started = Instant::now();
    let (first, _held) = tokio::join!(state.send(request_to(api)), accept(&listener));
    assert!(started.elapsed() >= limits::TOKEN_TIME);
    let second = state.send(request_to(api)).await;
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
    let mut state = with_account(tokens, &[tokens, api]);
    let fresh = std::mem::replace(
        &mut state.egress,
        Egress::new(trusting_tls(), &PluginLimits { connections: 0, ..PluginLimits::default() }),
    );
    let error = network(state.send(request_to(api)).await);
    assert!(matches!(error, NetworkError::Limit(_)), "{error}");
    assert!(asked.lock().expect("a lock").is_empty());
    state.egress = fresh;
    assert_eq!(state.send(request_to(api)).await.map(|reply| reply.status), Ok(200));
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
        let mut state = with_account(tokens, &[api]);
        let mut grants = Grants::clone(&state.context.grants);
        grants.reach.extend(more);
        state.context.grants = Arc::new(grants);
        let error = network(state.send(request_to(api)).await);
        assert!(matches!(&error, NetworkError::Denied(why) if why.contains(expected)), "{error}");
        assert_eq!(state.stats.egress_denials, 1);
    }
    assert!(asked.lock().expect("a lock").is_empty() && requests.lock().expect("a lock").is_empty());
}
