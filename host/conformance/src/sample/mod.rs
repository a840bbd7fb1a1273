//! The inputs of a run: settings and grants made from the plugin's manifest, and deliveries.

pub mod deliveries;
mod settings;

use std::collections::BTreeMap;

pub use settings::{SettingsError, TestSettings, setup, unreached_text};

/// What the schema does not determine, given by the user. In values, `{host}`, `{port}` and `{url}` stand for the
/// server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Settings that override those made from the schema.
    pub config: BTreeMap<String, String>,
    /// The address to deliver to; the manifest's example unless given.
    pub address: Option<String>,
}
