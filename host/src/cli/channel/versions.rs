//! Versions of a channel's plugin from the command line: upgrade, rollback, quarantine, failure policy, history, log.

mod log;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use tidings_api_types::{ListPage, UpgradeRequest, VersionInfo};
use tidings_domain::plugin_life::{CanaryPlan, ChannelEvent, FailurePolicy};

use super::settings::assignments;
use super::show::show;
use crate::cli::client::ApiClient;
use crate::cli::component::{SourceArgs, fetch, review};
use crate::cli::output::{Output, time};

#[derive(Debug, Subcommand)]
pub(super) enum VersionCommand {
    /// Try another version of the plugin on a share of the deliveries; it is promoted or rolled back by itself
    Upgrade {
        name: String,
        #[command(flatten)]
        source: SourceArgs,
        /// Its share of the calls during the trial
        #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "now")]
        canary: Option<u8>,
        /// Activate it at once, without a trial; it is rolled back if it crashes
        #[arg(long)]
        now: bool,
        /// Do not run the contract's test cases first
        #[arg(long)]
        unproven: bool,
        /// Configuration values that the new version needs, as in `configure`
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// End a trial, or return to the previous version
    Rollback { name: String },
    /// List the versions that the channel has or had
    Versions { name: String },
    /// End a quarantine
    Release { name: String },
    /// Set the policy for deliveries that the channel keeps waiting
    Policy {
        name: String,
        #[command(subcommand)]
        policy: PolicyCommand,
    },
    /// List the channel's history, newest first
    Events { name: String },
    /// Print the last lines of the plugin's log
    Logs {
        name: String,
        /// Continue with new lines until interrupted
        #[arg(long)]
        follow: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Deliveries wait, up to the general limit
    Hold,
    /// Older deliveries are given up
    DropAfter {
        #[arg(value_name = "AGE", value_parser = humantime::parse_duration)]
        age: Duration,
    },
    /// Older deliveries, and all of a quarantined channel, go by another channel
    FallBack {
        channel: String,
        #[arg(long, value_name = "AGE", default_value = "10m", value_parser = humantime::parse_duration)]
        after: Duration,
    },
}

pub(super) async fn run(client: &ApiClient, command: VersionCommand, out: &mut Output) -> anyhow::Result<()> {
    let url = |name: &str, word: &str| client.api(&["channels", name, word]);
    match command {
        VersionCommand::Upgrade { name, source, canary, now, unproven, set } => {
            let config = assignments(&set)?;
            let component = fetch(client, &source).await?;
            if !out.is_json() {
                review(&component, out)?;
            }
            let canary = canary.map(|share_percent| CanaryPlan { share_percent, ..CanaryPlan::default() });
            let request = UpgradeRequest { component: component.digest, now, canary, config, unproven };
            show(&client.post(&url(&name, "upgrade")?, &request).await?, out)
        }
        VersionCommand::Rollback { name } => show(&client.post_empty(&url(&name, "rollback")?).await?, out),
        VersionCommand::Release { name } => show(&client.post_empty(&url(&name, "release")?).await?, out),
        VersionCommand::Policy { name, policy } => {
            show(&client.put(&url(&name, "policy")?, &failure_policy(policy)).await?, out)
        }
        VersionCommand::Versions { name } => versions(&client.get(&url(&name, "versions")?).await?, out),
        VersionCommand::Events { name } => events(&client.get(&url(&name, "events")?).await?, out),
        VersionCommand::Logs { name, follow } => log::print(client, &name, follow, out).await,
    }
}

fn failure_policy(policy: PolicyCommand) -> FailurePolicy {
    match policy {
        PolicyCommand::Hold => FailurePolicy::Hold,
        PolicyCommand::DropAfter { age } => FailurePolicy::DropAfter { after_seconds: age.as_secs() },
        PolicyCommand::FallBack { channel, after } => {
            FailurePolicy::FallBack { channel, after_seconds: after.as_secs() }
        }
    }
}

/// `10%` or `10`.
fn percent(word: &str) -> anyhow::Result<u8> {
    let number: u8 = word.trim_end_matches('%').parse().context("not a percentage")?;
    ensure!((1..=100).contains(&number), "not 1 to 100 percent");
    Ok(number)
}

fn versions(versions: &ListPage<VersionInfo>, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(versions)?);
    }
    let row = |row: &VersionInfo| {
        let version = row.version.clone().unwrap_or_default();
        [row.state.as_str().to_owned(), version, short(&row.component), time(row.since)]
    };
    let rows: Vec<_> = versions.data.iter().map(row).collect();
    Ok(out.table(["state", "version", "component", "since"], &rows)?)
}

fn events(events: &ListPage<ChannelEvent>, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(events)?);
    }
    let row =
        |row: &ChannelEvent| [time(row.at), row.event.as_str().to_owned(), short(&row.component), row.detail.clone()];
    let rows: Vec<_> = events.data.iter().map(row).collect();
    Ok(out.table(["at", "event", "component", "detail"], &rows)?)
}

/// A digest, as short as digests can be told apart.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
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
}
