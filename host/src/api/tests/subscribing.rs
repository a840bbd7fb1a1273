//! Subscriptions, and the way out of them.

use serde_json::json;

use super::*;
use crate::telemetry::ReasonLabel;

fn subscription(addresses: &[&str]) -> Value {
    json!({
        "user": "ralph", "channel": "email", "enabled": true, "addresses": addresses,
        "digest": { "interval_seconds": 3600, "count": 20 },
        "style": { "markup": false, "triggered_by": true, "verbose": false },
        "filters": [{
            "name": "mine", "oneshot": false, "active": true,
            "rules": [{ "rule": "user_filter", "arguments": { "fasnick": "ralph" }, "negated": false }],
        }],
    })
}

const PATH: &str = "/api/v1/subscriptions/ralph/email";

#[tokio::test]
async fn a_subscription_is_stored_read_changed_and_removed() {
    let stand = Stand::new().await;
    let first = subscription(&["ralph@example.org"]);
    let stored = stand.put(PATH, &first).await;
    assert_eq!((stored.status, stored.json()), (201, first.clone()));
    assert_eq!(stand.get(PATH).await.json(), first);
    assert_eq!(stand.get("/api/v1/subscriptions?user=ralph").await.data(), json!([first]));
    assert_eq!(stand.get("/api/v1/subscriptions?user=lena").await.data(), json!([]));
    let reloads = || stand.state.metrics.rule_invalidations.get_or_create(&ReasonLabel { reason: "feed" }).get();
    let before = reloads();

    let second = subscription(&["a@example.org", "b@example.org", "a@example.org"]);
    let stored = stand.put(PATH, &second).await;
    assert_eq!((stored.status, &stored.json()["addresses"]), (200, &json!(["a@example.org", "b@example.org"])));
    assert_eq!(reloads(), before + 1, "the change is in force");

    assert_eq!(stand.ask(Method::DELETE, PATH, "").await.status, 204);
    assert_eq!(reloads(), before + 2);
    assert_eq!(stand.get(PATH).await.status, 404);
}

#[tokio::test]
async fn the_path_says_whose_subscription_it_is_and_what_is_absent_has_its_default() {
    let stand = Stand::new().await;
    let stored = stand.put("/api/v1/subscriptions/lena/irc", &json!({ "user": "eve", "channel": "x" })).await;
    let whole = json!({
        "user": "lena", "channel": "irc", "enabled": true, "addresses": [], "filters": [],
        "style": { "markup": false, "triggered_by": true, "verbose": true },
    });
    assert_eq!((stored.status, stored.json()), (201, whole));
    assert_eq!(stand.get("/api/v1/subscriptions/eve/x").await.status, 404);
}

#[tokio::test]
async fn pages_of_everybodys_subscriptions_join_without_a_gap() {
    let stand = Stand::new().await;
    for user in ["c", "a", "b"] {
        for channel in ["irc", "email"] {
            assert_eq!(stand.put(&format!("/api/v1/subscriptions/{user}/{channel}"), &json!({})).await.status, 201);
        }
    }
    let page = async |query: &str| {
        let page = stand.get(&format!("/api/v1/subscriptions{query}")).await.json();
        let name = |one: &Value| format!("{}/{}", one["user"].as_str().unwrap(), one["channel"].as_str().unwrap());
        let names = page["data"].as_array().unwrap().iter().map(name).collect::<Vec<_>>();
        (names, page["next"].as_str().map(str::to_owned))
    };
    let (names, next) = page("?limit=3").await;
    assert_eq!(names, ["a/email", "a/irc", "b/email", "b/irc"]);
    let (names, next) = page(&format!("?limit=3&after={}", next.expect("there are more"))).await;
    assert_eq!((names, next), (vec!["c/email".to_owned(), "c/irc".to_owned()], None));
}

#[tokio::test]
async fn a_bad_subscription_is_refused_with_each_mistake_and_nothing_is_stored() {
    let stand = Stand::new().await;
    let filter = |name: &str, rule: &str| json!({ "name": name, "rules": [{ "rule": rule }] });
    for (body, paths, detail) in [
        (json!({ "addresses": ["a\nb"] }), vec!["addresses[0]"], "one line"),
        (json!({ "digest": { "interval_seconds": 0 } }), vec!["digest.interval_seconds"], "not 1 to"),
        (
            json!({ "filters": [filter("a", "no_such_rule")] }),
            vec!["filters[0].rules[0]"],
            "filter `a`, rule `no_such_rule`",
        ),
        (
            json!({ "filters": [filter("a", "no_such_rule"), filter("b", "nor_this")] }),
            vec!["filters[0].rules[0]", "filters[1].rules[0]"],
            "nor_this",
        ),
        (json!({ "filters": [{ "rules": [] }] }), vec!["filters[0]"], "missing field `name`"),
        (json!({ "filtres": [] }), vec!["filtres"], "unknown field"),
        (json!({ "enabled": "yes" }), vec!["enabled"], "expected a boolean"),
        (json!([]), vec![""], "expected an object"),
        (json!({ "style": [true] }), vec!["style"], "expected an object"),
    ] {
        let answer = stand.put(PATH, &body).await;
        assert_eq!((answer.status, answer.paths()), (422, paths.iter().map(|p| p.to_string()).collect()), "{body}");
        assert!(answer.text().contains(detail), "{body}: {}", answer.text());
    }
    assert_eq!(stand.put("/api/v1/subscriptions/ralph/E-Mail", &json!({})).await.paths(), ["channel"]);
    assert_eq!(stand.get("/api/v1/subscriptions").await.data(), json!([]));
}

#[tokio::test]
async fn rules_are_described() {
    let stand = Stand::new().await;
    let rules = stand.get("/api/v1/rules").await.data();
    let rules = rules.as_array().expect("a list");
    let rule = rules.iter().find(|rule| rule["name"] == "user_filter").expect("it is a generic rule");
    assert_eq!(rule["arguments"][0]["name"], "fasnick");
    assert_eq!(stand.get("/api/v1/rules/user_filter").await.json(), *rule);
}

#[tokio::test]
async fn one_click_stops_one_address_and_opening_the_link_does_not() {
    let stand = Stand::new().await;
    stand.put(PATH, &subscription(&["a@example.org", "b@example.org"])).await;
    let addresses = async || stand.get(PATH).await.json()["addresses"].clone();
    let link = stand.state.links.unsubscribe_link("ralph", "email", "a@example.org").expect("a public URL is set");
    let path = link.strip_prefix("https://tell.example.org").expect("it is below the public URL").to_owned();

    let page = stand.ask_as(None, Method::GET, &path, "").await;
    assert_eq!((page.status, page.header(header::CONTENT_TYPE)), (200, "text/html; charset=utf-8"));
    assert!(page.text().contains("a@example.org") && page.text().contains("<form method=\"post\">"));
    assert_eq!(stand.ask_as(None, Method::POST, &path, "x=y").await.status, 400);
    assert_eq!(addresses().await, json!(["a@example.org", "b@example.org"]));

    for _ in 0..2 {
        let done = stand.ask_as(None, Method::POST, &path, "List-Unsubscribe=One-Click").await;
        assert_eq!(done.status, 200, "also the second time");
        assert_eq!(addresses().await, json!(["b@example.org"]));
    }
    let subscription = stand.get(PATH).await.json();
    assert_eq!((&subscription["enabled"], &subscription["filters"][0]["name"]), (&json!(true), &json!("mine")));
    assert_eq!(stand.ask_as(None, Method::POST, "/unsubscribe/AAAA", "List-Unsubscribe=One-Click").await.status, 404);
}

#[tokio::test]
async fn addresses_are_what_the_channels_plugin_makes_of_them() {
    let Some(component) = email_component() else { return };
    let stand = Stand::new().await;
    super::administration::install(&stand, "email", component).await;
    let stored = stand.put(PATH, &subscription(&["Ralph@EXAMPLE.org"])).await;
    assert_eq!((stored.status, &stored.json()["addresses"]), (201, &json!(["Ralph@example.org"])), "{}", stored.text());
    let refused = stand.put(PATH, &subscription(&["ralph@example.org", "no address"])).await;
    assert_eq!((refused.status, refused.paths()), (422, vec!["addresses[1]".to_owned()]));
}
