//! What a plugin says of itself, in the host's own types. `check` judges the manifest itself when the plugin is
//! installed; `configure` checks a configuration against its schema and turns its grant requests into grants.

use serde::{Deserialize, Serialize};

mod check;
mod configure;

pub use crate::credential::CREDENTIAL_KINDS;
pub use check::ManifestError;
pub(crate) use configure::host;
pub use configure::{PluginConfigError, PluginConfigProblem, RequestError};

/// What a plugin is; see `manifest` in the contract (`wit/v1/channel.wit`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    pub summary: String,
    pub address_label: String,
    pub address_example: String,
    pub config: Vec<Field>,
    pub grants: Vec<GrantRequest>,
    /// Manifests that were stored before there were such requests have none.
    #[serde(default)]
    pub credentials: Vec<CredentialRequest>,
    /// Manifests that were stored before there was a choice have none.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// A user's only address is the name of the account (`address` = `account` in the contract's `extra`).
    #[serde(default)]
    pub address_is_account: bool,
}

/// How long an instance of the plugin lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// For one call.
    #[default]
    PerCall,
    /// As long as its channel is enabled and all goes well.
    Resident,
}

impl Lifetime {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lifetime::PerCall => "per-call",
            Lifetime::Resident => "resident",
        }
    }
}

/// One setting of a channel, enough to render a form and to check what comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub label: String,
    pub help: String,
    pub kind: FieldKind,
    pub default: Option<String>,
    pub required: bool,
    /// Write-only in the API, absent from logs.
    pub secret: bool,
    pub min: Option<i64>,
    pub max: Option<i64>,
    pub choices: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Text,
    Integer,
    Boolean,
    Choice,
    Host,
    Port,
    Url,
}

/// What a plugin asks to reach; `{name}` in host or port stands for a configuration value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRequest {
    pub capability: Capability,
    pub host: String,
    pub port: String,
    pub why: String,
}

/// A secret that the host is to use for the plugin; `{name}` in the host stands for a configuration value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRequest {
    pub name: String,
    /// The contract's word for the sort of secret; one that is not known is refused by [`Manifest::check`].
    pub kind: String,
    pub host: String,
    pub required: bool,
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    Net,
    Http,
}
