//! Short ways to write a [`Manifest`](crate::Manifest): a field starts as an optional, plain setting and says what it is
//! more than that.

use crate::{Capability, CredentialRequest, Field, FieldKind, GrantRequest, Lifetime, Manifest};

/// A plugin of this name that is made afresh for each call, asks for nothing and has no settings: the rest of a
/// [`Manifest`], after `..`.
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

/// A setting of this kind, optional and without default.
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

    /// Write-only, and kept out of logs.
    pub fn secret(self) -> Self {
        Field { secret: true, ..self }
    }

    /// What `config::get` answers where the administrator set nothing.
    pub fn default(self, value: &str) -> Self {
        Field { default: Some(value.into()), ..self }
    }

    /// The values of a [`FieldKind::Choice`].
    pub fn choices(self, values: &[&str]) -> Self {
        Field { choices: values.iter().map(|value| (*value).into()).collect(), ..self }
    }

    /// The shortest text, in characters, or the smallest number.
    pub fn min(self, min: i64) -> Self {
        Field { min: Some(min), ..self }
    }

    /// The longest text, in characters, or the largest number.
    pub fn max(self, max: i64) -> Self {
        Field { max: Some(max), ..self }
    }
}

/// Asks for TCP and TLS to a host and port; `{name}` stands for the value of that setting.
pub fn net(host: &str, port: &str, why: &str) -> GrantRequest {
    GrantRequest { capability: Capability::Net, host: host.into(), port: port.into(), why: why.into() }
}

/// Asks for HTTP to a host and port; `{name}` stands for the value of that setting.
pub fn http(host: &str, port: &str, why: &str) -> GrantRequest {
    GrantRequest { capability: Capability::Http, host: host.into(), port: port.into(), why: why.into() }
}

/// Asks the host to use a secret of this sort for requests to this host; see `credential-request` in the contract.
pub fn credential(name: &str, kind: &str, host: &str, why: &str) -> CredentialRequest {
    CredentialRequest { name: name.into(), kind: kind.into(), host: host.into(), required: false, why: why.into() }
}

impl CredentialRequest {
    /// The channel cannot be enabled without it.
    pub fn required(self) -> Self {
        CredentialRequest { required: true, ..self }
    }
}
