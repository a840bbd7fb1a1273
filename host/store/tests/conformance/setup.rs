//! Channels, components, tokens and plugins' own state.

use std::collections::BTreeMap;

use tidings_domain::grant::{Credential, CredentialKind, Grant, Grants};
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::{Capability, Manifest};
use tidings_domain::plugin_life::{CanaryPlan, Candidate, ChannelVersions, FailurePolicy};
use tidings_domain::secret::Secret;
use tidings_store::{Channel, ComponentInfo, Signed, StoreError, Token};

use crate::fixture::{at, delivered, store, to};

pub fn channel(name: &str) -> Channel {
    Channel {
        name: name.into(),
        component: "c".repeat(64),
        config: BTreeMap::from([("host".into(), "mx.example.org".into()), ("password".into(), "hunter2".into())]),
        former: BTreeMap::new(),
        grants: Grants {
            reach: vec![Grant {
                capability: Capability::Net,
                host: "mx.example.org".into(),
                port: 25,
                private: true,
                plain_http: false,
            }],
            credentials: [
                CredentialKind::Header { header: "authorization".into() },
                CredentialKind::GoogleServiceAccount,
                CredentialKind::ClientCertificate,
            ]
            .map(|kind| Credential {
                name: kind.as_str().into(),
                value: Secret::new(format!("hunter3 of {}", kind.as_str())),
                host: "fcm.example.org".into(),
                kind,
            })
            .into(),
        },
        limits: PluginLimits { deadline_ms: 7, ..PluginLimits::default() },
        enabled: true,
        life: ChannelVersions::default(),
    }
}

#[tokio::test]
async fn a_channel_comes_back_whole_and_its_debug_form_shows_no_secret() {
    let fixture = store().await;
    let mut wish = channel("email");
    fixture.store.put_channel(&channel("irc"), at(1)).await.unwrap();
    fixture.store.put_channel(&channel("email"), at(1)).await.unwrap();
    wish.enabled = false;
    wish.config.remove("host");
    fixture.store.put_channel(&wish, at(2)).await.unwrap();
    let stored = fixture.store.channel("email").await.unwrap();
    assert_eq!((&stored.name, &stored.component, stored.enabled), (&wish.name, &wish.component, false));
    assert_eq!((&stored.config, stored.limits), (&wish.config, wish.limits));
    assert_eq!(stored.grants.reach, wish.grants.reach);
    assert_eq!(stored.grants.credentials.len(), wish.grants.credentials.len());
    for (kept, given) in stored.grants.credentials.iter().zip(&wish.grants.credentials) {
        assert_eq!((&kept.name, &kept.kind, &kept.host), (&given.name, &given.kind, &given.host));
        assert_eq!(kept.value, given.value);
    }
    let names: Vec<String> = fixture.store.channels().await.unwrap().into_iter().map(|channel| channel.name).collect();
    assert_eq!(names, ["email", "irc"]);
    let debug = format!("{stored:?}");
    assert!(!debug.contains("hunter"), "{debug}");
    let missing = fixture.store.channel("fax").await;
    assert!(matches!(missing, Err(StoreError::Missing { what: "channel", .. })));
}

#[tokio::test]
async fn a_component_is_kept_under_its_digest() {
    let fixture = store().await;
    let manifest = Manifest {
        name: "email".into(),
        version: "1.0.0".into(),
        summary: "Mail".into(),
        address_label: "Address".into(),
        address_example: "a@example.org".into(),
        ..serde_json::from_str(EMPTY_MANIFEST).unwrap()
    };
    // Larger than what is written at a time, and not a multiple of it.
    let bytes: Vec<u8> = (0..tidings_store::limits::COMPONENT_PART_BYTES * 2 + 7).map(|n| (n % 251) as u8).collect();
    let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, &bytes));
    let info = ComponentInfo { digest, manifest, bytes: bytes.len() as u64, installed_at: at(9), signed: None };
    let signed = |key: &str| Some(Signed { publisher: "fedora".into(), key: key.into() });
    fixture.store.put_component(&info, &bytes).await.unwrap();
    for (again, kept) in
        [(None, None), (signed("one"), signed("one")), (None, signed("one")), (signed("two"), signed("two"))]
    {
        let info = ComponentInfo { installed_at: at(10), signed: again, ..info.clone() };
        fixture.store.put_component(&info, &bytes).await.unwrap();
        let stored = fixture.store.component(&info.digest).await.unwrap();
        assert_eq!((stored.manifest, stored.installed_at, stored.signed), (info.manifest, at(9), kept));
    }
    assert!(fixture.store.component_file(&info.digest).await.unwrap() == bytes, "the file is another one");
    assert_eq!(fixture.store.components().await.unwrap().len(), 1);
    let missing = fixture.store.component("none").await;
    assert!(matches!(missing, Err(StoreError::Missing { what: "component", .. })));
}

#[tokio::test]
async fn a_component_is_forgotten_unless_a_channel_has_it() {
    let fixture = store().await;
    let bytes = b"a file";
    let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes));
    let manifest = serde_json::from_str(EMPTY_MANIFEST).unwrap();
    let info = ComponentInfo { digest: digest.clone(), manifest, bytes: 6, installed_at: at(1), signed: None };
    fixture.store.put_component(&info, bytes).await.unwrap();
    let candidate = Candidate { component: digest.clone(), plan: CanaryPlan::default(), since: at(1) };
    for (name, component, life) in [
        ("active", digest.clone(), ChannelVersions::default()),
        ("on trial", "c".repeat(64), ChannelVersions { candidate: Some(candidate), ..ChannelVersions::default() }),
        (
            "to return to",
            "c".repeat(64),
            ChannelVersions { previous: Some(digest.clone()), ..ChannelVersions::default() },
        ),
    ] {
        fixture.store.put_channel(&Channel { component, life, ..channel("email") }, at(2)).await.unwrap();
        let refused = fixture.store.delete_component(&digest).await;
        assert!(matches!(refused, Err(StoreError::InUse { .. })), "{name}: {refused:?}");
    }
    fixture.store.put_channel(&channel("email"), at(3)).await.unwrap();
    fixture.store.delete_component(&digest).await.unwrap();
    let gone = fixture.store.delete_component(&digest).await;
    assert!(matches!(gone, Err(StoreError::Missing { .. })), "{gone:?}");
    assert!(matches!(fixture.store.component_file(&digest).await, Err(StoreError::Missing { .. })));
    fixture.store.put_component(&info, bytes).await.unwrap();
    assert_eq!(fixture.store.component_file(&digest).await.unwrap(), bytes);
}

const EMPTY_MANIFEST: &str = r#"{"name": "", "version": "", "summary": "", "address_label": "", "address_example": "",
    "config": [], "grants": []}"#;

#[tokio::test]
async fn a_channel_is_forgotten_when_nothing_needs_it_any_more() {
    let fixture = store().await;
    let put = async |channel: Channel| fixture.store.put_channel(&channel, at(2)).await.unwrap();
    let refused = async |why: &str| match fixture.store.delete_channel("email", at(3)).await {
        Err(StoreError::InUse { by, .. }) => assert!(by.contains(why), "{why}: {by}"),
        other => panic!("{why}: {other:?}"),
    };
    put(channel("email")).await;
    refused("enabled").await;
    put(Channel { enabled: false, ..channel("email") }).await;
    let policy = FailurePolicy::FallBack { channel: "email".into(), after_seconds: 60 };
    put(Channel { life: ChannelVersions { policy, ..ChannelVersions::default() }, ..channel("irc") }).await;
    refused("irc").await;
    put(channel("irc")).await;
    fixture.accept(10, "one", vec![to("amara")]).await;
    refused("deliveries").await;
    let lease = fixture.lease_one(20).await;
    fixture.settle(lease, delivered(), 30).await;
    assert!(fixture.store.plugin_state_set("email", "key", b"value", 9, 99).await.unwrap());
    fixture.store.delete_channel("email", at(40)).await.unwrap();
    let gone = fixture.store.channel("email").await;
    assert!(matches!(gone, Err(StoreError::Missing { .. })), "{gone:?}");
    assert_eq!(fixture.store.plugin_state_get("email", "key").await.unwrap(), None);
    assert!(fixture.store.plugin_state_set("email", "yek", b"value", 1, 8).await.unwrap(), "all of its room is free");
    assert_eq!(fixture.store.channel_versions("email").await.unwrap(), []);
    assert_eq!(fixture.books().await.delivered, 1);
    assert_eq!(fixture.store.channel_versions("irc").await.unwrap().len(), 1, "the other stays as it is");
}

#[tokio::test]
async fn tokens_are_found_by_id_until_they_are_deleted() {
    let fixture = store().await;
    let token = |id: &str, at_: u64| Token {
        id: id.into(),
        name: "ops".into(),
        hash: [7; 32],
        created_at: at(at_),
        expires_at: (at_ == 1).then(|| at(99)),
    };
    let (one, two) = (token("one", 1), token("two", 0));
    fixture.store.put_token(&one).await.unwrap();
    fixture.store.put_token(&two).await.unwrap();
    let twice = fixture.store.put_token(&one).await;
    assert!(matches!(twice, Err(StoreError::Exists { what: "token", .. })), "{twice:?}");
    assert_eq!(fixture.store.token("one").await.unwrap(), Some(one.clone()));
    assert_eq!(fixture.store.tokens().await.unwrap(), [two, one]);
    assert!(fixture.store.delete_token("one").await.unwrap());
    assert!(!fixture.store.delete_token("one").await.unwrap());
    assert_eq!(fixture.store.token("one").await.unwrap(), None);
}

#[tokio::test]
async fn plugin_state_stays_within_its_keys_and_bytes() {
    let fixture = store().await;
    let set = async |channel: &str, key: &str, value: &[u8]| {
        fixture.store.plugin_state_set(channel, key, value, 2, 20).await.unwrap()
    };
    assert!(set("irc", "ab", &[1; 8]).await);
    assert!(set("irc", "cd", &[2; 8]).await, "20 bytes fit");
    assert!(!set("irc", "ab", &[3; 9]).await, "21 do not");
    assert!(!set("irc", "x", &[]).await, "nor a third key");
    assert!(set("irc", "ab", &[4; 1]).await);
    assert!(set("email", "ab", &[5; 18]).await, "each channel has its own room");
    assert_eq!(fixture.store.plugin_state_get("irc", "ab").await.unwrap(), Some(vec![4]));
    assert_eq!(fixture.store.plugin_state_get("irc", "x").await.unwrap(), None);
    assert_eq!(fixture.store.plugin_state_keys("irc", "").await.unwrap(), ["ab", "cd"]);
    assert_eq!(fixture.store.plugin_state_keys("irc", "c").await.unwrap(), ["cd"]);
    fixture.store.plugin_state_delete("irc", "ab").await.unwrap();
    assert_eq!(fixture.store.plugin_state_keys("irc", "").await.unwrap(), ["cd"]);
    assert!(set("irc", "é%_", &[1]).await);
    assert!(!set("irc", "é%_", &[1; 7]).await, "10 bytes are left: four for the key, and six");
    assert!(set("irc", "é%_", &[1; 6]).await);
    assert!(!set("irc", "x", &[]).await, "two keys again");
    assert_eq!(fixture.store.plugin_state_keys("irc", "é%").await.unwrap(), ["é%_"]);
}

#[tokio::test]
async fn the_check_passes_until_the_store_is_closed() {
    let fixture = store().await;
    fixture.store.check().await.unwrap();
    fixture.store.check().await.unwrap();
    fixture.store.close().await;
    assert!(matches!(fixture.store.check().await, Err(StoreError::Unavailable { .. })));
    fixture.store.close().await;
}
