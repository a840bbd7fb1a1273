//! A plugin's manifest in the host's own types. `check` validates the manifest when the plugin is installed;
//! `configure` checks a configuration against its schema and turns its grant requests into grants.

use serde::{Deserialize, Serialize};

mod check;
mod configure;
mod credentials;

pub use crate::credential::CREDENTIAL_KINDS;
pub use crate::grant::Capability;
pub use check::ManifestError;
pub use configure::{PluginConfigError, PluginConfigProblem, RequestError};
pub use credentials::MissingCredentialError;

/// A plugin's description of itself; see `manifest` in the contract (`wit/v1/channel.wit`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Manifest {
    pub name: String,
    pub version: String,
    pub summary: String,
    pub address_label: String,
    pub address_example: String,
    pub config: Vec<Field>,
    pub grants: Vec<GrantRequest>,
    /// Empty in manifests that were stored before such requests existed.
    #[serde(default)]
    pub credentials: Vec<CredentialRequest>,
    /// The default in manifests that were stored before the field existed.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// The account's name is the only address of a user (`address` = `account` in the contract's `extra`).
    #[serde(default)]
    pub address_is_account: bool,
}

/// How long an instance of the plugin lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// For one call.
    #[default]
    PerCall,
    /// While its channel is enabled and it does not crash.
    Resident,
}

impl Lifetime {
    /// The contract's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lifetime::PerCall => "per-call",
            Lifetime::Resident => "resident",
        }
    }
}

/// One setting of a channel, with all that is needed to render a form and to check its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// A host and port that a plugin requests; `{name}` in host or port refers to a configuration value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantRequest {
    pub capability: Capability,
    pub host: String,
    pub port: String,
    pub why: String,
}

/// A secret that the host uses for the plugin; `{name}` in the host refers to a configuration value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialRequest {
    pub name: String,
    /// The contract's name of the kind; [`Manifest::check`] refuses an unknown one.
    pub kind: String,
    pub host: String,
    pub required: bool,
    pub why: String,
}
