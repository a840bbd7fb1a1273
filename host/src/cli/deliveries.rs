//! Deliveries from the command line: what is queued, what is dead and why, another chance for it, and the books.

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};
use tidings_domain::time::Timestamp;

use super::channel::text;
use super::client::{ApiArgs, Client};
use super::output::{Output, time};

#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: DeliveriesCommand,
}

#[derive(Debug, Subcommand)]
enum DeliveriesCommand {
    /// The newest deliveries
    List {
        #[arg(long)]
        state: Option<StateArg>,
        #[arg(long)]
        channel: Option<String>,
        #[arg(long)]
        user: Option<String>,
        /// Continue behind the delivery with this id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Try dead deliveries again
    Retry(RetryArgs),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct RetryArgs {
    /// All of one channel
    #[arg(long)]
    channel: Option<String>,
    /// This one
    #[arg(long)]
    id: Option<String>,
    /// Those of every channel
    #[arg(long, conflicts_with_all = ["channel", "id"])]
    all: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateArg {
    Pending,
    Delivered,
    Dead,
    Cancelled,
}

/// The books of one channel, as the API writes them.
#[derive(Debug, Deserialize)]
struct Books {
    accepted: u64,
    delivered: u64,
    dead: u64,
    cancelled: u64,
    pending: u64,
}

pub(super) async fn run(args: DeliveriesArgs, out: &mut Output) -> anyhow::Result<()> {
    let client = Client::new(&args.api)?;
    match args.command {
        DeliveriesCommand::List { state, channel, user, after, limit } => {
            let mut url = client.api(&["deliveries"]);
            let state = state.and_then(|state| state.to_possible_value()).map(|value| value.get_name().to_owned());
            let limit = limit.map(|limit| limit.to_string());
            for (name, value) in
                [("state", state), ("channel", channel), ("user", user), ("after", after), ("limit", limit)]
            {
                if let Some(value) = value {
                    url.query_pairs_mut().append_pair(name, &value);
                }
            }
            list(&client.get(&url).await?, out)
        }
        DeliveriesCommand::Retry(RetryArgs { channel, id, .. }) => {
            let body = json!({ "channel": channel, "id": id }).to_string();
            let answer = client.post(&client.api(&["deliveries", "retry"]), body).await?;
            if out.is_json() {
                return Ok(out.json(&answer)?);
            }
            Ok(out.line(&format!("{} deliveries will be tried again", text(&answer["retried"])))?)
        }
    }
}

fn list(deliveries: &Value, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(deliveries)?);
    }
    let at = |value: &Value| value.as_u64().map_or_else(String::new, |millis| time(Timestamp::from_millis(millis)));
    let rows = deliveries.as_array().into_iter().flatten().map(|row| {
        let [id, state, channel, address, subtitle, note] =
            ["id", "state", "channel", "address", "subtitle", "note"].map(|key| text(&row[key]));
        [id, state, at(&row["updated_at"]), channel, address, subtitle, note]
    });
    let heads = ["id", "state", "since", "channel", "address", "what", "note"];
    Ok(out.table(heads, &rows.collect::<Vec<_>>())?)
}

pub(super) async fn books(client: &Client, out: &mut Output) -> anyhow::Result<()> {
    let answer = client.get(&client.api(&["books"])).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let books: BTreeMap<String, Books> = serde_json::from_value(answer)?;
    let rows = books.into_iter().map(|(channel, books)| {
        let Books { accepted, delivered, dead, cancelled, pending } = books;
        let [accepted, delivered, dead, cancelled, pending] =
            [accepted, delivered, dead, cancelled, pending].map(|n| n.to_string());
        [channel, accepted, delivered, dead, cancelled, pending]
    });
    let heads = ["channel", "accepted", "delivered", "dead", "cancelled", "pending"];
    Ok(out.table(heads, &rows.collect::<Vec<_>>())?)
}
