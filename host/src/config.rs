//! The settings: one TOML file, and environment variables that override it. Whatever can be invalid in them is found here,
//! before a port is bound or a file is made; all errors are reported at once.
//!
//! A variable `TIDINGS__API__LISTEN` sets `api.listen`. Its value is parsed as TOML where that is possible, else it is text.

mod bus;
mod check;
mod dispatch;
pub(crate) mod limits;
mod sections;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tidings_store::KeyFile;

use crate::fetch::InstallConfig;
use crate::trust::TrustConfig;

pub use bus::{BusConfig, PublishConfig, ZeromqConfig};
pub use dispatch::DispatchConfig;
pub use sections::{
    ApiConfig, CatalogueConfig, DataDir, LinksConfig, LogConfig, LogFormat, RetentionConfig, SandboxConfig,
    StoreConfig, TlsConfig,
};

/// Why the configuration is invalid.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// The file, or one that it names, cannot be parsed.
    #[error("{path}: {detail}")]
    Invalid { path: PathBuf, detail: String },
    /// A file that the configuration names is invalid; the text names the file.
    #[error("{0}")]
    File(String),
    /// Settings are outside of what is allowed, one line each.
    #[error("{path}:\n{}", .errors.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n"))]
    Settings { path: PathBuf, errors: Vec<String> },
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

impl Config {
    /// Reads the file and the environment's `TIDINGS__…` variables over it, and checks everything that needs no
    /// network.
    pub fn load(path: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let invalid = |detail: String| ConfigError::Invalid { path: path.to_owned(), detail };
        // The file on its own first: only then does an error in it have a line.
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
        let errors = config.errors();
        if errors.is_empty() { Ok(config) } else { Err(ConfigError::Settings { path: path.to_owned(), errors }) }
    }

    /// Where the key of channels' secrets is.
    pub fn key_file(&self) -> KeyFile {
        let credential = || {
            let file = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join("tidings.key");
            file.is_file().then_some(file)
        };
        self.store.key_file.clone().or_else(credential).map_or(KeyFile::Beside, KeyFile::At)
    }
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
