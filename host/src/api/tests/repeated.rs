//! Request ids, repeated requests and quotas.

use std::num::NonZeroU32;

use serde_json::json;

use super::*;

const RETRY: &str = "/api/v1/deliveries/retry";
const KEY: &str = "idempotency-key";

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_valid_one_of_the_client_is_kept() {
    let stand = Stand::new().await;
    for path in ["/-/healthy", "/none", "/api/v1/books"] {
        let id = stand.get(path).await.header("x-request-id").to_owned();
        assert_eq!(id.len(), 32, "{path}: {id}");
        assert_ne!(stand.get(path).await.header("x-request-id"), id);
        let kept = stand.ask_with(&[("x-request-id", "deploy-7.a_B")], Method::GET, path, "").await;
        assert_eq!(kept.header("x-request-id"), "deploy-7.a_B");
        let replaced = stand.ask_with(&[("x-request-id", "no spaces")], Method::GET, path, "").await;
        assert_eq!(replaced.header("x-request-id").len(), 32);
    }
    assert_eq!(stand.ask_as(None, Method::GET, "/api/v1/books", "").await.header("x-request-id").len(), 32);
}

#[tokio::test]
async fn a_repeated_post_with_the_same_key_gets_the_first_answer() {
    let stand = Stand::new().await;
    let post =
        async |key: &str, body: Value| stand.ask_with(&[(KEY, key)], Method::POST, RETRY, body.to_string()).await;
    let first = post("a", json!({})).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, ""));
    let again = post("a", json!({})).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"));
    assert_eq!(again.json(), first.json());
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"), "it is a request of its own");
    assert_eq!(post("a", json!({ "channel": "irc" })).await.status, 422, "the key belongs to another request");
    assert_eq!(post("b", json!({})).await.header("idempotency-replayed"), "", "another key");
    assert_eq!(post(&"x".repeat(256), json!({})).await.status, 400);
    let invalid = post("c", json!({ "id": "x" })).await;
    let again = post("c", json!({ "id": "x" })).await;
    assert_eq!((invalid.status, again.status), (422, 422));
    assert_eq!(again.header("idempotency-replayed"), "true", "a refusal is an answer as well");

    let other = new_token("other", clock::now(), None);
    stand.state.store.put_token(&other.record).await.expect("it is stored");
    let other = Stand { token: other.text.expose().clone(), ..stand };
    let theirs = other.ask_with(&[(KEY, "a")], Method::POST, RETRY, json!({ "channel": "x" }).to_string()).await;
    assert_eq!((theirs.status, theirs.header("idempotency-replayed")), (200, ""), "keys belong to a token");
}

#[tokio::test]
async fn a_token_over_its_quota_gets_429_and_health_and_metrics_go_on() {
    let mut stand = Stand::new().await;
    stand.state.requests_per_second = NonZeroU32::MIN;
    stand.router = router(stand.state.clone());
    let statuses = [stand.get("/api/v1/books").await, stand.get("/api/v1/books").await].map(|answer| answer.status);
    assert_eq!(statuses, [200, 200], "a burst of two seconds' worth");
    let refused = stand.get("/api/v1/books").await;
    assert_eq!((refused.status, refused.header(header::RETRY_AFTER)), (429, "1"), "{}", refused.text());
    assert_eq!(refused.header(header::CONTENT_TYPE), "application/problem+json");
    for path in ["/-/healthy", "/-/ready", "/metrics"] {
        assert_eq!(stand.get(path).await.status, 200, "{path}");
    }
}
