//! What administrators do: components, channels, deliveries, status.

use serde_json::json;
use tidings_domain::delivery::{DeliveryId, NewMessage, StoredEvent};
use tidings_domain::outcome::Settlement;
use tidings_domain::testing::{recipient, stored_event};
use tidings_store::LeaseRequest;

use super::*;
use crate::trust::PublisherConfig;

/// A channel of that name.
pub(super) async fn install(stand: &Stand, name: &str, component: Vec<u8>) {
    let installed = stand.ask(Method::POST, "/api/v1/components", component).await;
    assert_eq!(installed.status, 201, "{}", installed.text());
    let digest = installed.json()["digest"].clone();
    let made = stand.put(&format!("/api/v1/channels/{name}"), &json!({ "component": digest })).await;
    assert_eq!(made.status, 200, "{}", made.text());
}

#[tokio::test]
async fn a_channel_is_installed_configured_granted_and_no_secret_comes_out_again() {
    let Some(component) = email_component() else { return };
    let stand = Stand::new().await;
    install(&stand, "email", component).await;
    let components = stand.get("/api/v1/components").await.data();
    assert_eq!(components[0]["manifest"]["name"], "email", "{components}");

    let config = json!({ "host": "mail.example.org", "from": "t@example.org", "username": "u", "password": "hunter2" });
    let configured = stand.put("/api/v1/channels/email/config", &config).await;
    assert_eq!(configured.status, 200, "{}", configured.text());
    assert_eq!(configured.json()["secrets_set"], json!(["password"]));
    let odd = stand.put("/api/v1/channels/email/config", &json!({ "colour": "red" })).await;
    assert_eq!((odd.status, odd.paths()), (422, vec!["colour".to_owned()]));

    let grants = json!({
        "reach": [{ "capability": "net", "host": "mail.example.org", "port": 587 }],
        "credentials": [{ "name": "key", "header": "x-key", "value": "hunter3", "host": "mail.example.org" }],
    });
    let granted = stand.put("/api/v1/channels/email/grants", &grants).await;
    assert_eq!((granted.status, &granted.json()["credentials"]), (200, &json!(["key"])), "{}", granted.text());
    let narrowed = stand.put("/api/v1/channels/email/grants", &json!({ "reach": [] })).await.json();
    assert_eq!((&narrowed["reach"], &narrowed["credentials"]), (&json!([]), &json!(["key"])), "what is absent stays");

    let enabled = stand.post("/api/v1/channels/email/enable", &json!({})).await;
    assert_eq!((enabled.status, &enabled.json()["state"]), (200, &json!("running")), "{}", enabled.text());
    let status = stand.get("/api/v1/status").await;
    assert_eq!(status.json()["channels"], json!([{ "name": "email", "state": "running" }]));
    let disabled = stand.post("/api/v1/channels/email/disable", &json!({})).await;
    assert_eq!(disabled.json()["state"], "disabled");
    for answer in [configured, granted, enabled, disabled, stand.get("/api/v1/channels").await, status] {
        assert!(!answer.text().contains("hunter"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_channel_that_lacks_its_configuration_cannot_be_enabled() {
    let Some(component) = email_component() else { return };
    let stand = Stand::new().await;
    install(&stand, "email", component).await;
    let answer = stand.post("/api/v1/channels/email/enable", &json!({})).await;
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.paths().contains(&"host".to_owned()), "{}", answer.text());
}

fn accepted(number: usize) -> NewMessage {
    let event = StoredEvent { subtitle: format!("message {number}"), ..stored_event(&format!("m{number}")) };
    NewMessage {
        id: event.id.clone(),
        topic: event.topic.clone(),
        digest: [number as u8; 32],
        event: Some(Arc::new(event)),
        recipients: [recipient("ralph", "email")].into(),
    }
}

#[tokio::test]
async fn deliveries_are_listed_paged_and_the_dead_get_another_chance() {
    let stand = Stand::new().await;
    let store = &stand.state.store;
    let subscription = json!({
        "addresses": ["ralph@example.org"],
        "filters": [{ "name": "mine", "rules": [{ "rule": "user_filter", "arguments": { "fasnick": "ralph" } }] }],
    });
    assert_eq!(stand.put("/api/v1/subscriptions/ralph/email", &subscription).await.status, 201);
    for number in 1..=3 {
        store.accept(accepted(number), clock::now()).await.expect("it is accepted");
    }
    let request = LeaseRequest {
        channel: "email".into(),
        now: clock::now(),
        lifetime: std::time::Duration::from_secs(60),
        max: 1,
        digest_events: 10,
    };
    let leased = store.lease(request).await.expect("one is due");
    let id: DeliveryId = leased[0].delivery().id.clone();
    let dead = leased.into_iter().map(|lease| (lease, Settlement::Dead { reason: "no such mailbox".into() }));
    store.settle(dead.collect(), clock::now()).await.expect("it is settled");

    let ids = async |query: &str| {
        let rows = stand.get(&format!("/api/v1/deliveries{query}")).await.data();
        rows.as_array().expect("a list").iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("?state=dead").await, [id.to_string()]);
    let all = ids("?channel=email&user=ralph").await;
    assert_eq!(all.len(), 3);
    let first = stand.get("/api/v1/deliveries?limit=2").await.json();
    let rest = ids(&format!("?after={}", first["next"].as_str().expect("there are more"))).await;
    assert_eq!([ids("?limit=2").await, rest].concat(), all);
    assert_eq!(stand.get("/api/v1/deliveries?limit=3").await.json()["next"], json!(null), "the last page");
    assert_eq!(ids("?user=lena").await, Vec::<String>::new());
    let dead = stand.get("/api/v1/deliveries?state=dead").await.data();
    assert_eq!((&dead[0]["note"], &dead[0]["attempts"]), (&json!("no such mailbox"), &json!(1)));
    let books = json!([{ "channel": "email", "accepted": 3, "delivered": 0, "dead": 1, "cancelled": 0, "pending": 2 }]);
    assert_eq!(stand.get("/api/v1/books").await.data(), books);

    let other = stand.post("/api/v1/deliveries/retry", &json!({ "channel": "irc" })).await;
    assert_eq!((other.status, other.json()), (200, json!({ "retried": 0 })));
    let again = stand.post("/api/v1/deliveries/retry", &json!({ "channel": "email", "id": id.as_str() })).await;
    assert_eq!((again.status, again.json()), (200, json!({ "retried": 1 })));
    assert_eq!(ids("?state=pending").await.len(), 3);
}

#[tokio::test]
async fn status_counts_what_became_of_messages() {
    let stand = Stand::new().await;
    stand.state.metrics.received.inc_by(2);
    stand.state.metrics.unmatched.inc();
    stand.state.metrics.refuse(tidings_domain::message::Refusal::NoTopic);
    let status = stand.get("/api/v1/status").await.json();
    let messages = json!({
        "received": 2, "matched": 0, "unmatched": 1, "duplicate": 0, "conflict": 0, "poison": 0,
        "refused": { "no_topic": 1 },
    });
    assert_eq!(status["messages"], messages);
    assert_eq!((&status["bus"], &status["channels"]), (&json!([]), &json!([])));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn where_signatures_are_required_a_component_without_a_good_one_is_neither_kept_nor_run() {
    let Some(component) = email_component() else { return };
    let pair = minisign::KeyPair::generate_unencrypted_keypair().expect("random numbers");
    let publisher = PublisherConfig { name: "us".into(), keys: vec![pair.pk.to_base64()], plugins: None };
    let stand = Stand::trusting(&TrustConfig { required: true, publishers: vec![publisher] }).await;
    let install = async |file: &[u8], signature: Option<String>| {
        let query = signature
            .map(|text| url::form_urlencoded::Serializer::new(String::new()).append_pair("signature", &text).finish());
        let path = format!("/api/v1/components?{}", query.unwrap_or_default());
        stand.ask(Method::POST, &path, file.to_vec()).await
    };
    let sign = |file: &[u8]| {
        minisign::sign(None, &pair.sk, std::io::Cursor::new(file), None, None).expect("it signs").to_string()
    };
    assert_eq!(install(&component, None).await.status, 403);
    assert_eq!(install(&component, Some(sign(b"another file"))).await.status, 403);
    assert_eq!(stand.get("/api/v1/components").await.data(), json!([]));
    let installed = install(&component, Some(sign(&component))).await;
    assert_eq!((installed.status, &installed.json()["signed_by"]), (201, &json!("us")));
}

#[tokio::test]
async fn a_component_elsewhere_is_named_well_or_refused() {
    let stand = Stand::new().await;
    let digest = "0".repeat(64);
    for (body, status, path) in [
        (json!({}), 422, ""),
        (json!({ "url": "https://a.example/x.wasm" }), 422, ""),
        (json!({ "url": "no url", "sha256": "00" }), 422, "url"),
        (json!({ "url": "https://a.example/x.wasm", "sha256": "00" }), 422, "sha256"),
        (json!({ "oci": "email" }), 422, "oci"),
        (json!({ "url": "https://169.254.169.254/x.wasm", "sha256": digest }), 422, "none"),
        (json!({ "url": "http://a.example/x.wasm", "sha256": digest }), 422, "none"),
        (json!({ "url": "http://127.0.0.1:1/x.wasm", "sha256": digest }), 502, "none"),
    ] {
        let kind = ("content-type", "application/json");
        let request = Request::builder().method(Method::POST).uri("/api/v1/components").header(kind.0, kind.1);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", stand.token));
        let request = request.body(Body::from(body.to_string())).expect("a request");
        let answer = read(stand.router.clone().oneshot(request).await.expect("an answer")).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        if path != "none" {
            assert!(answer.paths().contains(&path.to_owned()), "{body}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_grant_that_is_taken_back_is_gone_with_the_answer() {
    let Some(component) = email_component() else { return };
    let stand = Stand::new().await;
    install(&stand, "email", component).await;
    // Bound, but not listening: connections are refused, and no other program gets the port.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let closed = socket.local_addr().expect("it is bound").port();
    let config = json!({ "host": "127.0.0.1", "port": closed.to_string(), "from": "t@example.org" });
    let configured = stand.put("/api/v1/channels/email/config", &config).await;
    assert_eq!(configured.status, 200, "{}", configured.text());
    let grant = json!({ "reach": [{ "capability": "net", "host": "127.0.0.1", "port": closed, "private": true }] });
    let granted = stand.put("/api/v1/channels/email/grants", &grant).await.json();
    let may = format!(
        "may open connections, encrypted or not, to 127.0.0.1 port {closed}; the address is this machine itself (loopback)"
    );
    assert_eq!(granted["may"][0], json!(may), "{granted}");
    let sent = async || {
        let address = json!({ "address": "ralph@example.org" });
        stand.post("/api/v1/channels/email/test-send", &address).await.text().to_owned()
    };
    let before = sent().await;
    assert!(!before.contains("no grant"), "{before}");
    let taken = stand.put("/api/v1/channels/email/grants", &json!({ "reach": [] })).await.json();
    assert_eq!(taken["may"][0], "may reach nothing on the network");
    let after = sent().await;
    assert!(after.contains("no grant of `net` for 127.0.0.1"), "{after}");
}
