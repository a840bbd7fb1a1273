//! What the daemon is doing, on one screen.

use serde_json::Value;

use super::channel::text;
use super::client::Client;
use super::output::Output;

pub(super) async fn run(client: &Client, out: &mut Output) -> anyhow::Result<()> {
    let status = client.get(&client.api(&["status"])).await?;
    if out.is_json() {
        return Ok(out.json(&status)?);
    }
    out.line(&format!("tidings {}", text(&status["version"])))?;
    let list = |key: &str| status[key].as_array().cloned().unwrap_or_default();
    let endpoint =
        |one: &Value| ["name", "state", "messages", "missing", "reconnects", "trouble"].map(|key| text(&one[key]));
    let rows: Vec<_> = list("bus").iter().map(endpoint).collect();
    out.table(["bus", "state", "messages", "missing", "reconnects", "last trouble"], &rows)?;
    let mut rows = Vec::new();
    for (name, count) in status["messages"].as_object().into_iter().flatten() {
        match count.as_object() {
            Some(reasons) => {
                rows.extend(reasons.iter().map(|(reason, count)| [format!("{name}: {reason}"), text(count)]));
            }
            None => rows.push([name.clone(), text(count)]),
        }
    }
    out.table(["messages", "count"], &rows)?;
    let channel = |one: &Value| ["name", "state", "reason"].map(|key| text(&one[key]));
    let rows: Vec<_> = list("channels").iter().map(channel).collect();
    Ok(out.table(["channel", "state", "reason"], &rows)?)
}
