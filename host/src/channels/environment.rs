//! What channels are run with: the parts of the daemon that their actors use.

use std::sync::Arc;

use tidings_sandbox::Sandbox;
use tidings_store::Store;

use super::host::PluginHost;
use crate::dispatch::{DispatchSettings, Wakers};
use crate::link_signer::LinkSigner;
use crate::matching_state::MatchingState;
use crate::telemetry::Metrics;
use crate::trust::Trust;

/// What every channel has in common.
pub struct Environment {
    pub store: Arc<dyn Store>,
    pub sandbox: Sandbox,
    pub trust: Arc<Trust>,
    pub host: Arc<PluginHost>,
    pub links: Arc<LinkSigner>,
    pub matching: Arc<MatchingState>,
    pub wakers: Arc<Wakers>,
    pub metrics: Arc<Metrics>,
    pub dispatch: DispatchSettings,
}
