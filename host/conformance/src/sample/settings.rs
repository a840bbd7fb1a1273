//! Makes a channel's settings from a manifest: a value for each field that needs one, and the grants that the manifest
//! asks for, limited to the test server on loopback.

use std::collections::BTreeMap;

use tidings_domain::credential::{Credential, CredentialKind};
use tidings_domain::grant::{Grant, Grants};
use tidings_domain::manifest::{Capability, CredentialRequest, Field, FieldKind, Manifest};
use tidings_domain::secret::Secret;

use super::Sample;

/// The host of the test server.
const HOST: &str = "127.0.0.1";

/// The settings of a channel in a run.
#[derive(Clone)]
pub struct TestSettings {
    /// Checked, with defaults applied.
    pub config: BTreeMap<String, String>,
    pub grants: Grants,
    pub address: String,
    /// Values that must appear in no log line and no outcome.
    pub secrets: Vec<String>,
    /// What the manifest or the address asks to reach that is not the test server, as `host:port`. It is not granted.
    pub unreached: Vec<String>,
}

impl TestSettings {
    /// Why the network cannot be tested.
    pub fn no_network_reason(&self) -> String {
        if self.unreached.is_empty() { "it asks for no network".to_owned() } else { unreached_text(&self.unreached) }
    }
}

/// States that a test does not reach these hosts, and what to do.
pub fn unreached_text(hosts: &[String]) -> String {
    format!("a test does not reach {}; make the host a setting, so that a test can replace it", hosts.join(", "))
}

/// Why no valid settings can be made for the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub String);

/// Makes the settings for a test server on this port of loopback.
///
/// # Errors
/// No valid value can be made for a field.
pub fn setup(manifest: &Manifest, sample: &Sample, port: u16) -> Result<TestSettings, SettingsError> {
    let with_server = |text: &str| {
        let url = format!("http://{HOST}:{port}");
        text.replace("{host}", HOST).replace("{port}", &port.to_string()).replace("{url}", &url)
    };
    let mut given: BTreeMap<String, String> =
        sample.config.iter().map(|(name, value)| (name.clone(), with_server(value))).collect();
    let mut secrets = Vec::new();
    for field in &manifest.config {
        if !given.contains_key(&field.name)
            && let Some(value) = value(field, manifest).map(|value| with_server(&value))
        {
            given.insert(field.name.clone(), value);
        }
        secrets.extend(given.get(&field.name).filter(|value| field.secret && value.len() >= 8).cloned());
    }
    let config = manifest.configure(&given).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        SettingsError(format!("no valid settings can be made ({}); give them", errors.join("; ")))
    })?;
    let address = sample.address.as_deref().map_or_else(|| manifest.address_example.clone(), with_server);
    let (reach, unreached) = reach(manifest, &config, &address);
    let credentials: Vec<_> =
        manifest.credentials.iter().filter_map(|request| credential(request, manifest, &config)).collect();
    secrets.extend(credentials.iter().map(|credential| credential.value.expose().to_owned()));
    Ok(TestSettings { config, grants: Grants { reach, credentials }, address, secrets, unreached })
}

/// The value for a field, or none if its default, or no value, is valid. A host that the plugin asks to reach is always
/// the test server, even if its default is another host.
fn value(field: &Field, manifest: &Manifest) -> Option<String> {
    let wanted = field.required || field.default.is_some();
    let named = format!("{{{}}}", field.name);
    let asked = || manifest.grants.iter().map(|grant| (&grant.host, &grant.port));
    if wanted && asked().any(|(host, _)| *host == named) {
        return Some(if field.kind == FieldKind::Url { "{url}" } else { "{host}" }.to_owned());
    }
    if wanted && asked().any(|(_, port)| *port == named) {
        return Some("{port}".to_owned());
    }
    if !field.required || field.default.as_ref().is_some_and(|default| !default.is_empty()) {
        return None;
    }
    Some(match field.kind {
        FieldKind::Text => text(field, manifest),
        FieldKind::Integer => 1.max(field.min.unwrap_or(1)).min(field.max.unwrap_or(i64::MAX)).to_string(),
        FieldKind::Boolean => "false".to_owned(),
        FieldKind::Choice => field.choices.first().cloned().unwrap_or_default(),
        FieldKind::Host => "{host}".to_owned(),
        FieldKind::Port => "{port}".to_owned(),
        FieldKind::Url => "{url}".to_owned(),
    })
}

/// A value for a text: a secret that can be found again, or the example address, which is the most common text.
fn text(field: &Field, manifest: &Manifest) -> String {
    let secret = format!("conformance-secret-{}", field.name);
    let long = "sample".repeat(usize::try_from(field.min.unwrap_or(1)).unwrap_or(1).div_ceil(6).clamp(1, 1000));
    let candidates = if field.secret { [secret, long] } else { [manifest.address_example.clone(), long] };
    let mut candidates = candidates.into_iter();
    candidates.find(|text| field.accept(text).is_ok()).unwrap_or_else(|| "s".to_owned())
}

/// The requested grants for loopback, with the flags that only an administrator sets; and the hosts that are left out.
fn reach(manifest: &Manifest, config: &BTreeMap<String, String>, address: &str) -> (Vec<Grant>, Vec<String>) {
    // A request whose setting has no value asks for no grant.
    let asked = manifest.grants.iter().filter_map(|request| request.resolve(config).ok());
    // A manifest cannot ask for the hosts of web addresses; an administrator grants them.
    let of_address = url::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let of_address = of_address.and_then(|url| {
        let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        Some(Grant { capability: Capability::Http, host, port, private: false, plain_http: false })
    });
    let (local, remote): (Vec<Grant>, Vec<Grant>) = asked.chain(of_address).partition(|grant| grant.host == HOST);
    let reach = local.into_iter().map(|grant| Grant { private: true, plain_http: true, ..grant }).collect();
    let host_port = |grant: &Grant| format!("{}:{}", grant.host.to_ascii_lowercase(), grant.port);
    (reach, remote.iter().map(host_port).collect())
}

/// A header with a value that can be found again. For other kinds no valid value can be made.
fn credential(
    request: &CredentialRequest,
    manifest: &Manifest,
    config: &BTreeMap<String, String>,
) -> Option<Credential> {
    let named = request.host.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let field = named.and_then(|name| manifest.config.iter().find(|field| field.name == name));
    let host = named.map_or(Some(&request.host), |name| config.get(name))?;
    let local = host == HOST || field.is_some_and(|field| field.kind == FieldKind::Url) && host.contains(HOST);
    (request.kind == "header" && local).then(|| Credential {
        name: request.name.clone(),
        kind: CredentialKind::Header { header: "authorization".to_owned() },
        value: Secret::new(format!("Bearer conformance-secret-{}", request.name)),
        host: HOST.to_owned(),
    })
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests may fail as they do")]
mod tests {
    use tidings_domain::manifest::{GrantRequest, Lifetime};

    use super::*;

    fn field(name: &str, kind: FieldKind, default: Option<&str>, required: bool) -> Field {
        Field {
            name: name.to_owned(),
            label: name.to_owned(),
            help: String::new(),
            kind,
            default: default.map(str::to_owned),
            required,
            secret: name == "key",
            min: (name == "long").then_some(40),
            max: None,
            choices: if kind == FieldKind::Choice { vec!["a".to_owned(), "b".to_owned()] } else { Vec::new() },
        }
    }

    fn manifest() -> Manifest {
        let grant = |host: &str, port: &str| GrantRequest {
            capability: Capability::Http,
            host: host.to_owned(),
            port: port.to_owned(),
            why: "x".to_owned(),
        };
        Manifest {
            name: "test".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "A test.".to_owned(),
            address_label: "address".to_owned(),
            address_example: "ralph@example.org".to_owned(),
            config: vec![
                field("server", FieldKind::Url, Some("https://ntfy.example"), false),
                field("mirror", FieldKind::Url, None, false),
                field("from", FieldKind::Text, None, true),
                field("long", FieldKind::Text, None, true),
                field("key", FieldKind::Text, None, true),
                field("way", FieldKind::Choice, None, true),
                field("note", FieldKind::Text, None, false),
            ],
            grants: vec![
                grant("{server}", "{server}"),
                grant("{mirror}", "{mirror}"),
                grant("API.example", "443"),
                grant("more.example", "8443"),
            ],
            credentials: vec![CredentialRequest {
                name: "token".to_owned(),
                kind: "header".to_owned(),
                host: "{server}".to_owned(),
                required: true,
                why: "x".to_owned(),
            }],
            lifetime: Lifetime::PerCall,
            address_is_account: false,
        }
    }

    #[test]
    fn settings_are_made_from_the_schema_and_reach_only_the_test_server() {
        let setup = setup(&manifest(), &Sample::default(), 8025).map_err(|error| error.0).expect("settings");
        let get = |name: &str| setup.config.get(name).map(String::as_str);
        assert_eq!(get("server"), Some("http://127.0.0.1:8025"), "also where the default is another host");
        assert_eq!((get("mirror"), get("note")), (None, None), "optional fields have no value");
        assert_eq!((get("from"), get("way")), (Some("ralph@example.org"), Some("a")));
        assert!(get("long").is_some_and(|text| text.len() >= 40));
        assert_eq!(setup.secrets, ["conformance-secret-key", "Bearer conformance-secret-token"]);
        let reach: Vec<_> = setup.grants.reach.iter().map(|grant| (grant.host.as_str(), grant.port)).collect();
        assert_eq!(reach, [("127.0.0.1", 8025)]);
        assert_eq!(setup.unreached, ["api.example:443", "more.example:8443"]);
        assert!(setup.no_network_reason().contains("does not reach api.example:443, more.example:8443"));
    }

    #[test]
    fn given_settings_override_and_are_checked() {
        let given = |name: &str, value: &str| Sample {
            config: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            address: Some("{url}/ralph".to_owned()),
        };
        let setup_with = |sample: &Sample| setup(&manifest(), sample, 8025).map_err(|error| error.0);
        let setup = setup_with(&given("mirror", "http://{host}:{port}/x")).expect("settings");
        assert_eq!(setup.config["mirror"], "http://127.0.0.1:8025/x");
        assert_eq!(setup.address, "http://127.0.0.1:8025/ralph");
        let error = setup_with(&given("way", "c")).err().expect("no such choice");
        assert!(error.contains("way: none of the choices: a, b"), "{error}");
    }
}
