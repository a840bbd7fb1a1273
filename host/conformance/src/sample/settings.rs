//! From a manifest to a channel's settings: a value for each field that needs one, the grants that the manifest asks for,
//! for the far side on loopback and nothing else.

use std::collections::BTreeMap;

use tidings_domain::credential::{Credential, CredentialKind};
use tidings_domain::grant::{Grant, Grants};
use tidings_domain::manifest::{Capability, CredentialRequest, Field, FieldKind, Manifest};
use tidings_domain::secret::Secret;

use super::Sample;

/// The far side's host.
const HOST: &str = "127.0.0.1";

/// A channel's settings for a trial.
#[derive(Clone)]
pub struct TestSettings {
    /// Checked, defaults applied.
    pub config: BTreeMap<String, String>,
    pub grants: Grants,
    pub address: String,
    /// Values that must appear in no log line and no outcome.
    pub secrets: Vec<String>,
    /// What the manifest, or the address, asks for that is not the far side, as `host:port`. None of it was granted.
    pub foreign: Vec<String>,
}

impl TestSettings {
    /// Why nothing can be tried on the network.
    pub fn out_of_reach(&self) -> String {
        if self.foreign.is_empty() { "it asks for no network".to_owned() } else { beyond(&self.foreign) }
    }
}

/// That a trial does not reach these places, and what to do about it.
pub fn beyond(places: &[String]) -> String {
    format!("a trial does not reach {}, only what is a setting: make the host one", places.join(", "))
}

/// Why there are no settings to try the plugin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSettings(pub String);

/// The settings for a far side on this port of loopback.
pub fn setup(manifest: &Manifest, sample: &Sample, port: u16) -> Result<TestSettings, NoSettings> {
    let far = |text: &str| {
        let url = format!("http://{HOST}:{port}");
        text.replace("{host}", HOST).replace("{port}", &port.to_string()).replace("{url}", &url)
    };
    let mut given: BTreeMap<String, String> =
        sample.config.iter().map(|(name, value)| (name.clone(), far(value))).collect();
    let mut secrets = Vec::new();
    for field in &manifest.config {
        if !given.contains_key(&field.name)
            && let Some(value) = value(field, manifest).map(|value| far(&value))
        {
            given.insert(field.name.clone(), value);
        }
        secrets.extend(given.get(&field.name).filter(|value| field.secret && value.len() >= 8).cloned());
    }
    let config = manifest.configure(&given).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        NoSettings(format!("no settings to try it with ({}); give them", errors.join("; ")))
    })?;
    let address = sample.address.as_deref().map_or_else(|| manifest.address_example.clone(), far);
    let (reach, foreign) = reach(manifest, &config, &address);
    let credentials: Vec<_> =
        manifest.credentials.iter().filter_map(|request| credential(request, manifest, &config)).collect();
    secrets.extend(credentials.iter().map(|credential| credential.value.expose().to_owned()));
    Ok(TestSettings { config, grants: Grants { reach, credentials }, address, secrets, foreign })
}

/// What the field is to be; none where its default, or nothing, will do. A place that the plugin asks to reach is always
/// the far side, also where its default is somewhere else.
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

/// A secret is one that can be found again; of other texts, an address is what is asked for most often.
fn text(field: &Field, manifest: &Manifest) -> String {
    let secret = format!("conformance-secret-{}", field.name);
    let long = "sample".repeat(usize::try_from(field.min.unwrap_or(1)).unwrap_or(1).div_ceil(6).clamp(1, 1000));
    let candidates = if field.secret { [secret, long] } else { [manifest.address_example.clone(), long] };
    let mut candidates = candidates.into_iter();
    candidates.find(|text| field.accept(text).is_ok()).unwrap_or_else(|| "s".to_owned())
}

/// What is asked for and is on loopback, with what only an administrator may add; and what was left out.
fn reach(manifest: &Manifest, config: &BTreeMap<String, String>, address: &str) -> (Vec<Grant>, Vec<String>) {
    // A request whose setting has no value asks for nothing.
    let asked = manifest.grants.iter().filter_map(|request| request.resolve(config).ok());
    // Hosts of web addresses cannot be asked for: an administrator grants them.
    let of_address = url::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let of_address = of_address.and_then(|url| {
        let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        Some(Grant { capability: Capability::Http, host, port, private: false, plain_http: false })
    });
    let (near, foreign): (Vec<Grant>, Vec<Grant>) = asked.chain(of_address).partition(|grant| grant.host == HOST);
    let reach = near.into_iter().map(|grant| Grant { private: true, plain_http: true, ..grant }).collect();
    let place = |grant: &Grant| format!("{}:{}", grant.host.to_ascii_lowercase(), grant.port);
    (reach, foreign.iter().map(place).collect())
}

/// A header with a value that can be found again. Of other kinds nothing can be made up that would be accepted.
fn credential(
    request: &CredentialRequest,
    manifest: &Manifest,
    config: &BTreeMap<String, String>,
) -> Option<Credential> {
    let named = request.host.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let field = named.and_then(|name| manifest.config.iter().find(|field| field.name == name));
    let host = named.map_or(Some(&request.host), |name| config.get(name))?;
    let near = host == HOST || field.is_some_and(|field| field.kind == FieldKind::Url) && host.contains(HOST);
    (request.kind == "header" && near).then(|| Credential {
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
    fn settings_are_made_of_the_schema_and_lead_to_the_far_side_only() {
        let setup = setup(&manifest(), &Sample::default(), 8025).map_err(|refused| refused.0).expect("settings");
        let get = |name: &str| setup.config.get(name).map(String::as_str);
        assert_eq!(get("server"), Some("http://127.0.0.1:8025"), "also where the default is on the Internet");
        assert_eq!((get("mirror"), get("note")), (None, None), "what is optional stays away");
        assert_eq!((get("from"), get("way")), (Some("ralph@example.org"), Some("a")));
        assert!(get("long").is_some_and(|text| text.len() >= 40));
        assert_eq!(setup.secrets, ["conformance-secret-key", "Bearer conformance-secret-token"]);
        let reach: Vec<_> = setup.grants.reach.iter().map(|grant| (grant.host.as_str(), grant.port)).collect();
        assert_eq!(reach, [("127.0.0.1", 8025)]);
        assert_eq!(setup.foreign, ["api.example:443", "more.example:8443"]);
        assert!(setup.out_of_reach().contains("does not reach api.example:443, more.example:8443"));
    }

    #[test]
    fn what_is_given_goes_first_and_is_checked() {
        let given = |name: &str, value: &str| Sample {
            config: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            address: Some("{url}/ralph".to_owned()),
        };
        let setup_with = |sample: &Sample| setup(&manifest(), sample, 8025).map_err(|refused| refused.0);
        let setup = setup_with(&given("mirror", "http://{host}:{port}/x")).expect("settings");
        assert_eq!(setup.config["mirror"], "http://127.0.0.1:8025/x");
        assert_eq!(setup.address, "http://127.0.0.1:8025/ralph");
        let refused = setup_with(&given("way", "c")).err().expect("no such choice");
        assert!(refused.contains("way: none of the choices: a, b"), "{refused}");
    }
}
