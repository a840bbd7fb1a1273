//! The versions of a channel as administrators see them.

use tidings_domain::plugin_life::VersionState;
use tidings_domain::time::Timestamp;
use tidings_store::{ChannelVersion, ComponentInfo};

use super::{ChannelError, Channels};
use crate::telemetry::{VersionLabel, VersionStats};

/// A version that the channel has or had.
#[derive(Clone, Debug)]
pub struct VersionView {
    /// SHA-256 of its component.
    pub component: String,
    /// As its manifest says; none where the component is not kept any more.
    pub version: Option<String>,
    pub state: VersionState,
    /// When it got into that state.
    pub since: Timestamp,
    /// What it did since the daemon started; none where the component is not kept any more.
    pub stats: Option<VersionStats>,
}

impl Channels {
    /// All versions that the channel has or had.
    pub async fn versions(&self, name: &str) -> Result<Vec<VersionView>, ChannelError> {
        let environment = self.environment();
        environment.store.channel(name).await?;
        let components = environment.store.components().await?;
        let versions = environment.store.channel_versions(name).await?.into_iter();
        let view = |version: ChannelVersion| {
            let info = components.iter().find(|info| info.digest == version.component);
            let label = |info: &ComponentInfo| VersionLabel::new(name, &info.manifest, &info.digest);
            VersionView {
                version: info.map(|info| info.manifest.version.clone()),
                stats: info.map(|info| environment.metrics.versions.stats(&label(info))),
                component: version.component,
                state: version.state,
                since: version.since,
            }
        };
        Ok(versions.map(view).collect())
    }
}
