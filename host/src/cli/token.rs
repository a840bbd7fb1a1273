//! Tokens of the API, made where the database is: anyone who can write the database may use the API.

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use serde_json::json;
use tidings_domain::limits;
use tidings_domain::text::is_one_line;
use tidings_domain::time::Timestamp;
use tidings_store::{Token, TokenStore};

use super::daemon::open_store;
use super::output::{Output, time};
use crate::api::new_token;
use crate::clock;
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Create a token and print it; it cannot be shown again
    Create {
        /// The owner or purpose of the token
        name: String,
        /// The time until the token expires, e.g. `30d`
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        expires: Option<Duration>,
    },
    /// List all tokens, without their secrets
    List,
    /// Revoke a token
    Revoke {
        /// The id of the token, as `token list` shows it
        id: String,
    },
}

pub(super) async fn run(args: TokenArgs, config: &Config, out: &mut Output) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let done = match args.command {
        TokenCommand::Create { name, expires } => create(&*store, &name, expires, out).await,
        TokenCommand::List => list(&*store, out).await,
        TokenCommand::Revoke { id } => revoke(&*store, &id).await,
    };
    store.close().await;
    done
}

async fn create(store: &dyn TokenStore, name: &str, expires: Option<Duration>, out: &mut Output) -> anyhow::Result<()> {
    let good = !name.trim().is_empty() && is_one_line(name) && name.chars().count() <= limits::LABEL_CHARS;
    ensure!(good, "a token's name is one line of 1 to {} characters", limits::LABEL_CHARS);
    let now = clock::now();
    let new = new_token(name, now, expires.map(|after| now.after(after)));
    store.put_token(&new.record).await?;
    if out.is_json() {
        let Token { id, name, expires_at, .. } = &new.record;
        return Ok(out.json(&json!({ "id": id, "name": name, "expires_at": expires_at, "token": new.text.expose() }))?);
    }
    Ok(out.line(new.text.expose())?)
}

async fn list(store: &dyn TokenStore, out: &mut Output) -> anyhow::Result<()> {
    let tokens = store.tokens().await?;
    if out.is_json() {
        let view =
            |t: &Token| json!({ "id": t.id, "name": t.name, "created_at": t.created_at, "expires_at": t.expires_at });
        return Ok(out.json(&tokens.iter().map(view).collect::<Vec<_>>())?);
    }
    let now = clock::now();
    let row = |token: &Token| [token.id.clone(), time(token.created_at), expiry(token, now), token.name.clone()];
    Ok(out.table(["id", "created", "expires", "name"], &tokens.iter().map(row).collect::<Vec<_>>())?)
}

fn expiry(token: &Token, now: Timestamp) -> String {
    match token.expires_at {
        None => "never".into(),
        Some(at) if at <= now => format!("expired {}", time(at)),
        Some(at) => time(at),
    }
}

async fn revoke(store: &dyn TokenStore, id: &str) -> anyhow::Result<()> {
    if !store.delete_token(id).await? {
        bail!("there is no token {id}; `tidings token list` shows all");
    }
    Ok(())
}
