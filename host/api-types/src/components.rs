//! Installed components.

use serde::{Deserialize, Serialize};
use tidings_domain::manifest::Manifest;
use tidings_domain::time::Timestamp;

/// An installed component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComponentDetails {
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
    pub bytes: u64,
    pub installed_at: Timestamp,
    /// The publisher whose signature it was installed with, and the public key that verified it.
    pub signed_by: Option<String>,
    pub signing_key: Option<String>,
    pub manifest: Manifest,
    /// What the plugin requests, one sentence each.
    pub review: Vec<String>,
    /// Where this request fetched it from, with the digest that it resolved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Parameters of an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct InstallQuery {
    /// The text of the `.minisig` file.
    pub signature: Option<String>,
}

/// Where to fetch a component: `url` and `sha256`, or `oci`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InstallRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<String>,
    /// The signature; replaces the one beside the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}
