//! Delivers a batch over one connection, and over a new one where that is lost. A failure of one delivery does not
//! affect the others; a failure of the channel ends the batch and costs no delivery an attempt.

use tidings_plugin::stream::StreamHost;
use tidings_plugin::{Delivery, Outcome, Trouble};

use super::reply_policy::ConnectionState;
use super::session::Session;
use super::transaction;
use crate::mail;
use crate::settings::Settings;

/// The least remaining time to start a delivery, in milliseconds; or a quarter of the call's time, if that is less; or
/// the time of the slowest delivery so far, if that is more.
const BEGIN_MS: u64 = 10_000;
/// After so many consecutive deliveries that lost the connection, the channel is at fault.
const LOSSES: u32 = 2;

/// Delivers in order. Calls `settled` with each outcome and its index as soon as the outcome is known.
pub fn deliver<H: StreamHost>(
    host: &H,
    settings: &Settings,
    batch: &[Delivery],
    mut settled: impl FnMut(usize, &Outcome),
) -> Vec<Outcome> {
    let reserve_ms = BEGIN_MS.min(host.remaining_ms() / 4);
    let mut run = BatchRun { host, settings, reserve_ms, session: None, losses: 0, trouble: None };
    let mut outcomes = Vec::with_capacity(batch.len());
    for (index, delivery) in batch.iter().enumerate() {
        let outcome = run.deliver(delivery);
        settled(index, &outcome);
        outcomes.push(outcome);
    }
    if let Some(session) = run.session {
        session.quit();
    }
    outcomes
}

struct BatchRun<'a, H: StreamHost> {
    host: &'a H,
    settings: &'a Settings,
    reserve_ms: u64,
    session: Option<Session<'a, H>>,
    /// Consecutive deliveries that lost the connection.
    losses: u32,
    /// Why the rest of the batch is not tried.
    trouble: Option<Trouble>,
}

impl<H: StreamHost> BatchRun<'_, H> {
    fn deliver(&mut self, delivery: &Delivery) -> Outcome {
        if let Some(trouble) = &self.trouble {
            return Outcome::ChannelTrouble(trouble.clone());
        }
        let before_ms = self.host.remaining_ms();
        if before_ms < self.reserve_ms {
            return Outcome::retry("no time was left for it in this call");
        }
        let outcome = self.attempt(delivery);
        self.reserve_ms = self.reserve_ms.max(before_ms.saturating_sub(self.host.remaining_ms()));
        outcome
    }

    fn attempt(&mut self, delivery: &Delivery) -> Outcome {
        let draft = match mail::compose(self.settings, delivery) {
            Ok(draft) => draft,
            Err(error) => return Outcome::Rejected(error.to_string()),
        };
        let opened = match self.session.take() {
            Some(session) => Ok(session),
            None => Session::open(self.host, self.settings),
        };
        let mut session = match opened {
            Ok(session) => session,
            Err(trouble) => {
                self.trouble = Some(trouble.clone());
                return Outcome::ChannelTrouble(trouble);
            }
        };
        let result = transaction::send(&mut session, &self.settings.envelope_from, draft);
        match result.connection {
            ConnectionState::Usable => {
                self.losses = 0;
                self.session = Some(session);
            }
            ConnectionState::Lost => {
                self.losses += 1;
                if self.losses >= LOSSES {
                    self.trouble =
                        Some(Trouble { after_ms: None, reason: "consecutive deliveries lost the connection".into() });
                }
            }
            ConnectionState::Trouble(trouble) => self.trouble = Some(trouble),
        }
        result.outcome
    }
}
