//! The options that name the daemon and the token.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tidings_domain::secret::Secret;

/// The daemon and the token to use.
#[derive(Debug, Args)]
pub(in crate::cli) struct ApiArgs {
    /// The URL of the daemon's API
    #[arg(long, global = true, env = "TIDINGS_URL", default_value = "http://127.0.0.1:8900")]
    pub(super) url: String,
    /// A token of the API; other users of this machine can see it in the list of processes
    #[arg(long, global = true, env = "TIDINGS_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file with the token; overrides --token
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// For https: root certificates (PEM) to trust in addition to the system's
    #[arg(long, global = true, env = "TIDINGS_CA_FILE", value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
}

impl ApiArgs {
    pub(super) fn token(&self) -> anyhow::Result<Option<Secret>> {
        let text = match &self.token_file {
            Some(file) => {
                let text = std::fs::read_to_string(file);
                Some(text.with_context(|| format!("cannot read the token from {}", file.display()))?)
            }
            None => self.token.clone(),
        };
        Ok(text.map(|text| Secret::new(text.trim().to_owned())))
    }
}
