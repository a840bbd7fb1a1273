//! The small sections of the configuration. `bus.*` and `dispatch.*` have files of their own; `acl`, `trust` and `install` are
//! declared where they are used.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::api::limits::API_REQUESTS_PER_SECOND;

/// The directory of everything that outlives the process.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct DataDir(pub PathBuf);

impl Default for DataDir {
    fn default() -> Self {
        DataDir(PathBuf::from("/var/lib/tidings"))
    }
}

impl DataDir {
    pub fn database(&self) -> PathBuf {
        self.0.join("tidings.db")
    }

    /// Compiled plugins.
    pub fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }
}

/// Where the key of the store is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The file with the key of channels' secrets. Without it, systemd's credential `tidings.key` where there is one, else `secrets.key`
    /// in the data directory, which is made at the first start.
    pub key_file: Option<PathBuf>,
}

/// The address of the API, as the daemon and as users see it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    pub listen: SocketAddr,
    /// Where users reach this server, for links in notifications; without it there are no unsubscribe links.
    pub public_url: Option<String>,
    /// Requests that one token may make in a second, on average.
    pub requests_per_second: NonZeroU32,
}

impl Default for ApiConfig {
    fn default() -> Self {
        let requests_per_second = NonZeroU32::new(API_REQUESTS_PER_SECOND).unwrap_or(NonZeroU32::MIN);
        ApiConfig { listen: SocketAddr::from(([127, 0, 0, 1], 8900)), public_url: None, requests_per_second }
    }
}

/// The facts of applications, and other names of users.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogueConfig {
    /// A directory of application files. They add to those in the program; one of the same name replaces it.
    pub dir: Option<PathBuf>,
    /// A JSON object: nick or mail address to account name.
    pub aliases: Option<PathBuf>,
}

/// How many plugin instances may live.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxConfig {
    /// Plugin instances alive at the same time, all channels together.
    pub max_instances: u32,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        SandboxConfig { max_instances: tidings_sandbox::limits::SANDBOX_INSTANCES }
    }
}

/// What TLS connections trust.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificates (PEM) that are trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
}

/// Links in notifications.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinksConfig {
    /// Where a user edits a filter; `{user}`, `{channel}` and `{filter}` are replaced.
    pub settings: Option<String>,
}

/// How long data is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// How long a message is remembered after it came, so that a repetition is recognised.
    #[serde(with = "humantime_serde")]
    pub messages: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        RetentionConfig { messages: super::limits::RETENTION }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,tidings_sandbox=debug`.
    pub level: Option<String>,
}

impl LogConfig {
    /// The filter of log lines.
    ///
    /// # Errors
    /// An unknown level. The parser would take such a word for the name of a module, and log nothing else.
    pub fn filter(&self) -> Result<EnvFilter, String> {
        let level = self.level.as_deref().unwrap_or("info");
        let is_level = |word: &str| matches!(word, "off" | "error" | "warn" | "info" | "debug" | "trace");
        let words = level.split(',').map(str::trim).filter(|directive| !directive.contains(['=', '[']));
        for word in words {
            if !is_level(&word.to_lowercase()) {
                return Err(format!("log.level: `{word}` is not off, error, warn, info, debug or trace"));
            }
        }
        EnvFilter::try_new(level).map_err(|error| format!("log.level: {error}"))
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}
