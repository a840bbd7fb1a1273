//! Subscriptions from the command line: who wants to be told of what.

use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidings_domain::catalogue::Catalogue;
use tidings_domain::subscription::Subscription;
use tidings_store::Mode;

use super::channel::text;
use super::client::{ApiArgs, Client, RequestRefused};
use super::input;
use super::output::Output;
use crate::api::{self, FieldError, SubscriptionBody};
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
    /// A user's subscriptions, or everybody's
    List {
        #[arg(long)]
        user: Option<String>,
    },
    /// One subscription as JSON
    Show { user: String, channel: String },
    /// Store all subscriptions of a file of JSON Lines; `-` is standard input
    Load { file: PathBuf },
    /// Put all subscriptions of a file of JSON Lines into the database of a daemon that is not running, or none where one
    /// is bad; `-` is standard input
    Import { file: PathBuf },
    /// Ask the owner of an address whether the user's notifications are wanted there; yes adds it to the subscription
    Confirm { user: String, channel: String, address: String },
    /// Where a user follows the event streams of a subscription in a browser
    Streams { user: String, channel: String },
    /// Remove one
    Delete { user: String, channel: String },
}

pub(super) async fn run(
    args: SubscriptionArgs,
    config: impl FnOnce() -> Result<Config, ConfigError>,
    out: &mut Output,
) -> anyhow::Result<()> {
    let client = || Client::new(&args.api);
    match args.command {
        SubscriptionCommand::List { user } => list(&client()?, user, out).await,
        SubscriptionCommand::Show { user, channel } => {
            let client = client()?;
            Ok(out.json(&client.get(&client.api(&["subscriptions", &user, &channel])).await?)?)
        }
        SubscriptionCommand::Load { file } => load(&client()?, &file, out).await,
        SubscriptionCommand::Import { file } => import(&config()?, &file, out).await,
        SubscriptionCommand::Confirm { user, channel, address } => {
            let client = client()?;
            let url = client.api(&["subscriptions", &user, &channel, "confirmations"]);
            let answer = client.post_json(&url, &json!({ "address": address })).await?;
            super::channel::sent(&answer, out)
        }
        SubscriptionCommand::Streams { user, channel } => streams(&client()?, &user, &channel, out).await,
        SubscriptionCommand::Delete { user, channel } => {
            let client = client()?;
            client.delete(&client.api(&["subscriptions", &user, &channel])).await.map(drop)
        }
    }
}

async fn streams(client: &Client, user: &str, channel: &str, out: &mut Output) -> anyhow::Result<()> {
    let answer = client.get(&client.api(&["subscriptions", user, channel, "streams"])).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    for stream in answer.as_array().into_iter().flatten() {
        let known = stream["url"].as_str().map(str::to_owned);
        let here = || client.page(&text(&stream["path"]));
        out.line(&format!("{}: {}", text(&stream["address"]), known.unwrap_or_else(here)))?;
    }
    Ok(())
}

async fn list(client: &Client, user: Option<String>, out: &mut Output) -> anyhow::Result<()> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut url = client.api(&["subscriptions"]);
        if let Some(user) = &user {
            url.query_pairs_mut().append_pair("user", user);
        } else {
            let limit = crate::api::limits::API_ROWS_MAX.to_string();
            url.query_pairs_mut().append_pair("limit", &limit);
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
        }
        let Value::Array(page) = client.get(&url).await? else { bail!("the daemon's answer is no list") };
        after = page.last().map(|one| text(&one["user"]));
        all.extend(page);
        if user.is_some() || after.is_none() {
            break;
        }
    }
    if out.is_json() {
        return Ok(out.json(&all)?);
    }
    let count = |value: &Value| value.as_array().map_or(0, Vec::len).to_string();
    let row = |one: &Value| {
        let enabled = if one["enabled"] == true { "on" } else { "off" };
        let (user, channel) = (text(&one["user"]), text(&one["channel"]));
        [user, channel, enabled.into(), count(&one["filters"]), count(&one["addresses"])]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    Ok(out.table(["user", "channel", "state", "filters", "addresses"], &rows)?)
}

/// Stores what is good, and names each that is not.
async fn load(client: &Client, file: &Path, out: &mut Output) -> anyhow::Result<()> {
    let subscriptions: Vec<(usize, Value)> = input::json_lines(file)?;
    let total = subscriptions.len();
    let mut refused = 0;
    for (line, subscription) in subscriptions {
        let name = |key: &str| {
            let name = subscription[key].as_str();
            name.with_context(|| format!("{}, line {line}: `{key}` is not a text", file.display()))
        };
        let url = client.api(&["subscriptions", name("user")?, name("channel")?]);
        match client.put(&url, &subscription).await {
            Ok(_) => {}
            Err(error) if error.downcast_ref::<RequestRefused>().is_some_and(RequestRefused::is_of_the_request) => {
                writeln!(std::io::stderr(), "{}, line {line}: {error}", file.display())?;
                refused += 1;
            }
            Err(error) => return Err(error),
        }
    }
    if out.is_json() {
        out.json(&serde_json::json!({ "stored": total - refused, "refused": refused }))?;
    } else {
        out.line(&format!("{} subscriptions stored, {refused} refused", total - refused))?;
    }
    if refused == 0 { Ok(()) } else { bail!("{refused} of {total} subscriptions were refused") }
}

/// Stores all in one transaction, or names each bad line and stores nothing. What only a channel's plugin knows of its
/// addresses is not checked.
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
        bail!("{bad} of {} subscriptions are bad; nothing is imported", bad + subscriptions.len());
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

/// A subscription that the API would take.
fn read(line: &str, catalogue: &Arc<Catalogue>) -> anyhow::Result<Subscription> {
    let body: SubscriptionBody = serde_json::from_str(line)?;
    let subscription = body.named().ok_or_else(|| anyhow!("`user` or `channel` is missing"))?;
    let mistakes = api::mistakes(&subscription, catalogue);
    let mistakes: Vec<String> =
        mistakes.iter().map(|FieldError { path, detail }| format!("{path}: {detail}")).collect();
    if mistakes.is_empty() { Ok(subscription) } else { bail!("{}", mistakes.join("; ")) }
}
