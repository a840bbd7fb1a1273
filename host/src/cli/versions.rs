//! The life of a channel's plugin from the command line: upgrade, way back, quarantine, failure policy, history, log.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use serde_json::{Map, Value, json};
use tidings_domain::time::Timestamp;

use super::channel::{assignment, review, show, text};
use super::client::Client;
use super::component::{SourceArgs, bring};
use super::output::{Output, time};

/// How often `--follow` looks for new lines.
const FOLLOW: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub(super) enum VersionCommand {
    /// Try another version of the plugin on a share of the deliveries; it is promoted or given up by itself
    Upgrade {
        name: String,
        #[command(flatten)]
        source: SourceArgs,
        /// Its share of the calls while it is tried
        #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "now")]
        canary: Option<u8>,
        /// Without a trial: it becomes active at once, and is rolled back where it crashes
        #[arg(long)]
        now: bool,
        /// Do not try it against the contract first
        #[arg(long)]
        unproven: bool,
        /// Configuration values that the new version needs, as in `configure`
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// End a trial, or return to the previous version
    Rollback { name: String },
    /// All versions that the channel has or had
    Versions { name: String },
    /// Let a quarantined channel try again
    Release { name: String },
    /// Say what becomes of deliveries that the channel keeps waiting
    Policy {
        name: String,
        #[command(subcommand)]
        policy: PolicyCommand,
    },
    /// What happened to the channel, newest first
    Events { name: String },
    /// The last lines of its plugin's log
    Logs {
        name: String,
        /// Go on with new lines until interrupted
        #[arg(long)]
        follow: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// They wait, as long as any delivery may
    Hold,
    /// One that is older is given up
    DropAfter {
        #[arg(value_name = "AGE", value_parser = humantime::parse_duration)]
        age: Duration,
    },
    /// One that is older, or any while the channel is quarantined, goes by another channel
    FallBack {
        channel: String,
        #[arg(long, value_name = "AGE", default_value = "10m", value_parser = humantime::parse_duration)]
        after: Duration,
    },
}

pub(super) async fn run(client: &Client, command: VersionCommand, out: &mut Output) -> anyhow::Result<()> {
    let url = |name: &str, word: &str| client.api(&["channels", name, word]);
    match command {
        VersionCommand::Upgrade { name, source, canary, now, unproven, set } => {
            let config = set.iter().map(|pair| assignment(pair)).collect::<anyhow::Result<Map<_, _>>>()?;
            let component = bring(client, &source).await?;
            if !out.is_json() {
                review(&component, out)?;
            }
            let mut body =
                json!({ "component": component["digest"], "now": now, "unproven": unproven, "config": config });
            if let Some(share) = canary {
                body["canary"] = json!({ "share_percent": share });
            }
            show(&client.post(&url(&name, "upgrade"), body.to_string()).await?, out)
        }
        VersionCommand::Rollback { name } => show(&client.post(&url(&name, "rollback"), "").await?, out),
        VersionCommand::Release { name } => show(&client.post(&url(&name, "release"), "").await?, out),
        VersionCommand::Policy { name, policy } => show(&client.put(&url(&name, "policy"), &wire(&policy)).await?, out),
        VersionCommand::Versions { name } => {
            let rows: Value = client.get(&url(&name, "versions")).await?;
            table(&rows, ["state", "version", "component", "since"], out)
        }
        VersionCommand::Events { name } => {
            let rows: Value = client.get(&url(&name, "events")).await?;
            table(&rows, ["at", "event", "component", "detail"], out)
        }
        VersionCommand::Logs { name, follow } => logs(client, &name, follow, out).await,
    }
}

/// The policy as the API takes it.
fn wire(policy: &PolicyCommand) -> Value {
    match policy {
        PolicyCommand::Hold => json!({ "policy": "hold" }),
        PolicyCommand::DropAfter { age } => json!({ "policy": "drop_after", "after_seconds": age.as_secs() }),
        PolicyCommand::FallBack { channel, after } => {
            json!({ "policy": "fall_back", "channel": channel, "after_seconds": after.as_secs() })
        }
    }
}

/// `10%` or `10`.
fn percent(word: &str) -> anyhow::Result<u8> {
    let number: u8 = word.trim_end_matches('%').parse().context("not a percentage")?;
    ensure!((1..=100).contains(&number), "not 1 to 100 percent");
    Ok(number)
}

fn table<const N: usize>(rows: &Value, columns: [&'static str; N], out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(rows)?);
    }
    let rows = rows.as_array().into_iter().flatten().map(|row| columns.map(|column| cell(column, &row[column])));
    Ok(out.table(columns, &rows.collect::<Vec<_>>())?)
}

/// Times as people read them, digests as short as they can be told apart.
fn cell(column: &str, value: &Value) -> String {
    match (column, value.as_u64()) {
        ("at" | "since", Some(millis)) => time(Timestamp::from_millis(millis)),
        ("component", _) => text(value).chars().take(12).collect(),
        _ => text(value),
    }
}

async fn logs(client: &Client, name: &str, follow: bool, out: &mut Output) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let mut url = client.api(&["channels", name, "log"]);
        url.query_pairs_mut().append_pair("after", &after.to_string());
        let lines: Value = client.get(&url).await?;
        for line in lines.as_array().into_iter().flatten() {
            after = line["number"].as_u64().unwrap_or(after);
            if out.is_json() {
                out.json(line)?;
            } else {
                let at = time(Timestamp::from_millis(line["at"].as_u64().unwrap_or_default()));
                let (level, version) = (text(&line["level"]), text(&line["version"]));
                out.line(&format!("{at} {level:7} {version} {}", text(&line["line"])))?;
            }
        }
        if !follow {
            return Ok(());
        }
        out.flush()?;
        tokio::time::sleep(FOLLOW).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages() {
        for (word, expected) in [("10%", Some(10)), ("100", Some(100)), ("0%", None), ("101", None), ("x", None)] {
            assert_eq!(percent(word).ok(), expected, "{word}");
        }
    }

    #[test]
    fn policies_are_written_as_the_api_reads_them() {
        use tidings_domain::plugin_life::FailurePolicy;
        let hour = Duration::from_secs(3600);
        for (given, expected) in [
            (PolicyCommand::Hold, FailurePolicy::Hold),
            (PolicyCommand::DropAfter { age: hour }, FailurePolicy::DropAfter { after_seconds: 3600 }),
            (
                PolicyCommand::FallBack { channel: "irc".into(), after: hour },
                FailurePolicy::FallBack { channel: "irc".into(), after_seconds: 3600 },
            ),
        ] {
            assert_eq!(serde_json::from_value::<FailurePolicy>(wire(&given)).ok(), Some(expected));
        }
    }

    #[test]
    fn times_and_digests_are_shown_for_people() {
        assert_eq!(cell("at", &json!(0)), "1970-01-01T00:00:00Z");
        assert_eq!(cell("component", &json!("0123456789abcdef")), "0123456789ab");
        assert_eq!(cell("detail", &json!("as asked")), "as asked");
    }
}
