//! What an administrator set up: channels, components and tokens. Secrets have a column of their own, which nothing but
//! the channel itself reads.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::sqlite::SqliteConnection;
use tidings_domain::grant::{Credential, CredentialKind, Grant, Grants};
use tidings_domain::manifest::Manifest;
use tidings_domain::plugin_life::ChannelEvent;
use tidings_domain::secret::Secret;

use super::failure::{WriteFailure, damaged};
use super::feed;
use super::value::{from_json, millis, timestamp, to_json};
use super::versions;
use crate::keys::Keys;
use crate::{Change, Channel, StoreError, Token};

#[derive(FromRow)]
struct ChannelRow {
    name: String,
    component: String,
    enabled: bool,
    config: String,
    grants: String,
    limits: String,
    secrets: String,
    life: String,
}

/// The column `grants`.
#[derive(Deserialize, Serialize)]
struct StoredGrants {
    reach: Vec<Grant>,
    credentials: Vec<StoredCredential>,
}

/// A credential without its value.
#[derive(Deserialize, Serialize)]
struct StoredCredential {
    name: String,
    /// Rows from before there were sorts have none: they are headers.
    #[serde(default = "header")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    host: String,
}

fn header() -> String {
    "header".to_owned()
}

/// The column `secrets`, sealed: values by the names of fields and of credentials.
#[derive(Default, Deserialize, Serialize)]
struct Secrets {
    config: BTreeMap<String, String>,
    credentials: BTreeMap<String, String>,
    /// What going back to the version before puts back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    former: BTreeMap<String, Option<String>>,
}

impl ChannelRow {
    fn read(self, keys: &Keys) -> Result<Channel, WriteFailure> {
        let mut config: BTreeMap<String, String> = from_json("channel", &self.config)?;
        let grants: StoredGrants = from_json("channel", &self.grants)?;
        // The parser's words could quote a secret.
        let secrets = keys.unseal(&self.name, &self.secrets)?;
        let secrets = serde_json::from_str(secrets.expose());
        let mut secrets: Secrets = secrets.map_err(|_| damaged("channel", "its secrets are not readable"))?;
        config.append(&mut secrets.config);
        let credentials = grants.credentials.into_iter().map(|StoredCredential { name, kind, header, host }| {
            let kind = CredentialKind::read(&kind, header)
                .map_err(|error| damaged("channel", format!("the kind of credential {name} is {error}")))?;
            let value = secrets.credentials.remove(&name);
            let value = value.ok_or_else(|| damaged("channel", format!("credential {name} has no value")))?;
            Ok(Credential { name, kind, host, value: Secret::new(value) })
        });
        let credentials = credentials.collect::<Result<Vec<_>, WriteFailure>>()?;
        Ok(Channel {
            name: self.name,
            component: self.component,
            config,
            former: secrets.former,
            grants: Grants { reach: grants.reach, credentials },
            limits: from_json("channel", &self.limits)?,
            enabled: self.enabled,
            life: from_json("channel", &self.life)?,
        })
    }
}

/// All channels, by name.
pub(super) async fn channels(connection: &mut SqliteConnection, keys: &Keys) -> Result<Vec<Channel>, WriteFailure> {
    let rows: Vec<ChannelRow> = sqlx::query_as(
        "SELECT name, component, enabled, config, grants, limits, secrets, life FROM channels ORDER BY name",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(keys)).collect()
}

pub(super) async fn channel(
    connection: &mut SqliteConnection,
    keys: &Keys,
    name: &str,
) -> Result<Channel, WriteFailure> {
    let row: Option<ChannelRow> = sqlx::query_as(
        "SELECT name, component, enabled, config, grants, limits, secrets, life FROM channels WHERE name = ?",
    )
    .bind(name)
    .fetch_optional(connection)
    .await?;
    row.ok_or_else(|| missing("channel", name))?.read(keys)
}

pub(super) async fn put_channel(
    connection: &mut SqliteConnection,
    keys: &Keys,
    channel: &Channel,
    event: Option<&ChannelEvent>,
    now: i64,
) -> Result<(), WriteFailure> {
    let (config, secrets) = split(connection, channel).await?;
    let credentials =
        channel.grants.credentials.iter().map(|Credential { name, kind, host, value: _ }| StoredCredential {
            name: name.clone(),
            kind: kind.as_str().to_owned(),
            header: kind.header().map(str::to_owned),
            host: host.clone(),
        });
    let grants = StoredGrants { reach: channel.grants.reach.clone(), credentials: credentials.collect() };
    sqlx::query(
        "INSERT INTO channels (name, component, enabled, updated_at, config, grants, limits, secrets, life) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET component = excluded.component, \
         enabled = excluded.enabled, updated_at = excluded.updated_at, config = excluded.config, \
         grants = excluded.grants, limits = excluded.limits, secrets = excluded.secrets, life = excluded.life",
    )
    .bind(&channel.name)
    .bind(&channel.component)
    .bind(channel.enabled)
    .bind(now)
    .bind(to_json("channel", &config)?)
    .bind(to_json("channel", &grants)?)
    .bind(to_json("channel", &channel.limits)?)
    .bind(keys.seal(&channel.name, &to_json("channel", &secrets)?)?)
    .bind(to_json("channel", &channel.life)?)
    .execute(&mut *connection)
    .await?;
    versions::record(connection, channel, event, now).await?;
    feed::publish(connection, [Change::Channel(channel.name.clone())], now).await
}

/// Forgets a channel that is disabled and for which nothing waits, with its history and what its plugin kept. What was
/// delivered stays in the books, and subscriptions for the name wait for another channel of it.
pub(super) async fn delete_channel(
    connection: &mut SqliteConnection,
    name: &str,
    now: i64,
) -> Result<(), WriteFailure> {
    let row: Option<(bool, bool, Option<String>)> = sqlx::query_as(
        "SELECT enabled, EXISTS (SELECT 1 FROM deliveries d WHERE d.channel = c.name AND d.state = 'pending'), \
         (SELECT o.name FROM channels o WHERE json_extract(o.life, '$.policy.channel') = c.name) \
         FROM channels c WHERE c.name = ?",
    )
    .bind(name)
    .fetch_optional(&mut *connection)
    .await?;
    let by = match row.ok_or_else(|| missing("channel", name))? {
        (true, _, _) => Some("its deliveries: it is enabled".to_owned()),
        (_, true, _) => Some("deliveries that it holds".to_owned()),
        (_, _, Some(other)) => Some(format!("the failure policy of the channel {other}")),
        (false, false, None) => None,
    };
    if let Some(by) = by {
        return Err(StoreError::InUse { what: "channel", by }.into());
    }
    for sql in [
        "DELETE FROM channels WHERE name = ?",
        "DELETE FROM channel_versions WHERE channel = ?",
        "DELETE FROM channel_events WHERE channel = ?",
        "DELETE FROM plugin_state WHERE channel = ?",
    ] {
        sqlx::query(sql).bind(name).execute(&mut *connection).await?;
    }
    feed::publish(connection, [Change::Channel(name.to_owned())], now).await
}

/// Parts the configuration by its component's manifest. What no manifest calls public is treated as secret.
async fn split<'a>(
    connection: &mut SqliteConnection,
    channel: &'a Channel,
) -> Result<(BTreeMap<&'a str, &'a str>, Secrets), WriteFailure> {
    let manifest: Option<String> = sqlx::query_scalar("SELECT manifest FROM components WHERE digest = ?")
        .bind(&channel.component)
        .fetch_optional(connection)
        .await?;
    let manifest: Option<Manifest> = manifest.map(|text| from_json("component", &text)).transpose()?;
    let fields = manifest.iter().flat_map(|manifest| &manifest.config);
    let public: BTreeSet<&str> = fields.filter(|field| !field.secret).map(|field| field.name.as_str()).collect();
    let mut config = BTreeMap::new();
    let mut secrets = Secrets { former: channel.former.clone(), ..Secrets::default() };
    for (name, value) in &channel.config {
        if public.contains(name.as_str()) {
            config.insert(name.as_str(), value.as_str());
        } else {
            secrets.config.insert(name.clone(), value.clone());
        }
    }
    for credential in &channel.grants.credentials {
        secrets.credentials.insert(credential.name.clone(), credential.value.expose().clone());
    }
    Ok((config, secrets))
}

#[derive(FromRow)]
struct TokenRow {
    id: String,
    name: String,
    hash: Vec<u8>,
    created_at: i64,
    expires_at: Option<i64>,
}

impl TokenRow {
    fn read(self) -> Result<Token, WriteFailure> {
        Ok(Token {
            hash: self.hash.try_into().map_err(|_| damaged("token", "its hash does not have 32 bytes"))?,
            id: self.id,
            name: self.name,
            created_at: timestamp(self.created_at),
            expires_at: self.expires_at.map(timestamp),
        })
    }
}

pub(super) async fn put_token(connection: &mut SqliteConnection, token: &Token) -> Result<(), WriteFailure> {
    let written = sqlx::query(
        "INSERT INTO tokens (id, name, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&token.id)
    .bind(&token.name)
    .bind(&token.hash[..])
    .bind(millis(token.created_at))
    .bind(token.expires_at.map(millis))
    .execute(connection)
    .await?;
    match written.rows_affected() {
        0 => Err(StoreError::Exists { what: "token", name: token.id.clone() }.into()),
        _ => Ok(()),
    }
}

pub(super) async fn token(connection: &mut SqliteConnection, id: &str) -> Result<Option<Token>, WriteFailure> {
    let row: Option<TokenRow> =
        sqlx::query_as("SELECT id, name, hash, created_at, expires_at FROM tokens WHERE id = ?")
            .bind(id)
            .fetch_optional(connection)
            .await?;
    row.map(TokenRow::read).transpose()
}

/// All tokens, oldest first.
pub(super) async fn tokens(connection: &mut SqliteConnection) -> Result<Vec<Token>, WriteFailure> {
    let rows: Vec<TokenRow> =
        sqlx::query_as("SELECT id, name, hash, created_at, expires_at FROM tokens ORDER BY created_at, id")
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(TokenRow::read).collect()
}

pub(super) async fn delete_token(connection: &mut SqliteConnection, id: &str) -> Result<bool, WriteFailure> {
    let deleted = sqlx::query("DELETE FROM tokens WHERE id = ?").bind(id).execute(connection).await?;
    Ok(deleted.rows_affected() > 0)
}

pub(super) fn missing(what: &'static str, name: &str) -> WriteFailure {
    StoreError::Missing { what, name: name.to_owned() }.into()
}
