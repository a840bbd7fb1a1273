//! What is known of a batch while it is delivered: what was written, what the server said about it, and what became of each
//! delivery. It writes nothing.

use std::collections::BTreeMap;

use tidings_plugin::{Content, Delivery, Outcome};

use crate::message::Casing;
use crate::session::Heard;

/// One call's batch.
pub(super) struct Run<'a, F> {
    pub batch: &'a [Delivery],
    pub outcomes: Vec<Option<Outcome>>,
    settled: F,
    /// Written, and not yet known to be read: places in the batch, and how many lines of each.
    window: Vec<(usize, usize)>,
    /// The token that ends the window, while its answer is awaited.
    pub token: Option<u64>,
    /// Names that are not reached now, and why. What follows for them is not tried, so that it does not overtake.
    unreached: BTreeMap<String, String>,
    /// How many lines the server refused since the last answer to a token, by name.
    refused: BTreeMap<String, usize>,
    casing: Casing,
    pub now_ms: u64,
    perishable_ms: u64,
    /// How long the call may take.
    pub call_ms: u64,
    /// Lines of the last delivery: so many replies have their turn before the next one.
    pub owed: usize,
}

impl<'a, F: FnMut(usize, &Outcome)> Run<'a, F> {
    pub fn new(batch: &'a [Delivery], settled: F, now_ms: u64, call_ms: u64, perishable_ms: u64) -> Self {
        Run {
            batch,
            outcomes: vec![None; batch.len()],
            settled,
            window: Vec::new(),
            token: None,
            unreached: BTreeMap::new(),
            refused: BTreeMap::new(),
            casing: Casing::default(),
            now_ms,
            perishable_ms,
            call_ms,
            owed: 0,
        }
    }

    /// Which names are one, once a server has said so.
    pub fn compare_by(&mut self, casing: Casing) {
        self.casing = casing;
    }

    pub fn settle(&mut self, place: usize, outcome: Outcome) {
        (self.settled)(place, &outcome);
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
    }

    /// So many lines of a delivery are on their way.
    pub fn wrote(&mut self, place: usize, lines: usize) {
        self.window.push((place, lines));
    }

    /// Deliveries on their way.
    pub fn under_way(&self) -> usize {
        self.window.len()
    }

    pub fn is_under_way(&self, place: usize) -> bool {
        self.window.iter().any(|(written, _)| *written == place)
    }

    pub fn hear(&mut self, heard: &[Heard]) {
        for what in heard {
            match what {
                Heard::NotPassed { target, reason } => {
                    let name = self.casing.fold(target);
                    *self.refused.entry(name.clone()).or_default() += 1;
                    self.unreached.insert(name, reason.clone());
                }
                Heard::Processed(token) if self.token == Some(*token) => self.confirmed(),
                _ => {}
            }
        }
    }

    /// The server has read the window. A name that it refuses it refuses from some line on, so of the deliveries for that name
    /// the last ones are meant, as many as have the lines that it complained about.
    fn confirmed(&mut self) {
        self.token = None;
        let mut refused = std::mem::take(&mut self.refused);
        for (place, lines) in std::mem::take(&mut self.window).into_iter().rev() {
            let left =
                refused.get_mut(&self.casing.fold(&self.batch[place].recipient.address)).filter(|left| **left > 0);
            let outcome = match (left, self.unreached_outcome(place)) {
                (Some(left), Some(outcome)) => {
                    *left = left.saturating_sub(lines);
                    outcome
                }
                _ => Outcome::Delivered(None),
            };
            self.settle(place, outcome);
        }
    }

    /// Why a name is not reached now.
    pub fn why_unreached(&self, name: &str) -> Option<&str> {
        self.unreached.get(&self.casing.fold(name)).map(String::as_str)
    }

    pub fn is_unreached(&mut self, name: &str, reason: &str) {
        self.unreached.entry(self.casing.fold(name)).or_insert_with(|| reason.to_owned());
    }

    /// What becomes of a delivery that is not to be written: it has perished, or its address is not reached now.
    pub fn hopeless(&self, place: usize) -> Option<Outcome> {
        let delivery = &self.batch[place];
        if !self.has_perished(delivery) {
            return self.unreached_outcome(place);
        }
        let why = match &delivery.content {
            Content::Confirmation(_) => "the code is good no more".to_owned(),
            _ => format!("older than {} minutes", self.perishable_ms / 60_000),
        };
        Some(Outcome::Rejected(format!("expired: {why}")))
    }

    /// What becomes of a delivery whose address is not reached now.
    fn unreached_outcome(&self, place: usize) -> Option<Outcome> {
        let delivery = &self.batch[place];
        let reason = self.why_unreached(&delivery.recipient.address)?;
        Some(self.later(delivery, None, reason))
    }

    /// Later, unless it has perished meanwhile.
    pub fn later(&self, delivery: &Delivery, after_ms: Option<u64>, reason: &str) -> Outcome {
        if self.has_perished(delivery) {
            return Outcome::Rejected(format!("expired: {reason}"));
        }
        Outcome::retry_after(after_ms, reason)
    }

    /// A digest gathers for as long as its reader wants, so its age says nothing; the host's bound on it remains.
    fn has_perished(&self, delivery: &Delivery) -> bool {
        match &delivery.content {
            Content::Confirmation(confirmation) => self.now_ms > confirmation.expires_ms,
            Content::Single(_) => self.now_ms.saturating_sub(delivery.accepted_ms) > self.perishable_ms,
            Content::Digest(_) => false,
        }
    }
}
