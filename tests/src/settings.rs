//! The configuration file of the daemon, with the settings that tests change. All other settings keep their defaults.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::port;

/// The content of the TOML file.
#[derive(Clone, Debug, Serialize)]
pub struct DaemonSettings {
    pub data_dir: PathBuf,
    pub api: ApiSection,
    pub bus: BusSection,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl: Option<AclSection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalogue: Option<CatalogueSection>,
    pub dispatch: DispatchSection,
    pub log: LogSection,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSection>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ApiSection {
    /// `address:port`.
    pub listen: String,
    pub public_url: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct BusSection {
    pub topic_prefix: String,
    pub environment: String,
    pub zeromq: Vec<ZeroMqSection>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ZeroMqSection {
    pub endpoints: Vec<String>,
    pub topics: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct AclSection {
    /// A duration such as `20s`; so is `wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    pub packages: AclProviderSection,
    pub groups: AclProviderSection,
}

/// The provider of access lists: `file` with a path, or a service with its URL.
#[derive(Clone, Debug, Serialize)]
pub struct AclProviderSection {
    pub provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl AclSection {
    /// Reads packages and groups from one JSON file.
    pub fn file(path: PathBuf) -> AclSection {
        let provider = AclProviderSection { provider: "file".into(), path: Some(path), url: None };
        AclSection { timeout: None, wait: None, packages: provider.clone(), groups: provider }
    }

    /// Reads packages from pkgdb2, and groups from the store of the daemon.
    pub fn pkgdb(url: &str) -> AclSection {
        let provider = |name: &str, url| AclProviderSection { provider: name.into(), path: None, url };
        let (packages, groups) = (provider("pkgdb", Some(url.to_owned())), provider("store", None));
        AclSection { timeout: None, wait: None, packages, groups }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct CatalogueSection {
    pub aliases: PathBuf,
}

/// Durations have the form `60s` or `200ms`.
#[derive(Clone, Debug, Serialize)]
pub struct DispatchSection {
    pub batch: usize,
    pub window: usize,
    pub backoff_min: String,
    pub backoff_max: String,
    pub max_age: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_grace: Option<String>,
    /// 0 disables the quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine_crashes: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
pub struct LogSection {
    pub format: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct TlsSection {
    /// A PEM file with certificates to trust in addition to those of the system.
    pub ca_file: PathBuf,
}

impl DaemonSettings {
    /// Settings for a daemon with its data below `home`, a free port, these endpoints of the bus, and the sample access
    /// lists. A failed delivery is tried again after at most a second, so that tests do not wait for retries.
    pub fn new(home: &Path, endpoints: &[&str]) -> Result<DaemonSettings> {
        let listen = format!("127.0.0.1:{}", port::free()?);
        let endpoints = endpoints.iter().map(|&endpoint| endpoint.to_owned()).collect();
        Ok(DaemonSettings {
            data_dir: home.join("data"),
            api: ApiSection { public_url: format!("http://{listen}"), listen },
            bus: BusSection {
                topic_prefix: "org.fedoraproject".into(),
                environment: "dev".into(),
                zeromq: vec![ZeroMqSection { endpoints, topics: vec![String::new()] }],
            },
            acl: Some(AclSection::file(crate::paths::sample("acls.json"))),
            catalogue: Some(CatalogueSection { aliases: crate::paths::sample("aliases.json") }),
            dispatch: DispatchSection {
                batch: 10,
                window: 4,
                backoff_min: "1s".into(),
                backoff_max: "1s".into(),
                max_age: "5d".into(),
                stop_grace: None,
                quarantine_crashes: None,
            },
            log: LogSection { format: "text".into() },
            tls: None,
        })
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).context("the configuration as TOML")?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }
}
