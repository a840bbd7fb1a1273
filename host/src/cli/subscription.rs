//! Subscriptions from the command line: list, show, store, confirm, delete.

use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidings_api_types::{
    AskConfirmationRequest, ConfirmationInfo, FieldError, ListPage, StreamInfo, SubscriptionRequest,
};
use tidings_domain::catalogue::Catalogue;
use tidings_domain::subscription::Subscription;
use tidings_store::Mode;

use super::channel;
use super::client::{ApiArgs, ApiClient, RequestRefused};
use super::input;
use super::output::Output;
use crate::api::limits::API_ROWS_MAX;
use crate::api::subscription_errors;
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::static_data::StaticData;

#[derive(Debug, Args)]
pub(super) struct SubscriptionArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: SubscriptionCommand,
}

#[derive(Debug, Subcommand)]
enum SubscriptionCommand {
    /// List a user's subscriptions, or all users'
    List {
        #[arg(long)]
        user: Option<String>,
    },
    /// Show a subscription as JSON
    Show { user: String, channel: String },
    /// Store all subscriptions of a file of JSON Lines; `-` is standard input
    Load { file: PathBuf },
    /// Write all subscriptions of a file of JSON Lines to the database of a daemon that is not running, or none if one is
    /// invalid; `-` is standard input
    Import { file: PathBuf },
    /// Ask the owner of an address to confirm it; the answer yes adds it to the subscription
    Confirm { user: String, channel: String, address: String },
    /// Print the links of a subscription's event streams, for a browser
    Streams { user: String, channel: String },
    /// Delete a subscription
    Delete { user: String, channel: String },
}

pub(super) async fn run(
    args: SubscriptionArgs,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    out: &mut Output,
) -> anyhow::Result<()> {
    let client = || ApiClient::new(&args.api);
    match args.command {
        SubscriptionCommand::List { user } => list(&client()?, user, out).await,
        SubscriptionCommand::Show { user, channel } => {
            let client = client()?;
            let subscription: Subscription = client.get(&client.api(&["subscriptions", &user, &channel])?).await?;
            Ok(out.json(&subscription)?)
        }
        SubscriptionCommand::Load { file } => load(&client()?, &file, out).await,
        SubscriptionCommand::Import { file } => import(&config()?, &file, out).await,
        SubscriptionCommand::Confirm { user, channel, address } => {
            let client = client()?;
            let url = client.api(&["subscriptions", &user, &channel, "confirmations"])?;
            let asked: ConfirmationInfo = client.post(&url, &AskConfirmationRequest { address }).await?;
            channel::report(&asked.sent, out)
        }
        SubscriptionCommand::Streams { user, channel } => streams(&client()?, &user, &channel, out).await,
        SubscriptionCommand::Delete { user, channel } => {
            let client = client()?;
            client.delete(&client.api(&["subscriptions", &user, &channel])?).await
        }
    }
}

async fn streams(client: &ApiClient, user: &str, channel: &str, out: &mut Output) -> anyhow::Result<()> {
    let streams: ListPage<StreamInfo> = client.get(&client.api(&["subscriptions", user, channel, "streams"])?).await?;
    if out.is_json() {
        return Ok(out.json(&streams)?);
    }
    for StreamInfo { address, path, url } in streams.data {
        out.line(&format!("{address}: {}", url.unwrap_or_else(|| client.page(&path))))?;
    }
    Ok(())
}

async fn list(client: &ApiClient, user: Option<String>, out: &mut Output) -> anyhow::Result<()> {
    let mut all = ListPage::<Subscription>::complete(Vec::new());
    loop {
        let mut url = client.api(&["subscriptions"])?;
        if let Some(user) = &user {
            url.query_pairs_mut().append_pair("user", user);
        } else {
            url.query_pairs_mut().append_pair("limit", &API_ROWS_MAX.to_string());
            if let Some(after) = &all.next {
                url.query_pairs_mut().append_pair("after", after);
            }
        }
        let ListPage { data, next } = client.get(&url).await?;
        all.data.extend(data);
        all.next = next;
        if all.next.is_none() {
            break;
        }
    }
    if out.is_json() {
        return Ok(out.json(&all)?);
    }
    let row = |one: &Subscription| {
        let enabled = if one.enabled { "on" } else { "off" };
        let [filters, addresses] = [one.filters.len(), one.addresses.len()].map(|count| count.to_string());
        [one.user.clone(), one.channel.clone(), enabled.into(), filters, addresses]
    };
    let rows: Vec<_> = all.data.iter().map(row).collect();
    Ok(out.table(["user", "channel", "state", "filters", "addresses"], &rows)?)
}

/// The user and channel of a line; the daemon checks the rest.
#[derive(Deserialize)]
struct SubscriptionKey {
    user: String,
    channel: String,
}

/// The result of `load`.
#[derive(Serialize)]
struct LoadSummary {
    stored: usize,
    refused: usize,
}

/// Stores the valid subscriptions, and prints why the others are refused.
async fn load(client: &ApiClient, file: &Path, out: &mut Output) -> anyhow::Result<()> {
    let (mut stored, mut refused) = (0, 0);
    for (n, line) in input::open(file)?.lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {}", file.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        match load_line(client, &line).await {
            Ok(()) => stored += 1,
            Err(LoadError::Line(error)) => {
                writeln!(std::io::stderr(), "{}, line {}: {error:#}", file.display(), n + 1)?;
                refused += 1;
            }
            Err(LoadError::Daemon(error)) => {
                return Err(error.context(format!("{}, line {}: the loading stops here", file.display(), n + 1)));
            }
        }
    }
    let total = stored + refused;
    if out.is_json() {
        out.json(&LoadSummary { stored, refused })?;
    } else {
        out.line(&format!("{stored} subscriptions stored, {refused} refused"))?;
    }
    if refused == 0 { Ok(()) } else { bail!("{refused} of {total} subscriptions were refused") }
}

/// Why a line was not stored.
enum LoadError {
    /// The line is invalid.
    Line(anyhow::Error),
    /// The daemon failed, or cannot be reached.
    Daemon(anyhow::Error),
}

async fn load_line(client: &ApiClient, line: &str) -> Result<(), LoadError> {
    let invalid = |error: anyhow::Error| LoadError::Line(error);
    let subscription: Value = serde_json::from_str(line).map_err(|error| invalid(error.into()))?;
    let SubscriptionKey { user, channel } = SubscriptionKey::deserialize(&subscription)
        .map_err(|_| invalid(anyhow!("`user` and `channel` must be texts")))?;
    let url = client.api(&["subscriptions", &user, &channel]).map_err(invalid)?;
    match client.put::<Subscription>(&url, &subscription).await {
        Ok(_) => Ok(()),
        Err(error) if error.downcast_ref::<RequestRefused>().is_some_and(RequestRefused::is_of_the_request) => {
            Err(LoadError::Line(error))
        }
        Err(error) => Err(LoadError::Daemon(error)),
    }
}

/// Stores all in one transaction, or prints the error of each invalid line and stores nothing. Addresses are not checked by
/// the channel's plugin.
async fn import(config: &Config, file: &Path, out: &mut Output) -> anyhow::Result<()> {
    let catalogue = StaticData::read(&config.catalogue).map_err(anyhow::Error::msg)?.catalogue;
    let (mut subscriptions, mut bad) = (Vec::new(), 0);
    for (n, line) in input::open(file)?.lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {}", file.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        match read(&line, &catalogue) {
            Ok(subscription) => subscriptions.push(subscription),
            Err(error) => {
                writeln!(std::io::stderr(), "{}, line {}: {error:#}", file.display(), n + 1)?;
                bad += 1;
            }
        }
    }
    if bad > 0 {
        bail!("{bad} of {} subscriptions are invalid; nothing is imported", bad + subscriptions.len());
    }
    let database = config.data_dir.database();
    let store = tidings_store::open_with(&database, Mode::Daemon, &config.key_file()).await;
    let store = store.with_context(|| format!("cannot open {}", database.display()))?;
    let stored = store.put_subscriptions(&subscriptions, clock::now()).await;
    store.close().await;
    stored?;
    if out.is_json() {
        return Ok(out.json(&json!({ "imported": subscriptions.len() }))?);
    }
    Ok(out.line(&format!("{} subscriptions imported", subscriptions.len()))?)
}

/// A subscription that the API would accept.
fn read(line: &str, catalogue: &Arc<Catalogue>) -> anyhow::Result<Subscription> {
    let request: SubscriptionRequest = serde_json::from_str(line)?;
    let subscription = request.named().ok_or_else(|| anyhow!("`user` or `channel` is missing"))?;
    let errors = subscription_errors(&subscription, catalogue);
    let errors: Vec<String> = errors.iter().map(|FieldError { path, detail }| format!("{path}: {detail}")).collect();
    if errors.is_empty() { Ok(subscription) } else { bail!("{}", errors.join("; ")) }
}
