//! How requests fail.

use std::time::Duration;

use crate::api::limits;
use axum::routing::get;
use serde_json::json;

use super::*;
use crate::api::middleware::guard;

#[tokio::test]
async fn every_failure_is_a_problem_document_with_its_status() {
    let stand = Stand::new().await;
    let huge = format!("{{\"state\": \"{}\"}}", "x".repeat(limits::API_BODY_BYTES));
    for (method, path, body, status, detail) in [
        (Method::GET, "/", "", 404, "nothing at /"),
        (Method::GET, "/api/v1/none", "", 404, "nothing at /api/v1/none"),
        (Method::DELETE, "/api/v1/channels", "", 405, "DELETE is not possible"),
        (Method::POST, "/-/healthy", "", 405, "POST is not possible"),
        (Method::GET, "/api/v1/channels/none", "", 404, "no channel named none"),
        (Method::GET, "/api/v1/rules/none", "", 404, "no rule named none"),
        (Method::GET, "/api/v1/subscriptions/ralph/email", "", 404, "no subscription named ralph/email"),
        (Method::DELETE, "/api/v1/subscriptions/ralph/email", "", 404, "no subscription named ralph/email"),
        (Method::GET, "/unsubscribe/x", "", 404, "this link"),
        (Method::GET, "/api/v1/deliveries?state=odd", "", 400, "state"),
        (Method::GET, "/api/v1/deliveries?after=odd", "", 400, "`after`"),
        (Method::GET, "/api/v1/deliveries?limit=0", "", 400, "`limit`"),
        (Method::GET, "/api/v1/deliveries?user_name=x", "", 400, "user_name"),
        (Method::GET, "/api/v1/subscriptions?limit=99999", "", 400, "`limit`"),
        (Method::PUT, "/api/v1/channels/email", "", 400, "invalid JSON"),
        (Method::PUT, "/api/v1/channels/email", "{\"component\": 1}", 422, "expected form"),
        (Method::PUT, "/api/v1/channels/E%20Mail", "{\"component\": \"x\"}", 422, "not a valid channel name"),
        (Method::PUT, "/api/v1/channels/email", &huge, 413, "larger than"),
        (Method::PUT, "/api/v1/channels/email/grants", "{}", 422, "either"),
        (Method::PUT, "/api/v1/channels/email/grants", "{\"as_asked\": true, \"reach\": []}", 422, "either"),
        (Method::PUT, "/api/v1/channels/email/grants", "{\"private\": true, \"reach\": []}", 422, "either"),
        (Method::POST, "/api/v1/deliveries/retry", "{\"id\": \"x\"}", 422, "the id is invalid"),
        (Method::POST, "/api/v1/components", "hello", 422, "not WebAssembly"),
    ] {
        let answer = stand.ask(method.clone(), path, body.to_owned()).await;
        let what = format!("{method} {path}: {}", answer.text());
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json", "{what}");
        let document = answer.json();
        assert_eq!((&document["status"], &document["type"]), (&json!(status), &json!("about:blank")), "{what}");
        assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()), "{what}");
        assert!(document["detail"].as_str().is_some_and(|text| text.contains(detail)), "{what}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let stand = Stand::new().await;
    let answer = stand.ask(Method::PATCH, "/api/v1/subscriptions/ralph/email", "").await;
    let allowed: Vec<&str> = answer.header(header::ALLOW).split(',').collect();
    assert_eq!(answer.status, 405);
    for method in ["GET", "PUT", "DELETE"] {
        assert!(allowed.contains(&method), "{allowed:?}");
    }
}

#[tokio::test]
async fn mistakes_in_grants_have_their_places_and_never_show_a_value() {
    let stand = Stand::new().await;
    let body = json!({
        "reach": [
            { "capability": "net", "host": "a.b", "port": 25 },
            { "capability": "net", "host": "*.b", "port": 0 },
        ],
        "credentials": [
            { "name": "", "header": "a b", "value": "s3cret\n", "host": "x y" },
            { "name": "a", "kind": "header", "header": "x-key", "value": "s3cret", "host": "x.y" },
            { "name": "a", "kind": "google-service-account", "value": "s3cret", "host": "x.y" },
            { "name": "b", "kind": "client-certificate", "header": "x-key", "value": "s3cret", "host": "x.y" },
            { "name": "c", "kind": "client-certificate", "value": "s3cret", "host": "x.y" },
            { "name": "d", "kind": "s3cret", "value": "s3cret", "host": "x.y" },
            { "name": "e", "value": "s3cret", "host": "x.y" },
        ],
    });
    let answer = stand.put("/api/v1/channels/email/grants", &body).await;
    assert_eq!(answer.status, 422);
    let places = [
        "reach[1].host",
        "reach[1].port",
        "credentials[0].name",
        "credentials[0].header",
        "credentials[0].value",
        "credentials[0].host",
        "credentials[2].name",
        "credentials[2].value",
        "credentials[3].header",
        "credentials[4].value",
        "credentials[5].kind",
        "credentials[6].header",
    ];
    assert_eq!(answer.paths(), places);
    assert!(!answer.text().contains("s3cret"));
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_calm_browsers() {
    let stand = Stand::new().await;
    for (path, token) in
        [("/-/healthy", None), ("/none", None), ("/api/v1/books", None), ("/api/v1/books", Some(stand.token.as_str()))]
    {
        let answer = stand.ask_as(token, Method::GET, path, "").await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
    }
}

#[tokio::test]
async fn a_handler_that_panics_or_hangs_hurts_its_own_request_only() {
    let stand = Stand::new().await;
    async fn breaks() -> &'static str {
        panic!("on purpose: token=s3cret")
    }
    async fn hangs() -> &'static str {
        std::future::pending().await
    }
    let limited = |handler| guard::limited("GET /x".into(), Duration::from_millis(200), handler);
    let router: Router = Router::new()
        .route("/breaks", limited(get(breaks)))
        .route("/hangs", limited(get(hangs)))
        .route("/works", limited(get(|| async { "yes" })))
        .with_state(stand.state.clone());
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        read(router.clone().oneshot(request).await.expect("it answers")).await
    };
    let broken = ask("/breaks").await;
    assert_eq!((broken.status, broken.header(header::CONTENT_TYPE)), (500, "application/problem+json"));
    assert!(!broken.text().contains("s3cret"), "{}", broken.text());
    assert_eq!(ask("/hangs").await.status, 504);
    assert_eq!(ask("/works").await.text(), "yes");
}
