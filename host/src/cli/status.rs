//! The state of the daemon, on one screen.

use tidings_api_types::{ChannelStateInfo, ChannelSummary, EndpointInfo, StatusInfo};

use super::client::ApiClient;
use super::output::Output;

pub(super) async fn run(client: &ApiClient, out: &mut Output) -> anyhow::Result<()> {
    let status: StatusInfo = client.get(&client.api(&["status"])?).await?;
    if out.is_json() {
        return Ok(out.json(&status)?);
    }
    out.line(&format!("tidings {}", status.version))?;
    let rows: Vec<_> = status.bus.iter().map(endpoint).collect();
    out.table(["bus", "state", "messages", "missing", "reconnects", "last trouble"], &rows)?;
    out.table(["messages", "count"], &status.messages.rows())?;
    let rows: Vec<_> = status.channels.iter().map(channel).collect();
    Ok(out.table(["channel", "state", "reason"], &rows)?)
}

fn endpoint(endpoint: &EndpointInfo) -> [String; 6] {
    let EndpointInfo { name, state, messages, missing, reconnects, trouble, .. } = endpoint;
    let [messages, missing, reconnects] = [messages, missing, reconnects].map(u64::to_string);
    [name.clone(), state.as_str().to_owned(), messages, missing, reconnects, trouble.clone().unwrap_or_default()]
}

fn channel(channel: &ChannelSummary) -> [String; 3] {
    let (state, reason) = match &channel.state {
        ChannelStateInfo::Disabled => ("disabled", ""),
        ChannelStateInfo::Running => ("running", ""),
        ChannelStateInfo::Resting { reason, .. } => ("resting", reason.as_str()),
        ChannelStateInfo::Quarantined { reason, .. } => ("quarantined", reason.as_str()),
        ChannelStateInfo::Failed { reason } => ("failed", reason.as_str()),
    };
    [channel.name.clone(), state.to_owned(), reason.to_owned()]
}
