//! The settings: one TOML file, with environment variables over it. Everything that can be wrong with them is found
//! here, before a port is bound or a file is made; all mistakes are reported at once.
//!
//! A variable `TIDINGS__API__LISTEN` sets `api.listen`. Its value is read as TOML where it is that, else as text.

mod dispatch;
pub(crate) mod limits;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tidings_store::KeyFile;

use crate::fetch::{FetchPolicy, InstallConfig};
use crate::trust::{Trust, TrustConfig};

pub use dispatch::DispatchConfig;

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: {detail}")]
    Invalid { path: PathBuf, detail: String },
    #[error("{path}:\n{}", .mistakes.iter().map(|m| format!("  {m}")).collect::<Vec<_>>().join("\n"))]
    Mistakes { path: PathBuf, mistakes: Vec<String> },
}

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the database, the lock and the compiled plugins live. Made at start, readable by its owner alone.
    pub data_dir: DataDir,
    pub store: StoreConfig,
    pub api: ApiConfig,
    pub bus: BusConfig,
    pub catalogue: CatalogueConfig,
    pub acl: tidings_acl::AclSettings,
    pub dispatch: DispatchConfig,
    pub sandbox: SandboxConfig,
    pub tls: TlsConfig,
    pub trust: TrustConfig,
    pub install: InstallConfig,
    pub links: LinksConfig,
    pub retention: RetentionConfig,
    pub log: LogConfig,
}

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

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The key of channels' secrets. Without it, systemd's credential `tidings.key` where there is one, else `secrets.key`
    /// in the data directory, which is made at the first start.
    pub key_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    pub listen: SocketAddr,
    /// Where users reach this server, for links in notifications; without it there are no unsubscribe links.
    pub public_url: Option<String>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        ApiConfig { listen: SocketAddr::from(([127, 0, 0, 1], 8900)), public_url: None }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusConfig {
    /// What comes before the environment in a topic.
    pub topic_prefix: String,
    pub environment: String,
    /// Messages older than this are refused as stale; without it age does not matter.
    #[serde(with = "humantime_serde")]
    pub max_message_age: Option<Duration>,
    pub zeromq: Vec<ZeromqConfig>,
    pub publish: Option<PublishConfig>,
}

impl Default for BusConfig {
    fn default() -> Self {
        BusConfig {
            topic_prefix: "org.fedoraproject".into(),
            environment: "prod".into(),
            max_message_age: None,
            zeromq: Vec::new(),
            publish: None,
        }
    }
}

/// Publishers to subscribe to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeromqConfig {
    /// `tcp://host:port`.
    pub endpoints: Vec<String>,
    /// Topic prefixes; `""` is all.
    #[serde(default = "all_topics")]
    pub topics: Vec<String>,
    /// A silence after which the connection is made anew: the protocol library cannot tell a quiet publisher from a dead
    /// line.
    #[serde(default = "idle_timeout", with = "humantime_serde")]
    pub idle_timeout: Duration,
}

fn all_topics() -> Vec<String> {
    vec![String::new()]
}

const fn idle_timeout() -> Duration {
    Duration::from_secs(300)
}

/// Where changes that users make are announced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishConfig {
    /// `tcp://host:port` of the PUB socket.
    pub bind: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogueConfig {
    /// A directory of application files, beside those in the program; one of the same name takes its place.
    pub dir: Option<PathBuf>,
    /// A JSON object: nick or mail address to account name.
    pub aliases: Option<PathBuf>,
}

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

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinksConfig {
    /// Where a user edits a filter; `{user}`, `{channel}` and `{filter}` are replaced.
    pub settings: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// How long a message is remembered after it came, so that a repetition is recognised.
    #[serde(with = "humantime_serde")]
    pub messages: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        RetentionConfig { messages: limits::RETENTION }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,tidings_sandbox=debug`.
    pub level: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Config {
    /// Reads the file and the environment's `TIDINGS__…` variables over it, and checks everything that needs no
    /// network.
    pub fn load(path: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let invalid = |detail: String| ConfigError::Invalid { path: path.to_owned(), detail };
        // First on its own: only then does a mistake in the file have a line.
        let config: Config = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        let overrides: Vec<(String, String)> =
            environment.filter_map(|(name, value)| Some((name.strip_prefix("TIDINGS__")?.to_owned(), value))).collect();
        let config = if overrides.is_empty() {
            config
        } else {
            let mut table: toml::Table = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
            for (name, value) in &overrides {
                set(&mut table, name, value).map_err(|detail| invalid(format!("TIDINGS__{name}: {detail}")))?;
            }
            table.try_into().map_err(|error: toml::de::Error| invalid(format!("with the environment: {error}")))?
        };
        let mistakes = config.mistakes();
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::Mistakes { path: path.to_owned(), mistakes }) }
    }

    /// Where the key of channels' secrets is.
    pub fn key_file(&self) -> KeyFile {
        let credential = || {
            let file = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join("tidings.key");
            file.is_file().then_some(file)
        };
        self.store.key_file.clone().or_else(credential).map_or(KeyFile::Beside, KeyFile::At)
    }

    /// What no type can rule out.
    fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut check = |good: bool, mistake: &str| {
            if !good {
                mistakes.push(mistake.to_owned());
            }
        };
        let most = tidings_sandbox::limits::SANDBOX_INSTANCES_MAX;
        let instances = self.sandbox.max_instances;
        check((2..=most).contains(&instances), &format!("sandbox.max_instances must be 2 to {most}"));
        check(is_word_path(&self.bus.topic_prefix), "bus.topic_prefix must be words joined by dots");
        check(is_word_path(&self.bus.environment), "bus.environment must be a word");
        if let Some(url) = &self.api.public_url {
            check(
                url.starts_with("https://") || url.starts_with("http://"),
                "api.public_url must begin with https:// or http://",
            );
        }
        for (file, name) in [
            (&self.catalogue.aliases, "catalogue.aliases"),
            (&self.tls.ca_file, "tls.ca_file"),
            (&self.store.key_file, "store.key_file"),
        ] {
            if let Some(file) = file {
                check(file.is_file(), &format!("{name}: {} is not a file", file.display()));
            }
        }
        if let Some(dir) = &self.catalogue.dir {
            check(dir.is_dir(), &format!("catalogue.dir: {} is not a directory", dir.display()));
        }
        for source in &self.bus.zeromq {
            check(!source.endpoints.is_empty(), "bus.zeromq.endpoints must not be empty");
            check(!source.topics.is_empty(), "bus.zeromq.topics must not be empty; [\"\"] is all topics");
            check(source.idle_timeout >= Duration::from_secs(1), "bus.zeromq.idle_timeout must be at least 1s");
            for endpoint in &source.endpoints {
                check(is_endpoint(endpoint), &format!("bus.zeromq.endpoints: {endpoint} is not tcp://host:port"));
            }
        }
        if let Some(publish) = &self.bus.publish {
            check(is_endpoint(&publish.bind), &format!("bus.publish.bind: {} is not tcp://host:port", publish.bind));
        }
        mistakes.extend(self.dispatch.mistakes(instances).into_iter().map(str::to_owned));
        mistakes.extend(Trust::new(&self.trust).err());
        mistakes.extend(FetchPolicy::new(&self.install).err());
        mistakes.extend(self.acl.errors().into_iter().map(|(setting, what)| format!("{setting} {what}")));
        mistakes
    }
}

fn is_word_path(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    text.split('.').all(word)
}

fn is_endpoint(text: &str) -> bool {
    text.strip_prefix("tcp://")
        .and_then(|rest| rest.rsplit_once(':'))
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Sets `API__LISTEN` in the table `api`, key `listen`.
fn set(table: &mut toml::Table, name: &str, value: &str) -> Result<(), String> {
    let keys: Vec<String> = name.split("__").map(str::to_lowercase).collect();
    let Some((last, path)) = keys.split_last() else { return Err("names no setting".into()) };
    let mut table = table;
    for key in path {
        table = table
            .entry(key.clone())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| format!("{key} is not a section"))?;
    }
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok().and_then(|mut t| t.remove("value"));
    table.insert(last.clone(), parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())));
    Ok(())
}

#[cfg(test)]
mod tests;
