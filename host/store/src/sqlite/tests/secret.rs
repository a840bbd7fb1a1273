//! Secrets of channels: sealed, in a column of their own.

use std::collections::BTreeMap;

use tidings_domain::grant::{Credential, CredentialKind, Grants};
use tidings_domain::limits::PluginLimits;
use tidings_domain::plugin_life::ChannelVersions;
use tidings_domain::secret::Secret;

use super::{Fixture, at};
use crate::{Channel, ChannelStore as _, ComponentInfo, ComponentStore as _};

fn component() -> ComponentInfo {
    let field = |name: &str, secret: bool| {
        serde_json::json!({"name": name, "label": "", "help": "", "kind": "text", "default": null, "required": false,
            "secret": secret, "min": null, "max": null, "choices": []})
    };
    let manifest = serde_json::json!({"name": "email", "version": "1", "summary": "", "address_label": "",
        "address_example": "", "config": [field("host", false), field("password", true)], "grants": []});
    let manifest = serde_json::from_value(manifest).unwrap();
    ComponentInfo { digest: "a".repeat(64), manifest, bytes: 1, installed_at: at(1), signed: None }
}

fn channel() -> Channel {
    let config = [("host", "canary-host"), ("password", "canary-password"), ("undeclared", "canary-undeclared")];
    let credential = Credential {
        name: "key".into(),
        kind: CredentialKind::Header { header: "authorization".into() },
        value: Secret::new("canary-credential".into()),
        host: "push.example.org".into(),
    };
    Channel {
        name: "email".into(),
        component: "a".repeat(64),
        config: config.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        former: BTreeMap::from([("host".into(), Some("canary-former".into())), ("note".into(), None)]),
        grants: Grants { reach: Vec::new(), credentials: vec![credential] },
        limits: PluginLimits::default(),
        enabled: true,
        life: ChannelVersions::default(),
    }
}

#[tokio::test]
async fn a_credential_older_than_kinds_is_a_header() {
    let fixture = Fixture::new().await;
    fixture.store.put_channel(&channel(), at(1)).await.unwrap();
    let set_grants = async |credential: &'static str| {
        let written = fixture.store.writer.write("is tested", move |connection| {
            Box::pin(async move {
                let grants = format!(r#"{{"reach": [], "credentials": [{credential}]}}"#);
                sqlx::query("UPDATE channels SET grants = ?").bind(grants).execute(connection).await?;
                Ok(())
            })
        });
        written.await.unwrap();
        let channel = fixture.store.channel("email").await;
        channel.map(|channel| channel.grants.credentials[0].kind.clone()).map_err(|error| error.to_string())
    };
    for (stored, expected) in [
        (r#"{"name":"key","header":"x-key","host":"a.b"}"#, Some(CredentialKind::Header { header: "x-key".into() })),
        (r#"{"name":"key","kind":"google-service-account","host":"a.b"}"#, Some(CredentialKind::GoogleServiceAccount)),
        (r#"{"name":"key","kind":"client-certificate","host":"a.b"}"#, Some(CredentialKind::ClientCertificate)),
        (r#"{"name":"key","kind":"password","host":"a.b"}"#, None),
        (r#"{"name":"key","host":"a.b"}"#, None),
    ] {
        let kind = set_grants(stored).await;
        assert_eq!(kind.clone().ok(), expected, "{stored}: {kind:?}");
    }
}

#[tokio::test]
async fn secret_values_are_in_their_own_column() {
    let fixture = Fixture::new().await;
    fixture.store.put_component(&component(), b"x").await.unwrap();
    fixture.store.put_channel(&channel(), at(1)).await.unwrap();
    let columns = fixture.store.writer.write("is tested", |connection| {
        Box::pin(async move {
            let sql = "SELECT name || component || config || grants || limits || life, secrets FROM channels";
            Ok(sqlx::query_as::<_, (String, String)>(sql).fetch_one(connection).await?)
        })
    });
    let (open, secrets) = columns.await.unwrap();
    assert!(open.contains("canary-host"));
    for secret in ["canary-password", "canary-undeclared", "canary-credential", "canary-former"] {
        assert!(!open.contains(secret), "{open}");
        assert!(!secrets.contains(secret), "it is sealed");
    }
    let whole = fixture.store.channel("email").await.unwrap();
    assert_eq!((whole.config, whole.former), (channel().config, channel().former));
}
