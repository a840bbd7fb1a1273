//! What a plugin is tried with: settings and grants made from its manifest, and deliveries.

pub mod deliveries;
mod settings;

use std::collections::BTreeMap;

pub use settings::{NoSettings, TestSettings, beyond, setup};

/// What a schema cannot tell about a plugin, given by whoever tries it. Values may name the far side by `{host}`, `{port}`
/// and `{url}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Settings that go over those made from the schema.
    pub config: BTreeMap<String, String>,
    /// Whom to deliver to; the manifest's example unless given.
    pub address: Option<String>,
}
