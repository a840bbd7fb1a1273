//! The progress of a batch: which deliveries were written, which errors the server sent about them, and their outcomes.
//! It does no I/O.

use std::collections::BTreeMap;

use tidings_plugin::{Content, Delivery, Outcome};

use crate::message::Casing;
use crate::session::SessionEvent;

/// The batch of one call.
pub(super) struct BatchProgress<'a, F> {
    pub batch: &'a [Delivery],
    pub outcomes: Vec<Option<Outcome>>,
    settled: F,
    /// The unconfirmed deliveries: the index in the batch, and the number of lines written.
    window: Vec<(usize, usize)>,
    /// The token of the PING after the window, until its answer.
    pub token: Option<u64>,
    /// Names that are unreachable now, and why. Later deliveries to them are not tried, which keeps their order.
    unreachable: BTreeMap<String, String>,
    /// The number of lines that the server refused since the last confirmation, by name.
    refused: BTreeMap<String, usize>,
    casing: Casing,
    pub now_ms: u64,
    perishable_ms: u64,
    /// The time for the call, in milliseconds.
    pub call_ms: u64,
    /// The lines of the last delivery: so many replies may be sent before the next one.
    pub reply_quota: usize,
}

impl<'a, F: FnMut(usize, &Outcome)> BatchProgress<'a, F> {
    pub fn new(batch: &'a [Delivery], settled: F, now_ms: u64, call_ms: u64, perishable_ms: u64) -> Self {
        BatchProgress {
            batch,
            outcomes: vec![None; batch.len()],
            settled,
            window: Vec::new(),
            token: None,
            unreachable: BTreeMap::new(),
            refused: BTreeMap::new(),
            casing: Casing::default(),
            now_ms,
            perishable_ms,
            call_ms,
            reply_quota: 0,
        }
    }

    /// Sets how the server compares names.
    pub fn set_casing(&mut self, casing: Casing) {
        self.casing = casing;
    }

    /// Sets the outcome of a delivery.
    pub fn settle(&mut self, index: usize, outcome: Outcome) {
        (self.settled)(index, &outcome);
        if let Some(slot) = self.outcomes.get_mut(index) {
            *slot = Some(outcome);
        }
    }

    /// Records that so many lines of a delivery were written.
    pub fn record_written(&mut self, index: usize, lines: usize) {
        self.window.push((index, lines));
    }

    /// The number of unconfirmed deliveries.
    pub fn unconfirmed(&self) -> usize {
        self.window.len()
    }

    pub fn is_unconfirmed(&self, index: usize) -> bool {
        self.window.iter().any(|(written, _)| *written == index)
    }

    /// Handles errors about lines, and confirmations.
    pub fn on_events(&mut self, events: &[SessionEvent]) {
        for event in events {
            match event {
                SessionEvent::NotDelivered { target, reason } => {
                    let name = self.casing.fold(target);
                    *self.refused.entry(name.clone()).or_default() += 1;
                    self.unreachable.insert(name, reason.clone());
                }
                SessionEvent::Confirmed(token) if self.token == Some(*token) => self.settle_window(),
                _ => {}
            }
        }
    }

    /// Settles the window, which the server has read. A server refuses a name from some line on, so the refused lines
    /// belong to the last deliveries to that name.
    fn settle_window(&mut self) {
        self.token = None;
        let mut refused = std::mem::take(&mut self.refused);
        for (index, lines) in std::mem::take(&mut self.window).into_iter().rev() {
            let left =
                refused.get_mut(&self.casing.fold(&self.batch[index].recipient.address)).filter(|left| **left > 0);
            let outcome = match (left, self.unreachable_outcome(index)) {
                (Some(left), Some(outcome)) => {
                    *left = left.saturating_sub(lines);
                    outcome
                }
                _ => Outcome::Delivered(None),
            };
            self.settle(index, outcome);
        }
    }

    /// Why a name is unreachable now.
    pub fn unreachable_reason(&self, name: &str) -> Option<&str> {
        self.unreachable.get(&self.casing.fold(name)).map(String::as_str)
    }

    /// Marks a name as unreachable, unless it is marked.
    pub fn mark_unreachable(&mut self, name: &str, reason: &str) {
        self.unreachable.entry(self.casing.fold(name)).or_insert_with(|| reason.to_owned());
    }

    /// The outcome of a delivery that is not attempted, because it has expired or its address is unreachable now.
    pub fn outcome_without_attempt(&self, index: usize) -> Option<Outcome> {
        let delivery = &self.batch[index];
        if !self.has_expired(delivery) {
            return self.unreachable_outcome(index);
        }
        let reason = match &delivery.content {
            Content::Confirmation(_) => "the code is no longer valid".to_owned(),
            _ => format!("older than {} minutes", self.perishable_ms / 60_000),
        };
        Some(Outcome::Rejected(format!("expired: {reason}")))
    }

    /// The outcome of a delivery whose address is unreachable now.
    fn unreachable_outcome(&self, index: usize) -> Option<Outcome> {
        let delivery = &self.batch[index];
        let reason = self.unreachable_reason(&delivery.recipient.address)?;
        Some(self.retry(delivery, None, reason))
    }

    /// A retry, or a rejection if the delivery has expired.
    pub fn retry(&self, delivery: &Delivery, after_ms: Option<u64>, reason: &str) -> Outcome {
        if self.has_expired(delivery) {
            return Outcome::Rejected(format!("expired: {reason}"));
        }
        Outcome::retry_after(after_ms, reason)
    }

    /// A digest is collected for as long as the user wants, so its age does not count. The daemon limits it.
    fn has_expired(&self, delivery: &Delivery) -> bool {
        match &delivery.content {
            Content::Confirmation(confirmation) => self.now_ms > confirmation.expires_ms,
            Content::Single(_) => self.now_ms.saturating_sub(delivery.accepted_ms) > self.perishable_ms,
            Content::Digest(_) => false,
        }
    }
}
