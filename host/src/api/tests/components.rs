//! Components and trust: what is judged before it runs, what may take another's place, and what can be forgotten.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::Digest as _;
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::plugin_life::ChannelVersions;
use tidings_store::{Channel, ComponentInfo, Signed};

use super::administration::install;
use super::*;
use crate::trust::PublisherConfig;

/// What no compiler takes: anyone who tries to admit it says so.
const NO_COMPONENT: &[u8] = b"no component";

fn digest(file: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(file))
}

/// Puts a component there as an earlier configuration may have let it in.
async fn keep(stand: &Stand, file: &[u8], plugin: &str, signed: Option<Signed>) -> String {
    let manifest = json!({ "name": plugin, "version": "1", "summary": "", "address_label": "", "address_example": "",
        "config": [], "grants": [] });
    let manifest = serde_json::from_value(manifest).expect("a manifest");
    let (digest, bytes, installed_at) = (digest(file), file.len() as u64, clock::now());
    let info = ComponentInfo { digest: digest.clone(), manifest, bytes, installed_at, signed };
    stand.state.store.put_component(&info, file).await.expect("it is kept");
    digest
}

async fn channel_of(stand: &Stand, name: &str, component: &str, enabled: bool) {
    let channel = Channel {
        name: name.into(),
        component: component.into(),
        config: BTreeMap::new(),
        former: BTreeMap::new(),
        grants: Grants::default(),
        limits: PluginLimits::default(),
        enabled,
        life: ChannelVersions::default(),
    };
    stand.state.store.put_channel(&channel, clock::now()).await.expect("it is stored");
}

#[tokio::test]
async fn what_is_not_trusted_is_shown_and_not_even_compiled() {
    let pair = || minisign::KeyPair::generate_unencrypted_keypair().expect("random numbers").pk.to_base64();
    let (good, compromised) = (pair(), pair());
    let publisher = PublisherConfig { name: "us".into(), keys: vec![good], plugins: None };
    for (required, expected) in [(true, 403), (false, 422)] {
        let trust = TrustConfig { required, publishers: vec![publisher.clone()] };
        let stand = Stand::trusting(&trust).await;
        let signed = Signed { publisher: "us".into(), key: compromised.clone() };
        let component = keep(&stand, NO_COMPONENT, "email", Some(signed)).await;
        channel_of(&stand, "email", &component, true).await;
        let body = json!({ "component": component });
        let upgrade = json!({ "component": component, "unproven": true });
        for (what, answer) in [
            ("create", stand.put("/api/v1/channels/new", &body).await),
            ("upgrade", stand.post("/api/v1/channels/email/upgrade", &upgrade).await),
            ("enable", stand.post("/api/v1/channels/email/enable", &json!({})).await),
            ("address", stand.put("/api/v1/subscriptions/ann/email", &json!({ "addresses": ["a@x.org"] })).await),
        ] {
            assert_eq!(answer.status, expected, "{what}, required {required}: {}", answer.text());
        }
        stand.state.channels.start().await.expect("the others would run");
        let view = stand.get("/api/v1/channels/email").await.json();
        assert_eq!((&view["state"], &view["manifest"]["name"]), (&json!("failed"), &json!("email")), "{view}");
        let reason = view["reason"].as_str().expect("a reason");
        assert_eq!(reason.contains("not trusted"), required, "{reason}");
    }
}

#[tokio::test]
async fn a_component_that_was_changed_in_the_store_does_not_run() {
    let stand = Stand::new().await;
    let other = keep(&stand, NO_COMPONENT, "email", None).await;
    let (manifest, forged) =
        (stand.state.store.component(&other).await.expect("kept").manifest, digest(b"what was judged"));
    let bytes = NO_COMPONENT.len() as u64;
    let info = ComponentInfo { digest: forged.clone(), manifest, bytes, installed_at: clock::now(), signed: None };
    stand.state.store.put_component(&info, NO_COMPONENT).await.expect("it is kept");
    for (component, expected) in [(forged, 500), (other, 422)] {
        let answer = stand.put("/api/v1/channels/email", &json!({ "component": component })).await;
        assert_eq!(answer.status, expected, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_channel_keeps_its_plugin_and_one_that_runs_is_not_switched_to_what_cannot_run() {
    let Some(component) = email_component() else { return };
    let stand = Stand::new().await;
    let installed = stand.ask(Method::POST, "/api/v1/components", component).await.json();
    let email = installed["digest"].as_str().expect("a digest").to_owned();
    let other = keep(&stand, NO_COMPONENT, "irc", None).await;
    // It lacks its configuration.
    channel_of(&stand, "email", &email, true).await;
    channel_of(&stand, "irc", &other, false).await;
    for (channel, status, why) in [("irc", 409, "the channel runs irc"), ("email", 422, "host")] {
        let answer = stand.put(&format!("/api/v1/channels/{channel}"), &json!({ "component": email })).await;
        assert_eq!(answer.status, status, "{channel}: {}", answer.text());
        assert!(answer.text().contains(why), "{channel}: {}", answer.text());
    }
    assert_eq!(stand.state.store.channel("irc").await.expect("it is there").component, other);
}

#[tokio::test]
async fn a_component_and_a_channel_are_forgotten_when_nothing_needs_them() {
    let Some(component) = email_component() else { return };
    let stand = Stand::new().await;
    install(&stand, "email", component).await;
    let digest = stand.get("/api/v1/components").await.data()[0]["digest"].as_str().expect("a digest").to_owned();
    let remove = async |path: &str| stand.ask(Method::DELETE, path, Body::empty()).await.status;
    let (component, channel) = (format!("/api/v1/components/{digest}"), "/api/v1/channels/email");
    assert_eq!(remove(&component).await, 409, "the channel uses it");
    let config = json!({ "host": "mail.example.org", "from": "t@example.org" });
    assert_eq!(stand.put("/api/v1/channels/email/config", &config).await.status, 200);
    assert_eq!(stand.post("/api/v1/channels/email/enable", &json!({})).await.status, 200);
    assert_eq!(remove(channel).await, 409, "it is enabled");
    assert_eq!(stand.post("/api/v1/channels/email/disable", &json!({})).await.status, 200);
    assert_eq!((remove(channel).await, remove(channel).await), (204, 404));
    let code = || files_below(&stand.dir.path().join("cache"));
    assert_eq!(code(), 1);
    assert_eq!((remove(&component).await, remove(&component).await), (204, 404));
    assert_eq!(code(), 0, "its compiled code went with it");
    assert_eq!(stand.get("/api/v1/components").await.data(), json!([]));
    let made = stand.put("/api/v1/channels/email", &json!({ "component": digest })).await;
    assert_eq!(made.status, 404, "nor is it in memory: {}", made.text());
}

fn files_below(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).expect("it is there").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}
