//! Checks a configuration against the manifest's schema: kinds, bounds, choices, required and unknown keys, defaults.
//! Resolves the manifest's grant requests with a configuration.

use std::collections::BTreeMap;

use super::{Field, FieldKind, GrantRequest, Manifest};
use crate::grant::Grant;
use crate::limits;
use crate::network::HostName;
use crate::text::one_line;

/// One invalid field of a configuration. It never carries the value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PluginConfigError {
    pub field: String,
    pub problem: PluginConfigProblem,
}

/// What is wrong with the value of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PluginConfigProblem {
    #[error("there is no such setting")]
    Unknown,
    #[error("a value is required")]
    Missing,
    #[error("more than {} characters", limits::CONFIG_VALUE_CHARS)]
    TooLong,
    #[error("not one line of text")]
    NotOneLine,
    #[error("not a whole number")]
    NotANumber,
    #[error("less than {0}")]
    TooSmall(i64),
    #[error("more than {0}")]
    TooLarge(i64),
    #[error("fewer than {0} characters")]
    TooFewCharacters(i64),
    #[error("more than {0} characters")]
    TooManyCharacters(i64),
    #[error("neither `true` nor `false`")]
    NotABoolean,
    #[error("none of the choices: {}", .0.join(", "))]
    NotAChoice(Vec<String>),
    #[error("not a host name or an IP address")]
    NotAHost,
    #[error("not a port (1 to 65535)")]
    NotAPort,
    #[error("not an absolute http or https URL")]
    NotAUrl,
}

/// Why a grant request has no host or port with this configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("the setting `{0}` has no value")]
    Unset(String),
    #[error("`{0}` is not a host name or an IP address")]
    NotAHost(String),
    #[error("`{0}` is not a port")]
    NotAPort(String),
}

impl Manifest {
    /// The complete configuration: the given values, checked, and the defaults of the others. An empty value counts as
    /// not given, except in a text. Returns all problems, not only the first.
    pub fn configure(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Vec<PluginConfigError>> {
        let (mut config, mut errors) = (BTreeMap::new(), Vec::new());
        let known = |name: &&String| self.config.iter().any(|field| &field.name == *name);
        for name in given.keys().filter(|name| !known(name)) {
            errors.push(PluginConfigError { field: one_line(name, 100), problem: PluginConfigProblem::Unknown });
        }
        for field in &self.config {
            let given = given.get(&field.name).filter(|value| field.kind == FieldKind::Text || !value.is_empty());
            let Some(value) = given.or(field.default.as_ref()).filter(|value| !field.required || !value.is_empty())
            else {
                if field.required {
                    errors.push(PluginConfigError { field: field.name.clone(), problem: PluginConfigProblem::Missing });
                }
                continue;
            };
            match field.accept(value) {
                Ok(()) => drop(config.insert(field.name.clone(), value.clone())),
                Err(problem) => errors.push(PluginConfigError { field: field.name.clone(), problem }),
            }
        }
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }
}

impl Field {
    /// Whether `value` fits this field.
    pub fn accept(&self, value: &str) -> Result<(), PluginConfigProblem> {
        if value.chars().count() > limits::CONFIG_VALUE_CHARS {
            return Err(PluginConfigProblem::TooLong);
        }
        // A secret may be a key of several lines (PEM, JSON); other values end up in headers, logs and pages.
        if !self.secret && value.chars().any(char::is_control) {
            return Err(PluginConfigProblem::NotOneLine);
        }
        let check = |valid: bool, problem: PluginConfigProblem| if valid { Ok(()) } else { Err(problem) };
        match self.kind {
            FieldKind::Text => self.accept_length(value.chars().count() as i64),
            FieldKind::Integer => self.accept_integer(value.parse().map_err(|_| PluginConfigProblem::NotANumber)?),
            FieldKind::Boolean => check(matches!(value, "true" | "false"), PluginConfigProblem::NotABoolean),
            FieldKind::Choice => {
                check(self.choices.iter().any(|c| c == value), PluginConfigProblem::NotAChoice(self.choices.clone()))
            }
            FieldKind::Host => check(HostName::parse(value).is_some(), PluginConfigProblem::NotAHost),
            FieldKind::Port => check(parse_port(value).is_some(), PluginConfigProblem::NotAPort),
            FieldKind::Url => check(parse_url(value).is_some(), PluginConfigProblem::NotAUrl),
        }
    }

    fn accept_length(&self, characters: i64) -> Result<(), PluginConfigProblem> {
        match (self.min, self.max) {
            (Some(min), _) if characters < min => Err(PluginConfigProblem::TooFewCharacters(min)),
            (_, Some(max)) if characters > max => Err(PluginConfigProblem::TooManyCharacters(max)),
            _ => Ok(()),
        }
    }

    fn accept_integer(&self, number: i64) -> Result<(), PluginConfigProblem> {
        match (self.min, self.max) {
            (Some(min), _) if number < min => Err(PluginConfigProblem::TooSmall(min)),
            (_, Some(max)) if number > max => Err(PluginConfigProblem::TooLarge(max)),
            _ => Ok(()),
        }
    }
}

impl GrantRequest {
    /// The requested grant with this configuration, without the extras that only an administrator adds (`private`,
    /// `plain_http`). Of a field of the kind `url`, its host or its port is used.
    pub fn resolve(&self, config: &BTreeMap<String, String>) -> Result<Grant, RequestError> {
        let (host, port) = (host(&self.host, config)?.to_string(), value(&self.port, config)?);
        let number = parse_port(&port).or_else(|| parse_url(&port).map(|(_, port)| port));
        let port = number.ok_or_else(|| RequestError::NotAPort(one_line(&port, 100)))?;
        Ok(Grant { capability: self.capability, host, port, private: false, plain_http: false })
    }
}

/// The host that a request's `template` names with this configuration; of a URL its host.
pub(super) fn host(template: &str, config: &BTreeMap<String, String>) -> Result<HostName, RequestError> {
    let text = value(template, config)?;
    let name = HostName::parse(&text).or_else(|| parse_url(&text).map(|(host, _)| host));
    name.ok_or_else(|| RequestError::NotAHost(one_line(&text, 100)))
}

fn value(template: &str, config: &BTreeMap<String, String>) -> Result<String, RequestError> {
    match reference(template) {
        None => Ok(template.to_owned()),
        Some(name) => config.get(name).cloned().ok_or_else(|| RequestError::Unset(name.to_owned())),
    }
}

/// The field that `{name}` stands for.
pub(super) fn reference(template: &str) -> Option<&str> {
    template.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// Host and port of an absolute http or https URL without user information.
fn parse_url(text: &str) -> Option<(HostName, u16)> {
    let url = url::Url::parse(text).ok()?;
    let valid = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    let host = url.host_str().filter(|_| valid)?;
    Some((HostName::parse(host)?, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::super::{Capability, Lifetime};
    use super::*;

    fn field(name: &str, kind: FieldKind) -> Field {
        Field {
            name: name.to_owned(),
            label: name.to_owned(),
            help: String::new(),
            kind,
            default: None,
            required: false,
            secret: false,
            min: None,
            max: None,
            choices: Vec::new(),
        }
    }

    fn manifest(config: Vec<Field>) -> Manifest {
        Manifest {
            name: "test".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "A test.".to_owned(),
            address_label: "address".to_owned(),
            address_example: "a".to_owned(),
            config,
            grants: Vec::new(),
            credentials: Vec::new(),
            lifetime: Lifetime::PerCall,
            address_is_account: false,
        }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn each_kind_accepts_its_values_and_no_other() {
        use PluginConfigProblem::*;
        let text = Field { min: Some(2), max: Some(3), ..field("f", FieldKind::Text) };
        let integer = Field { min: Some(-1), max: Some(10), ..field("f", FieldKind::Integer) };
        let choice = Field { choices: vec!["a".to_owned(), "b".to_owned()], ..field("f", FieldKind::Choice) };
        let plain = |kind| field("f", kind);
        let secret = Field { secret: true, ..field("f", FieldKind::Text) };
        for (field, value, expected) in [
            (&text, "äö", Ok(())),
            (&text, "ä", Err(TooFewCharacters(2))),
            (&text, "äöüß", Err(TooManyCharacters(3))),
            (&text, "a\n", Err(NotOneLine)),
            (&secret, "-----BEGIN\nKEY", Ok(())),
            (&integer, "10", Ok(())),
            (&integer, "-1", Ok(())),
            (&integer, "-2", Err(TooSmall(-1))),
            (&integer, "11", Err(TooLarge(10))),
            (&integer, "1.5", Err(NotANumber)),
            (&integer, " 1", Err(NotANumber)),
            (&integer, "99999999999999999999", Err(NotANumber)),
            (&plain(FieldKind::Boolean), "true", Ok(())),
            (&plain(FieldKind::Boolean), "yes", Err(NotABoolean)),
            (&choice, "b", Ok(())),
            (&choice, "c", Err(NotAChoice(vec!["a".to_owned(), "b".to_owned()]))),
            (&plain(FieldKind::Host), "mail.example.org", Ok(())),
            (&plain(FieldKind::Host), "::1", Ok(())),
            (&plain(FieldKind::Host), "http://x", Err(NotAHost)),
            (&plain(FieldKind::Port), "65535", Ok(())),
            (&plain(FieldKind::Port), "0", Err(NotAPort)),
            (&plain(FieldKind::Port), "65536", Err(NotAPort)),
            (&plain(FieldKind::Port), "+25", Err(NotAPort)),
            (&plain(FieldKind::Url), "https://push.example.org/v1?x=y", Ok(())),
            (&plain(FieldKind::Url), "ftp://push.example.org", Err(NotAUrl)),
            (&plain(FieldKind::Url), "/relative", Err(NotAUrl)),
            (&plain(FieldKind::Url), "https://user:pw@push.example.org", Err(NotAUrl)),
            (&plain(FieldKind::Text), &"x".repeat(limits::CONFIG_VALUE_CHARS + 1), Err(TooLong)),
        ] {
            assert_eq!(field.accept(value), expected, "{:?} {value:?}", field.kind);
        }
    }

    #[test]
    fn defaults_are_applied_and_every_error_is_reported() {
        let manifest = manifest(vec![
            Field { required: true, ..field("relay", FieldKind::Host) },
            Field { default: Some("25".to_owned()), ..field("port", FieldKind::Port) },
            Field { default: Some("Tidings".to_owned()), ..field("sender", FieldKind::Text) },
            field("user", FieldKind::Text),
        ]);
        type Case<'a> = (&'a [(&'a str, &'a str)], Result<&'a [(&'a str, &'a str)], &'a [&'a str]>);
        let cases: &[Case] = &[
            (&[("relay", "a.b")], Ok(&[("port", "25"), ("relay", "a.b"), ("sender", "Tidings")])),
            (
                &[("relay", "a.b"), ("port", ""), ("sender", ""), ("user", "u")],
                Ok(&[("port", "25"), ("relay", "a.b"), ("sender", ""), ("user", "u")]),
            ),
            (&[], Err(&["relay: a value is required"])),
            (&[("relay", "")], Err(&["relay: a value is required"])),
            (
                &[("port", "x"), ("colour", "red")],
                Err(&[
                    "colour: there is no such setting",
                    "relay: a value is required",
                    "port: not a port (1 to 65535)",
                ]),
            ),
        ];
        for (given, expected) in cases {
            let answer = manifest.configure(&map(given));
            let answer = answer.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>());
            let expected = expected.map(map).map_err(|lines| lines.iter().map(ToString::to_string).collect());
            assert_eq!(answer, expected, "{given:?}");
        }
    }

    #[test]
    fn an_error_never_contains_the_value() {
        let manifest = manifest(vec![Field { secret: true, max: Some(3), ..field("password", FieldKind::Text) }]);
        let errors = manifest.configure(&map(&[("password", "hunter2")])).expect_err("too long");
        assert!(!format!("{errors:?}").contains("hunter2"));
    }

    #[test]
    fn grant_requests_take_host_and_port_from_the_configuration() {
        let config = map(&[("relay", "Mail.Example.org"), ("port", "587"), ("endpoint", "https://push.example.org/x")]);
        for (host, port, expected) in [
            ("{relay}", "{port}", Ok(("mail.example.org", 587))),
            ("{endpoint}", "{endpoint}", Ok(("push.example.org", 443))),
            ("fcm.googleapis.com", "443", Ok(("fcm.googleapis.com", 443))),
            ("{none}", "443", Err("the setting `none` has no value")),
            ("{port}", "443", Err("`587` is not a host name or an IP address")),
            ("{relay}", "{relay}", Err("`Mail.Example.org` is not a port")),
        ] {
            let capability = Capability::Net;
            let request = GrantRequest { capability, host: host.to_owned(), port: port.to_owned(), why: String::new() };
            let grant = request.resolve(&config);
            let place = grant.as_ref().map(|grant| (grant.host.as_str(), grant.port)).map_err(ToString::to_string);
            assert_eq!(place, expected.map_err(str::to_owned), "{host} {port}");
            assert!(grant.is_ok_and(|grant| !grant.private && !grant.plain_http) || expected.is_err());
        }
    }
}
