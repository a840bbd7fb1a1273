//! What users say back on a channel: `help`, `start`, `stop`, `list filters`. The plugin vouches for the address; whose it
//! is, the subscriptions say. Anything else is answered with a hint, nothing with silence.

use tidings_domain::subscription::{Edit, Filter, Subscription};
use tidings_store::{Store, StoreError};

use crate::clock;
use crate::knowledge::Knowledge;
use crate::telemetry::chain;

/// A command, as it was read from a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Help,
    Start,
    Stop,
    ListFilters,
    Unknown,
}

impl Command {
    /// Case and spacing do not matter; none for an empty line.
    fn read(text: &str) -> Option<Command> {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Some(match words[..] {
            [] => return None,
            ["help"] => Command::Help,
            ["start"] => Command::Start,
            ["stop"] => Command::Stop,
            ["list", "filters"] => Command::ListFilters,
            _ => Command::Unknown,
        })
    }
}

/// Carries out what came from `address` and returns the lines to answer with.
pub async fn submit(store: &dyn Store, knowledge: &Knowledge, channel: &str, address: &str, text: &str) -> Vec<String> {
    let Some(command) = Command::read(text) else { return Vec::new() };
    match answer(store, knowledge, channel, address, command).await {
        Ok(lines) => lines,
        Err(error) => {
            tracing::error!(channel, error = %chain(&error), "a user's command failed");
            vec!["Sorry, that did not work just now. Please try again later.".into()]
        }
    }
}

async fn answer(
    store: &dyn Store,
    knowledge: &Knowledge,
    channel: &str,
    address: &str,
    command: Command,
) -> Result<Vec<String>, StoreError> {
    let lines = match command {
        Command::Help => vec![
            "start: send me notifications here".into(),
            "stop: send me no more notifications here".into(),
            "list filters: what I am told about".into(),
        ],
        Command::Unknown => vec!["Say 'help' for help or 'stop' to stop messages.".into()],
        Command::Start | Command::Stop | Command::ListFilters => {
            let Some(subscription) = owned(store, channel, address).await? else {
                return Ok(vec!["Nobody has set up notifications for this address.".into()]);
            };
            match command {
                Command::ListFilters => list(&subscription),
                _ => switch(store, knowledge, &subscription, command == Command::Start).await?,
            }
        }
    };
    Ok(lines)
}

async fn owned(store: &dyn Store, channel: &str, address: &str) -> Result<Option<Subscription>, StoreError> {
    let Some(user) = store.owner_of(channel, address).await? else { return Ok(None) };
    Ok(store.subscriptions_of(&user).await?.into_iter().find(|subscription| subscription.channel == channel))
}

fn list(subscription: &Subscription) -> Vec<String> {
    if subscription.filters.is_empty() {
        return vec!["You have no filters.".into()];
    }
    let line = |filter: &Filter| {
        let state = if filter.active { "" } else { " (inactive)" };
        format!("{}{state}", filter.name)
    };
    subscription.filters.iter().map(line).collect()
}

async fn switch(
    store: &dyn Store,
    knowledge: &Knowledge,
    subscription: &Subscription,
    on: bool,
) -> Result<Vec<String>, StoreError> {
    let Subscription { user, channel, .. } = subscription;
    if store.edit_subscription(user, channel, &Edit::Enable(on), clock::now()).await? {
        knowledge.catch_up().await?;
    }
    Ok(vec![if on { "Notifications are on.".into() } else { "Notifications are off.".into() }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_whatever_their_case_and_spacing() {
        for (text, command) in [
            ("help", Some(Command::Help)),
            ("  STOP ", Some(Command::Stop)),
            ("Start", Some(Command::Start)),
            ("list   Filters", Some(Command::ListFilters)),
            ("list", Some(Command::Unknown)),
            ("stop it", Some(Command::Unknown)),
            (" \t ", None),
        ] {
            assert_eq!(Command::read(text), command, "{text:?}");
        }
    }
}
