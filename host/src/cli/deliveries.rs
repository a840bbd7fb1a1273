//! Deliveries from the command line: their list, retries of dead ones, and their counts.

use clap::{Args, Subcommand, ValueEnum};
use tidings_api_types::{BooksInfo, DeliveryInfo, ListPage, RetryRequest, RetryResult};

use super::client::{ApiArgs, ApiClient};
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
    /// List deliveries, newest first
    List {
        #[arg(long)]
        state: Option<StateArg>,
        #[arg(long)]
        channel: Option<String>,
        #[arg(long)]
        user: Option<String>,
        /// Continue after this cursor: the `next` of the previous page
        #[arg(long, value_name = "CURSOR")]
        after: Option<String>,
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Retry dead deliveries
    Retry(RetryArgs),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct RetryArgs {
    /// Retry all dead deliveries of one channel
    #[arg(long)]
    channel: Option<String>,
    /// Retry the delivery with this id
    #[arg(long)]
    id: Option<String>,
    /// Retry all dead deliveries of all channels
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

pub(super) async fn run(args: DeliveriesArgs, out: &mut Output) -> anyhow::Result<()> {
    let client = ApiClient::new(&args.api)?;
    match args.command {
        DeliveriesCommand::List { state, channel, user, after, limit } => {
            let mut url = client.api(&["deliveries"])?;
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
            let url = client.api(&["deliveries", "retry"])?;
            let result: RetryResult = client.post(&url, &RetryRequest { channel, id }).await?;
            if out.is_json() {
                return Ok(out.json(&result)?);
            }
            Ok(out.line(&format!("{} deliveries will be tried again", result.retried))?)
        }
    }
}

fn list(deliveries: &ListPage<DeliveryInfo>, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(deliveries)?);
    }
    let row = |row: &DeliveryInfo| {
        let DeliveryInfo { id, state, updated_at, channel, address, subtitle, note, .. } = row.clone();
        [id, state.as_str().to_owned(), time(updated_at), channel, address, subtitle, note.unwrap_or_default()]
    };
    let rows: Vec<_> = deliveries.data.iter().map(row).collect();
    out.table(["id", "state", "since", "channel", "address", "what", "note"], &rows)?;
    match &deliveries.next {
        Some(next) => Ok(out.line(&format!("more: --after {next}"))?),
        None => Ok(()),
    }
}

pub(super) async fn books(client: &ApiClient, out: &mut Output) -> anyhow::Result<()> {
    let books: ListPage<BooksInfo> = client.get(&client.api(&["books"])?).await?;
    if out.is_json() {
        return Ok(out.json(&books)?);
    }
    let rows = books.data.into_iter().map(|books| {
        let BooksInfo { channel, accepted, delivered, dead, cancelled, pending } = books;
        let [accepted, delivered, dead, cancelled, pending] =
            [accepted, delivered, dead, cancelled, pending].map(|n| n.to_string());
        [channel, accepted, delivered, dead, cancelled, pending]
    });
    let heads = ["channel", "accepted", "delivered", "dead", "cancelled", "pending"];
    Ok(out.table(heads, &rows.collect::<Vec<_>>())?)
}
