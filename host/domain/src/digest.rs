//! Digest lines: one for each message, and one for messages that belong together by the catalogue's groups ("ann pushed
//! 5 commits to teapot"). Pure: the reader and the messages are arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::aliases::Aliases;
use crate::catalogue::Catalogue;
use crate::catalogue::group::{DigestGroup, GroupContext};
use crate::catalogue::source::MessageView;
use crate::delivery::StoredEvent;
use crate::event::Event;
use crate::message::MessageId;
use crate::time::Timestamp;

/// A message as a digest needs it.
#[derive(Clone, Debug)]
pub struct DigestItem {
    id: MessageId,
    topic: String,
    timestamp: Timestamp,
    msg: Value,
    usernames: Vec<String>,
    packages: Vec<String>,
    subtitle: String,
    link: Option<String>,
    icon: Option<String>,
    secondary_icon: Option<String>,
}

/// One line of a digest. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DigestLine {
    pub subtitle: String,
    /// As its reader is addressed: "You ran …".
    pub subjective: String,
    pub link: Option<String>,
    /// Of the first message.
    pub icon: Option<String>,
    pub secondary_icon: Option<String>,
    pub start_time: f64,
    pub end_time: f64,
    /// The mean of the messages' times.
    pub timestamp: f64,
    pub usernames: BTreeSet<String>,
    pub packages: BTreeSet<String>,
    pub topics: BTreeSet<String>,
    pub categories: BTreeSet<String>,
    /// The messages in it, in their order.
    pub msg_ids: Vec<MessageId>,
}

impl DigestItem {
    /// `received_at` is used if the publisher sent no time.
    pub fn of_event(event: &Event<'_>, received_at: Timestamp) -> DigestItem {
        let (envelope, facts, text) = (event.envelope(), event.facts(), event.text());
        DigestItem {
            id: envelope.id().clone(),
            topic: envelope.topic().to_owned(),
            timestamp: envelope.timestamp().unwrap_or(received_at),
            msg: envelope.msg().clone(),
            usernames: facts.usernames.clone(),
            packages: facts.packages.clone(),
            subtitle: text.subtitle.clone(),
            link: text.link.clone(),
            icon: text.icon.clone(),
            secondary_icon: text.secondary_icon.clone(),
        }
    }

    /// A message with an invalid JSON body keeps a line of its own.
    pub fn of_stored(event: &StoredEvent) -> DigestItem {
        DigestItem {
            id: event.id.clone(),
            topic: event.topic.clone(),
            timestamp: event.timestamp,
            msg: serde_json::from_str(&event.body).unwrap_or_default(),
            usernames: event.usernames.clone(),
            packages: event.packages.clone(),
            subtitle: event.subtitle.clone(),
            link: event.link.clone(),
            icon: event.icon.clone(),
            secondary_icon: event.secondary_icon.clone(),
        }
    }

    /// The message as groups see it, without its envelope, which is not kept.
    fn message<'a>(&'a self, catalogue: &Catalogue, aliases: &'a Aliases) -> MessageView<'a> {
        MessageView {
            envelope: &Value::Null,
            msg: &self.msg,
            topic: &self.topic,
            rest: catalogue.rest(&self.topic),
            aliases,
        }
    }
}

/// The lines for these messages, addressed to `subject`. A folded line has the position of its first message. Groups
/// are tried in the order of their file; a message is in one line only.
pub fn fold(catalogue: &Catalogue, aliases: &Aliases, items: &[DigestItem], subject: Option<&str>) -> Vec<DigestLine> {
    try_fold(catalogue, aliases, items, subject).0
}

/// The lines, and the problems of groups whose templates failed: their messages keep their own lines.
pub(crate) fn try_fold(
    catalogue: &Catalogue,
    aliases: &Aliases,
    items: &[DigestItem],
    subject: Option<&str>,
) -> (Vec<DigestLine>, Vec<String>) {
    let messages: Vec<MessageView<'_>> = items.iter().map(|item| item.message(catalogue, aliases)).collect();
    let is_folded = vec![false; items.len()];
    let mut folding = Folding { catalogue, items, messages, subject, is_folded, problems: Vec::new() };
    let mut folded = BTreeMap::new();
    for (categories, group) in catalogue.groups() {
        folding.group(categories, group, &mut folded);
    }
    let unfolded = |number: &usize| !folding.is_folded[*number];
    for number in (0..items.len()).filter(unfolded) {
        folded.insert(number, folding.line(&[number]));
    }
    (folded.into_values().collect(), folding.problems)
}

/// The lines of a digest of stored messages, as `reader` is addressed.
pub fn summary(catalogue: &Catalogue, aliases: &Aliases, events: &[Arc<StoredEvent>], reader: &str) -> Vec<String> {
    let items: Vec<DigestItem> = events.iter().map(|event| DigestItem::of_stored(event)).collect();
    fold(catalogue, aliases, &items, Some(reader)).into_iter().map(|line| line.subjective).collect()
}

/// The state of one fold.
struct Folding<'a> {
    catalogue: &'a Catalogue,
    items: &'a [DigestItem],
    messages: Vec<MessageView<'a>>,
    subject: Option<&'a str>,
    /// By message: whether it is in a folded line.
    is_folded: Vec<bool>,
    problems: Vec<String>,
}

impl Folding<'_> {
    /// Folds the messages of one group. The key of a line is the position of its first message.
    fn group(&mut self, categories: &[String], group: &DigestGroup, folded: &mut BTreeMap<usize, DigestLine>) {
        let mut keyed: Vec<(usize, Vec<Vec<String>>)> = Vec::new();
        for (number, message) in self.messages.iter().enumerate().filter(|(number, _)| !self.is_folded[*number]) {
            if message.category().is_some_and(|category| categories.iter().any(|of| of == category)) {
                keyed.extend(group.keys(message).map(|keys| (number, keys)));
            }
        }
        for (position, (first, keys)) in keyed.iter().enumerate() {
            if self.is_folded[*first] {
                continue;
            }
            let later = keyed[position + 1..]
                .iter()
                .filter(|(number, other)| !self.is_folded[*number] && share_values(keys, other));
            let members: Vec<usize> = std::iter::once(*first).chain(later.map(|(number, _)| *number)).collect();
            if members.len() > 1
                && let Some(line) = self.folded(group, &members)
            {
                members.iter().for_each(|member| self.is_folded[*member] = true);
                folded.insert(*first, line);
            }
        }
    }

    /// One line for several messages; none if the group's text fails on them.
    fn folded(&mut self, group: &DigestGroup, members: &[usize]) -> Option<DigestLine> {
        let line = self.line(members);
        let messages: Vec<MessageView<'_>> = members.iter().map(|member| self.messages[*member]).collect();
        let usernames: Vec<String> = line.usernames.iter().cloned().collect();
        let packages: Vec<String> = line.packages.iter().cloned().collect();
        let common = GroupContext {
            usernames: &usernames,
            packages: &packages,
            icon: line.icon.as_deref(),
            subject: self.subject,
        };
        let text = group.text(self.catalogue.environment(), &messages, &common);
        let text = text.map_err(|error| self.problems.push(error.to_string())).ok().flatten()?;
        Some(DigestLine {
            subjective: text.subjective.unwrap_or_else(|| text.subtitle.clone()),
            subtitle: text.subtitle,
            link: text.link,
            secondary_icon: text.secondary_icon,
            ..line
        })
    }

    /// A line with the combined facts of these messages, and the text of the first.
    fn line(&self, members: &[usize]) -> DigestLine {
        let first = &self.items[members[0]];
        let members = || members.iter().map(|member| (&self.items[*member], &self.messages[*member]));
        let seconds = |item: &DigestItem| item.timestamp.as_millis() as f64 / 1000.0;
        let times = || members().map(|(item, _)| seconds(item));
        DigestLine {
            subtitle: first.subtitle.clone(),
            subjective: first.subtitle.clone(),
            link: first.link.clone(),
            icon: first.icon.clone(),
            secondary_icon: first.secondary_icon.clone(),
            start_time: times().fold(f64::INFINITY, f64::min),
            end_time: times().fold(0.0, f64::max),
            timestamp: times().sum::<f64>() / members().count() as f64,
            usernames: members().flat_map(|(item, _)| item.usernames.iter().cloned()).collect(),
            packages: members().flat_map(|(item, _)| item.packages.iter().cloned()).collect(),
            topics: members().map(|(item, _)| item.topic.clone()).collect(),
            categories: members().filter_map(|(_, message)| message.category()).map(str::to_owned).collect(),
            msg_ids: members().map(|(item, _)| item.id.clone()).collect(),
        }
    }
}

/// Returns true if each key has a value in common with its counterpart.
fn share_values(keys: &[Vec<String>], others: &[Vec<String>]) -> bool {
    keys.iter().zip(others).all(|(key, other)| key.iter().any(|value| other.contains(value)))
}
