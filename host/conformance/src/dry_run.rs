//! One call outside of any judgement: what a plugin does with these deliveries, for its author to look at.

use tidings_domain::delivery::Delivery;
use tidings_sandbox::{Admitted, CallReport, LogLevel, Sandbox, StreamAppend};

use crate::far::ServerBehaviour;
use crate::sample::Sample;
use crate::trial::{ConformanceRun, DEADLINE_MS};

/// What came of a call, and what went out.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    pub report: CallReport,
    /// What the far side was sent, by connection.
    pub sent: Vec<Vec<u8>>,
    /// What it wrote to event streams.
    pub entries: Vec<StreamAppend>,
    /// The plugin's log.
    pub log: Vec<(LogLevel, String)>,
    /// What the plugin asks for that it could not reach, as `host:port`: places that are no settings.
    pub unreached: Vec<String>,
}

/// Delivers to a far side on loopback that takes everything, as a channel with this sample's settings would. `deliveries` makes
/// the batch for the address that the settings lead to.
///
/// # Errors
/// Why there are no settings to try the plugin with.
pub async fn rehearse(
    sandbox: &Sandbox,
    admitted: &Admitted,
    sample: &Sample,
    deliveries: impl FnOnce(&str) -> Vec<Delivery>,
) -> Result<Rehearsal, String> {
    let trial = ConformanceRun::new(sandbox, admitted, sample);
    let channel = trial.channel(ServerBehaviour::helpful(), DEADLINE_MS).await.map_err(|refused| refused.0)?;
    let batch = deliveries(&channel.setup.address);
    let report = channel.deliver(&batch).await;
    let (entries, log) = (channel.host.take_entries(), channel.host.take_lines());
    Ok(Rehearsal { report, sent: channel.far.heard(), entries, log, unreached: channel.setup.foreign.clone() })
}
