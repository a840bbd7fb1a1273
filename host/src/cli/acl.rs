//! Access lists from the command line: what matching is told of a package or group, the table in the store, a fresh look at
//! a service.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::channel::text;
use super::client::{ApiArgs, Client};
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
    /// Where lists come from, and how that goes
    Status,
    /// Who holds a package, or is in a group, as matching is told
    Show { kind: Kind, name: String },
    /// Ask the service again before the next message about it is matched
    Refresh { kind: Kind, name: String },
    /// Write a JSON file of packages and groups into the table; `-` is standard input
    Load {
        file: PathBuf,
        /// What the file does not have is removed
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
    let client = Client::new(&args.api)?;
    match args.command {
        AclCommand::Status => status(&client.get(&client.api(&["access-lists"])).await?, out),
        AclCommand::Show { kind, name } => {
            Ok(out.json(&client.get(&client.api(&["access-lists", kind.segment(), &name])).await?)?)
        }
        AclCommand::Refresh { kind, name } => {
            let url = client.api(&["access-lists", kind.segment(), &name, "refresh"]);
            client.post(&url, Vec::new()).await.map(drop)
        }
        AclCommand::Load { file, replace } => {
            let table: Value = serde_json::from_reader(input::open(&file)?)
                .with_context(|| format!("{} is not JSON", file.display()))?;
            let url = client.api(&["access-lists"]);
            let written = match replace {
                true => client.put(&url, &table).await?,
                false => client.post(&url, serde_json::to_vec(&table)?).await?,
            };
            loaded(&written, out)
        }
    }
}

fn status(overview: &Value, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(overview)?);
    }
    let row = |kind: &str| {
        let source = &overview[kind];
        let figures = ["provider", "in_memory", "being_fetched", "requests", "stale_served", "breaker"];
        let mut row = vec![kind.to_owned()];
        row.extend(figures.map(|figure| text(&source[figure])));
        <[String; 7]>::try_from(row).unwrap_or_default()
    };
    let head = ["lists", "provider", "in memory", "being fetched", "requests", "stale served", "breaker"];
    Ok(out.table(head, &[row("packages"), row("groups")])?)
}

fn loaded(written: &Value, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(written)?);
    }
    for kind in ["packages", "groups"] {
        let effect =
            if written["in_use"][kind] == true { "" } else { "; not in use: the configuration names another provider" };
        out.line(&format!("{} {kind} written{effect}", text(&written[kind])))?;
    }
    Ok(())
}
