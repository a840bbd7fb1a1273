//! Builders for the parts of a [`Manifest`](crate::Manifest). A field starts as an optional setting without a default;
//! its methods change that.

use crate::{Capability, CredentialRequest, Field, FieldKind, GrantRequest, Lifetime, Manifest};

/// The manifest of a plugin that gets a new instance for each call and has no settings and no grants. Use it after `..`
/// in a [`Manifest`].
pub fn plugin(name: &str, version: &str, summary: &str) -> Manifest {
    Manifest {
        name: name.into(),
        version: version.into(),
        summary: summary.into(),
        address_label: String::new(),
        address_example: String::new(),
        config: Vec::new(),
        grants: Vec::new(),
        credentials: Vec::new(),
        lifetime: Lifetime::PerCall,
        extra: Vec::new(),
    }
}

/// An optional setting of this kind, without a default.
pub fn field(name: &str, kind: FieldKind, label: &str, help: &str) -> Field {
    Field {
        name: name.into(),
        label: label.into(),
        help: help.into(),
        kind,
        default: None,
        required: false,
        secret: false,
        min: None,
        max: None,
        choices: Vec::new(),
    }
}

impl Field {
    /// The channel cannot be enabled without a value.
    pub fn required(self) -> Self {
        Field { required: true, ..self }
    }

    /// The value is write-only and is not logged.
    pub fn secret(self) -> Self {
        Field { secret: true, ..self }
    }

    /// The value that `config::get` returns where the administrator has set none.
    pub fn default(self, value: &str) -> Self {
        Field { default: Some(value.into()), ..self }
    }

    /// The values of a [`FieldKind::Choice`].
    pub fn choices(self, values: &[&str]) -> Self {
        Field { choices: values.iter().map(|value| (*value).into()).collect(), ..self }
    }

    /// The shortest text in characters, or the smallest number.
    pub fn min(self, min: i64) -> Self {
        Field { min: Some(min), ..self }
    }

    /// The longest text in characters, or the largest number.
    pub fn max(self, max: i64) -> Self {
        Field { max: Some(max), ..self }
    }
}

/// Requests TCP and TLS to a host and port; `{name}` stands for the value of that setting.
pub fn net(host: &str, port: &str, why: &str) -> GrantRequest {
    GrantRequest { capability: Capability::Net, host: host.into(), port: port.into(), why: why.into() }
}

/// Requests HTTP to a host and port; `{name}` stands for the value of that setting.
pub fn http(host: &str, port: &str, why: &str) -> GrantRequest {
    GrantRequest { capability: Capability::Http, host: host.into(), port: port.into(), why: why.into() }
}

/// Requests that the daemon uses a secret of this kind for requests to this host; see `credential-request` in the
/// contract.
pub fn credential(name: &str, kind: &str, host: &str, why: &str) -> CredentialRequest {
    CredentialRequest { name: name.into(), kind: kind.into(), host: host.into(), required: false, why: why.into() }
}

impl CredentialRequest {
    /// The channel cannot be enabled without it.
    pub fn required(self) -> Self {
        CredentialRequest { required: true, ..self }
    }
}
