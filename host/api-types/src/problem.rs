//! Failures: problem documents as in RFC 9457, `application/problem+json`.

use serde::{Deserialize, Serialize};

/// Why a request failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProblemDocument {
    /// Always `about:blank`: the status tells the kind of the problem.
    #[serde(default)]
    pub r#type: String,
    /// The name of the status.
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub status: u16,
    /// What failed, for people.
    #[serde(default)]
    pub detail: String,
    /// The invalid fields of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// One invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Its path in the body, such as `filters[0].rules[2]`; empty for the body as a whole.
    pub path: String,
    /// What is invalid, and what is expected.
    pub detail: String,
}

impl FieldError {
    pub fn new(path: impl Into<String>, detail: impl Into<String>) -> FieldError {
        FieldError { path: path.into(), detail: detail.into() }
    }
}
