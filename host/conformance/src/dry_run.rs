//! One call without judgement: what a plugin does with these deliveries, for its author to inspect.

use tidings_domain::delivery::Delivery;
use tidings_sandbox::{Admitted, CallReport, LogLevel, Sandbox, StreamAppend};

use crate::remote_server::ServerBehaviour;
use crate::run::{ConformanceRun, DEADLINE_MS};
use crate::sample::Sample;

/// The report of a call, and what the plugin sent.
#[derive(Clone, Debug)]
pub struct DryRun {
    pub report: CallReport,
    /// The bytes sent to the server, by connection.
    pub sent: Vec<Vec<u8>>,
    /// The entries of event streams.
    pub entries: Vec<StreamAppend>,
    /// The plugin's log.
    pub log: Vec<(LogLevel, String)>,
    /// What the plugin asks to reach that is not available, as `host:port`: hosts that are not settings.
    pub unreached: Vec<String>,
}

/// Delivers to a server on loopback that accepts everything, as a channel with this sample's settings would.
/// `deliveries` makes the batch for the sample's address.
///
/// # Errors
/// No valid settings can be made for the plugin; says why.
pub async fn dry_run(
    sandbox: &Sandbox,
    admitted: &Admitted,
    sample: &Sample,
    deliveries: impl FnOnce(&str) -> Vec<Delivery>,
) -> Result<DryRun, String> {
    let run = ConformanceRun::new(sandbox, admitted, sample);
    let channel = run.channel(ServerBehaviour::accept_all(), DEADLINE_MS).await.map_err(|error| error.0)?;
    let batch = deliveries(&channel.setup.address);
    let report = channel.deliver(&batch).await;
    let (entries, log) = (channel.host.take_entries(), channel.host.take_lines());
    Ok(DryRun { report, sent: channel.server.received(), entries, log, unreached: channel.setup.unreached.clone() })
}
