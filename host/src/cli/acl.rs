//! Access lists from the command line: the list of a package or group as matching uses it, the table in the store, a refresh
//! from a service.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use tidings_api_types::{AccessListsInfo, AccessListsWritten, ProviderInfo};
use tidings_domain::acl::Holders;

use super::client::{ApiArgs, ApiClient};
use super::input;
use super::output::Output;

#[derive(Debug, Args)]
pub(super) struct AclArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: AclCommand,
}

#[derive(Debug, Subcommand)]
enum AclCommand {
    /// Show the providers of lists and their state
    Status,
    /// Show the holders of a package or the members of a group, as matching uses them
    Show { kind: Kind, name: String },
    /// Fetch the list again before the next message about it is matched
    Refresh { kind: Kind, name: String },
    /// Write a JSON file of packages and groups to the table; `-` is standard input
    Load {
        file: PathBuf,
        /// Remove what the file does not have
        #[arg(long)]
        replace: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Package,
    Group,
}

impl Kind {
    const fn segment(self) -> &'static str {
        match self {
            Kind::Package => "packages",
            Kind::Group => "groups",
        }
    }
}

pub(super) async fn run(args: AclArgs, out: &mut Output) -> anyhow::Result<()> {
    let client = ApiClient::new(&args.api)?;
    match args.command {
        AclCommand::Status => status(&client.get(&client.api(&["access-lists"])?).await?, out),
        AclCommand::Show { kind, name } => {
            let url = client.api(&["access-lists", kind.segment(), &name])?;
            match kind {
                Kind::Package => Ok(out.json(&client.get::<Holders>(&url).await?)?),
                Kind::Group => Ok(out.json(&client.get::<BTreeSet<String>>(&url).await?)?),
            }
        }
        AclCommand::Refresh { kind, name } => {
            client.trigger(&client.api(&["access-lists", kind.segment(), &name, "refresh"])?).await
        }
        AclCommand::Load { file, replace } => {
            // The daemon checks it.
            let table: Value = serde_json::from_reader(input::open(&file)?)
                .with_context(|| format!("{} is not JSON", file.display()))?;
            let url = client.api(&["access-lists"])?;
            let written = match replace {
                true => client.put(&url, &table).await?,
                false => client.post(&url, &table).await?,
            };
            loaded(&written, out)
        }
    }
}

fn status(overview: &AccessListsInfo, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(overview)?);
    }
    let row = |kind: &str, source: &ProviderInfo| {
        let ProviderInfo { provider, in_memory, being_fetched, requests, stale_served, breaker } = source;
        let [in_memory, requests, stale_served] = [in_memory, requests, stale_served].map(u64::to_string);
        let being_fetched = being_fetched.to_string();
        [kind.to_owned(), provider.clone(), in_memory, being_fetched, requests, stale_served, breaker.clone()]
    };
    let head = ["lists", "provider", "in memory", "being fetched", "requests", "stale served", "breaker"];
    Ok(out.table(head, &[row("packages", &overview.packages), row("groups", &overview.groups)])?)
}

fn loaded(written: &AccessListsWritten, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(written)?);
    }
    let in_use = written.in_use;
    for (kind, count, used) in
        [("packages", written.packages, in_use.packages), ("groups", written.groups, in_use.groups)]
    {
        let effect = if used { "" } else { "; not in use: the configuration names another provider" };
        out.line(&format!("{count} {kind} written{effect}"))?;
    }
    Ok(())
}
