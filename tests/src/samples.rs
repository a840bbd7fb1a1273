//! The sample messages, subscriptions and expected mails in `tests/samples`. It only reads files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidings_api_types::SubscriptionRequest;

use crate::paths;

/// A message to publish. The publisher adds time, id and counter.
#[derive(Clone, Debug, Deserialize)]
pub struct SampleMessage {
    /// A label that `expected.jsonl` refers to; it is not published.
    #[serde(default)]
    pub id: String,
    pub topic: String,
    #[serde(default)]
    pub msg: Value,
    #[serde(default)]
    pub headers: Option<Value>,
}

impl SampleMessage {
    pub fn new(topic: &str, msg: Value) -> SampleMessage {
        SampleMessage { id: String::new(), topic: topic.to_owned(), msg, headers: None }
    }
}

/// A mail that must arrive.
#[derive(Clone, Debug, Deserialize)]
pub struct Expected {
    pub recipient: String,
    /// Text in the subject of the mail; for a digest, in its subject or body.
    pub text: String,
    #[serde(default)]
    pub digest: bool,
    /// The label of its message.
    pub message: String,
}

/// The sample messages, in the order of publication.
pub fn messages() -> Result<Vec<SampleMessage>> {
    json_lines(&paths::sample("messages.jsonl"))
}

/// The sample subscriptions, as `PUT /api/v1/subscriptions/USER/CHANNEL` accepts them.
pub fn subscriptions() -> Result<Vec<SubscriptionRequest>> {
    json_lines(&paths::sample("subscriptions.jsonl"))
}

/// All mails that one publication of the sample messages causes.
pub fn expected() -> Result<Vec<Expected>> {
    json_lines(&paths::sample("expected.jsonl"))
}

/// Reads a file with one JSON value on each line; skips empty lines.
pub fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("{}, line {}", path.display(), number + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_expected_mail_has_the_label_of_a_message_and_the_address_of_a_subscription() {
        let (messages, subscriptions) = (messages().unwrap(), subscriptions().unwrap());
        let labels: BTreeSet<&str> = messages.iter().map(|message| message.id.as_str()).collect();
        assert_eq!(labels.len(), messages.len(), "labels are unique");
        let addresses: BTreeSet<&str> =
            subscriptions.iter().flat_map(|one| &one.addresses).map(String::as_str).collect();
        for mail in expected().unwrap() {
            assert!(labels.contains(mail.message.as_str()), "{mail:?}");
            assert!(addresses.contains(mail.recipient.as_str()), "{mail:?}");
            assert!(!mail.text.is_empty(), "{mail:?}");
        }
    }
}
