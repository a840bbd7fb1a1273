//! A channel in its columns. Secrets have a column of their own, sealed, which is read only with the channel itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnection;
use tidings_domain::grant::{Credential, CredentialKind, Grant, Grants};
use tidings_domain::manifest::Manifest;
use tidings_domain::secret::Secret;

use crate::keys::Keys;
use crate::roles::Channel;
use crate::sqlite::failure::{WriteFailure, damaged};
use crate::sqlite::row::from_row;
use crate::sqlite::value::from_json;

/// The columns of a channel that are read.
pub(super) struct ChannelRow {
    name: String,
    component: String,
    enabled: bool,
    config: String,
    grants: String,
    limits: String,
    secrets: String,
    life: String,
}

from_row!(ChannelRow { name, component, enabled, config, grants, limits, secrets, life });

/// The column `grants`.
#[derive(Deserialize, Serialize)]
pub(super) struct StoredGrants {
    reach: Vec<Grant>,
    credentials: Vec<StoredCredential>,
}

impl StoredGrants {
    pub(super) fn new(grants: &Grants) -> StoredGrants {
        let credentials = grants.credentials.iter().map(|Credential { name, kind, host, value: _ }| StoredCredential {
            name: name.clone(),
            kind: kind.as_str().to_owned(),
            header: kind.header().map(str::to_owned),
            host: host.clone(),
        });
        StoredGrants { reach: grants.reach.clone(), credentials: credentials.collect() }
    }
}

/// A credential without its value.
#[derive(Deserialize, Serialize)]
struct StoredCredential {
    name: String,
    /// Rows older than kinds have none: they are headers.
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
pub(super) struct Secrets {
    config: BTreeMap<String, String>,
    credentials: BTreeMap<String, String>,
    /// What a rollback restores.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    former: BTreeMap<String, Option<String>>,
}

impl ChannelRow {
    pub(super) fn read(self, keys: &Keys) -> Result<Channel, WriteFailure> {
        let mut config: BTreeMap<String, String> = from_json("channel", &self.config)?;
        let grants: StoredGrants = from_json("channel", &self.grants)?;
        // The parser's error could quote a secret.
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

/// Separates the configuration by its component's manifest. A value that no manifest declares public is treated as
/// secret.
pub(super) async fn split<'a>(
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
