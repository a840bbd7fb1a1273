//! The settings of access lists, as in the section `[acl]`, and their valid values. The daemon reads files and
//! environment.

use std::path::PathBuf;
use std::time::Duration;

use crate::limits;
use serde::{Deserialize, Deserializer};
use tidings_domain::secret::Secret;
use tidings_tls::TlsError;
use url::Url;

/// How the cache behaves, and where its lists come from. The bounds apply to packages and to groups separately: each
/// has a provider of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AclSettings {
    pub packages: PackageSource,
    pub groups: GroupSource,
    /// How long fetching one list may take, all its requests together.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long a message waits for its lists in all.
    #[serde(with = "humantime_serde")]
    pub wait: Duration,
    /// The age at which a list is refreshed although nothing reported a change.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// The same for the fact that a package or group does not exist.
    #[serde(with = "humantime_serde")]
    pub unknown_age: Duration,
    /// Lists that are fetched from one provider at the same time.
    pub concurrency: usize,
    /// Failures in a row after which a provider gets no requests.
    pub breaker_failures: u32,
    /// How long it gets none before one request tries it again.
    #[serde(with = "humantime_serde")]
    pub breaker_rest: Duration,
    /// Memory for the lists of packages, in bytes.
    pub package_bytes: u64,
    /// Memory for the lists of groups, in bytes.
    pub group_bytes: u64,
}

impl Default for AclSettings {
    fn default() -> Self {
        AclSettings {
            packages: PackageSource::default(),
            groups: GroupSource::default(),
            timeout: limits::ACL_TIMEOUT,
            wait: limits::ACL_WAIT,
            max_age: limits::ACL_MAX_AGE,
            unknown_age: limits::ACL_UNKNOWN_AGE,
            concurrency: limits::ACL_CONCURRENCY,
            breaker_failures: limits::ACL_BREAKER_FAILURES,
            breaker_rest: limits::ACL_BREAKER_REST,
            package_bytes: limits::ACL_PACKAGE_BYTES,
            group_bytes: limits::ACL_GROUP_BYTES,
        }
    }
}

/// Why the settings of a provider are invalid.
#[derive(Debug, thiserror::Error)]
pub enum AclSettingsError {
    #[error("`{0}` is not the address of an HTTP service")]
    Url(Url),
    #[error("`authorization` is not the value of a header")]
    Authorization,
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] TlsError),
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[source] reqwest::Error),
}

impl AclSettings {
    /// The invalid settings, each with its valid values.
    pub fn errors(&self) -> Vec<(&'static str, String)> {
        let mut errors = Vec::new();
        let mut check = |name, valid: bool, requirement: &str| {
            if !valid {
                errors.push((name, requirement.to_owned()));
            }
        };
        check("acl.timeout", !self.timeout.is_zero(), "must be more than 0s");
        check("acl.wait", self.wait >= self.timeout, "must be at least acl.timeout");
        check("acl.max_age", self.max_age >= Duration::from_secs(60), "must be at least 1m");
        check("acl.unknown_age", self.unknown_age >= Duration::from_secs(1), "must be at least 1s");
        check("acl.concurrency", (1..=1000).contains(&self.concurrency), "must be 1 to 1000");
        check("acl.breaker_failures", self.breaker_failures >= 1, "must be at least 1");
        check("acl.breaker_rest", !self.breaker_rest.is_zero(), "must be more than 0s");
        check("acl.package_bytes", self.package_bytes >= 1024 * 1024, "must be at least 1048576");
        check("acl.group_bytes", self.group_bytes >= 1024 * 1024, "must be at least 1048576");
        errors
    }
}

/// Where the holders of packages come from: `[acl.packages]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(tag = "provider", rename_all = "lowercase", deny_unknown_fields)]
pub enum PackageSource {
    /// The table in the daemon's own store.
    #[default]
    Store,
    /// A JSON file in the form of `AclTable`.
    File { path: PathBuf },
    /// The former package database, pkgdb2.
    Pkgdb(ServiceSettings),
    /// Pagure as a dist-git.
    DistGit(DistGitSettings),
}

/// A Pagure that holds packages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistGitSettings {
    /// The site: `https://src.fedoraproject.org`.
    pub url: Url,
    /// The value of the `authorization` header, if the site requires one.
    #[serde(default, deserialize_with = "secret")]
    pub authorization: Option<Secret>,
    /// The namespace that holds the packages.
    #[serde(default = "rpms")]
    pub namespace: String,
}

fn rpms() -> String {
    "rpms".to_owned()
}

/// Where the members of groups come from: `[acl.groups]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(tag = "provider", rename_all = "lowercase", deny_unknown_fields)]
pub enum GroupSource {
    /// The table in the daemon's own store.
    #[default]
    Store,
    /// A JSON file in the form of `AclTable`.
    File { path: PathBuf },
    /// The account system's JSON API, FASJSON.
    FasJson(ServiceSettings),
}

/// How to reach a service over HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// The prefix of the paths of its API: `https://src.fedoraproject.org`.
    pub url: Url,
    /// The value of the `authorization` header, if the service requires one: `Bearer …`, `token …`, `Basic …`.
    #[serde(default, deserialize_with = "secret")]
    pub authorization: Option<Secret>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_settings_are_valid() {
        let text = r#"
            max_age = "12h"
            concurrency = 4
            [packages]
            provider = "distgit"
            url = "https://src.fedoraproject.org"
            [groups]
            provider = "fasjson"
            url = "https://fasjson.fedoraproject.org"
            authorization = "Bearer open-sesame"
        "#;
        let settings: AclSettings = toml::from_str(text).unwrap();
        assert_eq!(settings.max_age, Duration::from_secs(12 * 3600));
        assert_eq!((settings.concurrency, settings.timeout), (4, limits::ACL_TIMEOUT));
        assert!(matches!(&settings.packages, PackageSource::DistGit(site) if site.namespace == "rpms"));
        assert!(matches!(&settings.groups, GroupSource::FasJson(service) if service.authorization.is_some()));
        assert!(!format!("{settings:?}").contains("open-sesame"), "a secret is not shown");
        assert!(settings.errors().is_empty());
    }

    #[test]
    fn invalid_settings_are_refused() {
        for text in [
            "max_agee = \"1h\"",
            "[packages]\nprovider = \"fasjson\"\nurl = \"https://a\"",
            "[packages]\nprovider = \"pkgdb\"",
            "[packages]\nprovider = \"distgit\"\nurl = \"https://a\"\nname_space = \"rpms\"",
            "[packages]\nprovider = \"file\"\npath = \"/a\"\nurl = \"https://a\"",
            "[groups]\nprovider = \"file\"",
            "[groups]\nprovider = \"fasjson\"\nurl = \"not a url\"",
        ] {
            assert!(toml::from_str::<AclSettings>(text).is_err(), "{text}");
        }
        let settings = AclSettings { wait: Duration::from_secs(1), concurrency: 0, ..AclSettings::default() };
        let names: Vec<_> = settings.errors().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["acl.wait", "acl.concurrency"]);
    }
}
