//! Validates a manifest: names, counts and sizes, defaults that fit their fields, grant requests that name a host and a
//! port. A plugin with an invalid manifest is refused at installation.

use std::collections::BTreeSet;

use super::configure::reference;
use super::{CredentialRequest, Field, FieldKind, GrantRequest, Manifest};
use crate::credential::CREDENTIAL_KINDS;
use crate::limits;
use crate::network::HostName;
use crate::text::{is_one_line, one_line};

/// Kinds of fields whose values can be a host, and a port.
const HOST_KINDS: [FieldKind; 4] = [FieldKind::Host, FieldKind::Url, FieldKind::Text, FieldKind::Choice];
const PORT_KINDS: [FieldKind; 3] = [FieldKind::Port, FieldKind::Url, FieldKind::Integer];

/// The first problem found in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("the name `{0}` is not 1 to {max} lower-case letters, digits and `-`, starting with a letter", max = limits::NAME_BYTES)]
    Name(String),
    #[error("the version `{0}` is not of the form 1.2.3")]
    Version(String),
    #[error("{what} is not one line of 1 to {max} characters")]
    Text { what: String, max: usize },
    #[error("{count} {what}; at most {max} are allowed")]
    TooMany { what: &'static str, count: usize, max: usize },
    #[error("the field name `{0}` is not 1 to {max} lower-case letters, digits and `_`, starting with a letter", max = limits::NAME_BYTES)]
    FieldName(String),
    #[error("the field `{0}` is defined twice")]
    FieldTwice(String),
    #[error("the field `{field}`: {problem}")]
    Field { field: String, problem: String },
    #[error("grant request {index}: {problem}")]
    Grant { index: usize, problem: String },
    #[error("credential request {index}: {problem}")]
    Credential { index: usize, problem: String },
}

impl Manifest {
    /// Validates the manifest. Call it before any other use.
    pub fn check(&self) -> Result<(), ManifestError> {
        if !is_name(&self.name, b'-') {
            return Err(ManifestError::Name(one_line(&self.name, 100)));
        }
        if !is_version(&self.version) {
            return Err(ManifestError::Version(one_line(&self.version, 100)));
        }
        check_text("the summary", &self.summary, limits::LABEL_CHARS)?;
        check_text("the address label", &self.address_label, limits::LABEL_CHARS)?;
        check_text("the address example", &self.address_example, limits::ADDRESS_CHARS)?;
        check_count("configuration fields", self.config.len(), limits::MANIFEST_FIELDS)?;
        check_count("grant requests", self.grants.len(), limits::MANIFEST_GRANTS)?;
        check_count("credential requests", self.credentials.len(), limits::MANIFEST_GRANTS)?;
        let mut seen = BTreeSet::new();
        for field in &self.config {
            field.check()?;
            if !seen.insert(&field.name) {
                return Err(ManifestError::FieldTwice(field.name.clone()));
            }
        }
        for (index, request) in self.grants.iter().enumerate() {
            self.check_request(index, request)?;
        }
        for (index, request) in self.credentials.iter().enumerate() {
            self.check_credential(index, request)?;
        }
        Ok(())
    }

    fn check_credential(&self, index: usize, request: &CredentialRequest) -> Result<(), ManifestError> {
        check_text(&format!("the reason of credential request {index}"), &request.why, limits::LABEL_CHARS)?;
        let fail = |problem: String| Err(ManifestError::Credential { index, problem });
        let name = &request.name;
        if !is_name(name, b'-') {
            return fail(format!("`{}` is not a valid name of a credential", one_line(name, 100)));
        }
        if self.credentials.iter().take(index).any(|other| other.name == *name) {
            return fail(format!("the credential `{name}` is requested twice"));
        }
        if !CREDENTIAL_KINDS.contains(&request.kind.as_str()) {
            let kind = one_line(&request.kind, 100);
            return fail(format!("this version of Tidings does not support the credential kind `{kind}`"));
        }
        self.check_place("host", &request.host, &HOST_KINDS).or_else(fail)
    }

    fn check_request(&self, index: usize, request: &GrantRequest) -> Result<(), ManifestError> {
        check_text(&format!("the reason of grant request {index}"), &request.why, limits::LABEL_CHARS)?;
        self.check_place("host", &request.host, &HOST_KINDS)
            .and_then(|()| self.check_place("port", &request.port, &PORT_KINDS))
            .map_err(|problem| ManifestError::Grant { index, problem })
    }

    /// Whether a host or a port, or the field that it names, is valid.
    fn check_place(&self, what: &str, template: &str, kinds: &[FieldKind]) -> Result<(), String> {
        let Some(name) = reference(template) else {
            let valid = match what {
                "host" => HostName::parse(template).is_some(),
                _ => template.parse::<u16>().is_ok_and(|port| port > 0),
            };
            let neither = || format!("`{}` is neither a {what} nor a `{{field}}`", one_line(template, 100));
            return if valid { Ok(()) } else { Err(neither()) };
        };
        match self.config.iter().find(|field| field.name == name) {
            None => Err(format!("{what} names the field `{}`, which does not exist", one_line(name, 100))),
            Some(field) if !kinds.contains(&field.kind) => {
                Err(format!("{what} names the field `{name}`, whose kind cannot be one"))
            }
            Some(field) if field.secret => Err(format!("{what} names the field `{name}`, which is secret")),
            Some(_) => Ok(()),
        }
    }
}

impl Field {
    fn check(&self) -> Result<(), ManifestError> {
        if !is_name(&self.name, b'_') {
            return Err(ManifestError::FieldName(one_line(&self.name, 100)));
        }
        check_text(&format!("the label of `{}`", self.name), &self.label, limits::LABEL_CHARS)?;
        if !self.help.is_empty() {
            check_text(&format!("the help of `{}`", self.name), &self.help, limits::HELP_CHARS)?;
        }
        check_count("choices", self.choices.len(), limits::MANIFEST_CHOICES)?;
        for choice in &self.choices {
            check_text(&format!("a choice of `{}`", self.name), choice, limits::LABEL_CHARS)?;
        }
        match self.error() {
            Some(problem) => Err(ManifestError::Field { field: self.name.clone(), problem }),
            None => Ok(()),
        }
    }

    fn error(&self) -> Option<String> {
        let bounded = matches!(self.kind, FieldKind::Text | FieldKind::Integer);
        if (self.min.is_some() || self.max.is_some()) && !bounded {
            return Some("only a text or an integer has `min` and `max`".to_owned());
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Some("`min` is above `max`".to_owned());
        }
        if (self.kind == FieldKind::Choice) == self.choices.is_empty() {
            return Some("a field of the kind `choice` needs choices, and other fields have none".to_owned());
        }
        if self.secret && self.default.is_some() {
            return Some("a secret has no default".to_owned());
        }
        let default = self.default.as_ref()?;
        self.accept(default).err().map(|problem| format!("its default is invalid: {problem}"))
    }
}

fn is_name(name: &str, joiner: u8) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == joiner;
    (1..=limits::NAME_BYTES).contains(&name.len())
        && name.bytes().all(allowed)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// `1.2.3`, and what semver allows behind `-` or `+`.
fn is_version(version: &str) -> bool {
    let (core, rest) = match version.find(['-', '+']) {
        Some(at) => (&version[..at], Some(&version[at + 1..])),
        None => (version, None),
    };
    let number = |part: &str| part.parse::<u32>().is_ok() && (part == "0" || !part.starts_with(['0', '+']));
    let tail = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'))
    };
    version.len() <= limits::NAME_BYTES
        && core.split('.').count() == 3
        && core.split('.').all(number)
        && rest.is_none_or(tail)
}

fn check_text(what: &str, text: &str, max: usize) -> Result<(), ManifestError> {
    let valid = !text.trim().is_empty() && text.chars().count() <= max && is_one_line(text);
    if valid { Ok(()) } else { Err(ManifestError::Text { what: what.to_owned(), max }) }
}

fn check_count(what: &'static str, count: usize, max: usize) -> Result<(), ManifestError> {
    if count <= max { Ok(()) } else { Err(ManifestError::TooMany { what, count, max }) }
}

#[cfg(test)]
mod tests {
    use super::super::{Capability, Lifetime};
    use super::*;

    fn field(name: &str, kind: FieldKind) -> Field {
        Field {
            name: name.to_owned(),
            label: "A label".to_owned(),
            help: String::new(),
            kind,
            default: None,
            required: false,
            secret: false,
            min: None,
            max: None,
            choices: if kind == FieldKind::Choice { vec!["a".to_owned(), "b".to_owned()] } else { Vec::new() },
        }
    }

    fn request(host: &str, port: &str) -> GrantRequest {
        let (host, port, why) = (host.to_owned(), port.to_owned(), "To hand over mail.".to_owned());
        GrantRequest { capability: Capability::Net, host, port, why }
    }

    fn manifest() -> Manifest {
        Manifest {
            name: "email".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Mail by SMTP.".to_owned(),
            address_label: "email address".to_owned(),
            address_example: "ralph@example.org".to_owned(),
            config: vec![
                field("relay", FieldKind::Host),
                field("relay_port", FieldKind::Port),
                field("tls", FieldKind::Choice),
                field("endpoint", FieldKind::Url),
            ],
            grants: vec![request("{relay}", "{relay_port}"), request("{endpoint}", "{endpoint}"), request("a.b", "25")],
            credentials: Vec::new(),
            lifetime: Lifetime::PerCall,
            address_is_account: false,
        }
    }

    #[test]
    fn a_valid_manifest_passes() {
        assert_eq!(manifest().check(), Ok(()));
    }

    #[test]
    fn each_error_names_its_cause() {
        type Change = fn(&mut Manifest);
        let cases: &[(&str, Change)] = &[
            ("the name `Email`", |m| m.name = "Email".to_owned()),
            ("the name ``", |m| m.name = String::new()),
            ("the name `../x`", |m| m.name = "../x".to_owned()),
            ("the name `1x`", |m| m.name = "1x".to_owned()),
            ("the version `1.0`", |m| m.version = "1.0".to_owned()),
            ("the version `1.0.01`", |m| m.version = "1.0.01".to_owned()),
            ("the version `1.0.0-`", |m| m.version = "1.0.0-".to_owned()),
            ("the summary is not one line", |m| m.summary = "a\nb".to_owned()),
            ("the summary is not one line", |m| m.summary = "x".repeat(301)),
            ("the address label is not one line", |m| m.address_label = " ".to_owned()),
            ("the address example is not one line", |m| m.address_example = "\u{1b}[2J".to_owned()),
            ("65 configuration fields; at most 64", |m| m.config = vec![field("a", FieldKind::Text); 65]),
            ("65 grant requests; at most 64", |m| m.grants = vec![request("a.b", "25"); 65]),
            ("the field `relay` is defined twice", |m| m.config.push(field("relay", FieldKind::Text))),
            ("the field name `a-b`", |m| m.config[0].name = "a-b".to_owned()),
            ("the label of `relay` is not", |m| m.config[0].label = String::new()),
            ("the help of `relay` is not", |m| m.config[0].help = "x".repeat(1001)),
            ("101 choices; at most 100", |m| m.config[2].choices = vec!["a".to_owned(); 101]),
            ("a choice of `tls` is not", |m| m.config[2].choices.push(String::new())),
            ("only a text or an integer has `min`", |m| m.config[0].min = Some(1)),
            ("`min` is above `max`", |m| {
                m.config[0].kind = FieldKind::Integer;
                (m.config[0].min, m.config[0].max) = (Some(2), Some(1));
                m.grants.clear();
            }),
            ("of the kind `choice` needs choices", |m| m.config[2].choices.clear()),
            ("of the kind `choice` needs choices", |m| m.config[0].choices.push("x".to_owned())),
            ("a secret has no default", |m| {
                m.config[0].secret = true;
                m.config[0].default = Some("x".to_owned());
            }),
            ("its default is invalid", |m| m.config[1].default = Some("0".to_owned())),
            ("names the field `none`, which does not exist", |m| m.grants[0].host = "{none}".to_owned()),
            ("names the field `tls`, whose kind", |m| m.grants[0].port = "{tls}".to_owned()),
            ("names the field `relay`, which is secret", |m| m.config[0].secret = true),
            ("`*.example.org` is neither a host", |m| m.grants[2].host = "*.example.org".to_owned()),
            ("`0` is neither a port", |m| m.grants[2].port = "0".to_owned()),
            ("`99999` is neither a port", |m| m.grants[2].port = "99999".to_owned()),
            ("the reason of grant request 2 is not", |m| m.grants[2].why = String::new()),
        ];
        for (expected, change) in cases {
            let mut changed = manifest();
            change(&mut changed);
            let error = changed.check().expect_err(expected).to_string();
            assert!(error.contains(expected), "expected `{expected}`, got `{error}`");
        }
    }
}
