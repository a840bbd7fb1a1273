//! `ETag` and `If-Match`: no concurrent change is lost.

use serde_json::json;

use super::administration::install;
use super::*;

const SUBSCRIPTION: &str = "/api/v1/subscriptions/ralph/email";

async fn put_if(stand: &Stand, path: &str, etag: &str, body: &Value) -> Answer {
    stand.ask_with(&[("if-match", etag)], Method::PUT, path, body.to_string()).await
}

#[tokio::test]
async fn lost_update_of_two_concurrent_puts_with_the_same_etag_exactly_one_wins() {
    let stand = Stand::new().await;
    let made = stand.put(SUBSCRIPTION, &json!({ "addresses": ["ralph@example.org"] })).await;
    assert_eq!(made.status, 201);
    for round in 0..10 {
        let read = stand.get(SUBSCRIPTION).await;
        let etag = read.header(header::ETAG).to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2, "a strong tag: {etag}");
        let change = async |who: &str| {
            let body = json!({ "addresses": [format!("{who}-{round}@example.org")] });
            put_if(&stand, SUBSCRIPTION, &etag, &body).await
        };
        let (a, b) = tokio::join!(change("a"), change("b"));
        let (winner, loser) = if a.status == 200 { (a, b) } else { (b, a) };
        assert_eq!((winner.status, loser.status), (200, 412), "{}", loser.text());
        let stored = stand.get(SUBSCRIPTION).await;
        assert_eq!(stored.json(), winner.json(), "the loser wrote nothing");
        assert_eq!(stored.header(header::ETAG), winner.header(header::ETAG));
    }
}

#[tokio::test]
async fn a_subscription_changes_and_goes_only_as_its_author_has_seen_it() {
    let stand = Stand::new().await;
    let body = json!({ "addresses": ["a@example.org"] });
    assert_eq!(put_if(&stand, SUBSCRIPTION, "*", &body).await.status, 412, "there is none");
    assert_eq!(stand.get(SUBSCRIPTION).await.status, 404);
    let first = stand.put(SUBSCRIPTION, &body).await;
    let second = stand.put(SUBSCRIPTION, &json!({ "addresses": ["b@example.org"] })).await;
    let [old, new] = [&first, &second].map(|answer| answer.header(header::ETAG).to_owned());
    assert_ne!(old, new);
    let delete =
        async |etag: &str| stand.ask_with(&[("if-match", etag)], Method::DELETE, SUBSCRIPTION, "").await.status;
    assert_eq!(put_if(&stand, SUBSCRIPTION, &old, &body).await.status, 412);
    assert_eq!(delete(&old).await, 412);
    assert_eq!(stand.get(SUBSCRIPTION).await.json(), second.json());
    assert_eq!(put_if(&stand, SUBSCRIPTION, &format!("{old}, {new}"), &body).await.status, 200);
    assert_eq!(stand.get(SUBSCRIPTION).await.header(header::ETAG), old, "equal states have equal tags");
    assert_eq!(delete(&old).await, 204);
    assert_eq!(stand.get(SUBSCRIPTION).await.status, 404);
}

#[tokio::test]
async fn lost_update_of_a_channel_is_refused_and_its_tag_covers_secrets_without_showing_them() {
    let Some(component) = email_component() else { return };
    let stand = Stand::new().await;
    install(&stand, "email", component).await;
    let path = |what: &str| format!("/api/v1/channels/email{what}");
    let etag = async || stand.get(&path("")).await.header(header::ETAG).to_owned();
    let before = etag().await;
    assert_eq!(etag().await, before, "reading changes nothing");
    let config = json!({ "host": "mail.example.org", "from": "t@example.org", "username": "u", "password": "hunter2" });
    let configured = put_if(&stand, &path("/config"), &before, &config).await;
    assert_eq!(configured.status, 200, "{}", configured.text());
    let after = configured.header(header::ETAG).to_owned();
    assert_eq!(after, etag().await);
    let secret = put_if(&stand, &path("/config"), &after, &json!({ "password": "hunter3" })).await;
    assert_ne!(secret.header(header::ETAG), after, "the secret is part of the state");

    for (method, what, body) in [
        (Method::PUT, "/config", json!({ "host": "other.example.org" })),
        (Method::PUT, "/grants", json!({ "reach": [] })),
        (Method::PUT, "/policy", json!({ "policy": "hold" })),
        (Method::POST, "/disable", json!({})),
        (Method::DELETE, "", json!({})),
    ] {
        let refused = stand.ask_with(&[("if-match", &before)], method.clone(), &path(what), body.to_string()).await;
        assert_eq!(refused.status, 412, "{method} {what}: {}", refused.text());
    }
    assert_eq!(stand.get(&path("")).await.json()["config"]["host"], "mail.example.org");
    assert_eq!(etag().await, secret.header(header::ETAG));

    let present = etag().await;
    let change = async |from: &str| put_if(&stand, &path("/config"), &present, &json!({ "from": from })).await.status;
    let (a, b) = tokio::join!(change("a@example.org"), change("b@example.org"));
    assert_eq!([a.min(b), a.max(b)], [200, 412]);
}
