//! A batch over one connection, and over a second where the first is lost. One delivery's failure does not touch the
//! others; the channel's failure ends the batch without blaming any delivery.

use tidings_plugin::stream::StreamHost;
use tidings_plugin::{Delivery, Outcome, Trouble};

use super::judge::Connection;
use super::session::Session;
use super::transaction;
use crate::mail;
use crate::settings::Settings;

/// No delivery is begun with less time than this (milliseconds; or a quarter of the time that there was at first), nor
/// with less than the slowest one before it took.
const BEGIN_MS: u64 = 10_000;
/// After so many deliveries one after the other that lost the connection it is not their fault.
const LOSSES: u32 = 2;

/// Delivers them in order. `settled` hears each outcome as soon as it is known.
pub fn deliver<H: StreamHost>(
    host: &H,
    settings: &Settings,
    batch: &[Delivery],
    mut settled: impl FnMut(usize, &Outcome),
) -> Vec<Outcome> {
    let reserve_ms = BEGIN_MS.min(host.remaining_ms() / 4);
    let mut run = Run { host, settings, reserve_ms, session: None, losses: 0, trouble: None };
    let mut outcomes = Vec::with_capacity(batch.len());
    for (place, delivery) in batch.iter().enumerate() {
        let outcome = run.deliver(delivery);
        settled(place, &outcome);
        outcomes.push(outcome);
    }
    if let Some(session) = run.session {
        session.quit();
    }
    outcomes
}

struct Run<'a, H: StreamHost> {
    host: &'a H,
    settings: &'a Settings,
    reserve_ms: u64,
    session: Option<Session<'a, H>>,
    /// Deliveries in a row that lost the connection.
    losses: u32,
    /// Why nothing else is tried.
    trouble: Option<Trouble>,
}

impl<H: StreamHost> Run<'_, H> {
    fn deliver(&mut self, delivery: &Delivery) -> Outcome {
        if let Some(trouble) = &self.trouble {
            return Outcome::ChannelTrouble(trouble.clone());
        }
        let before_ms = self.host.remaining_ms();
        if before_ms < self.reserve_ms {
            return Outcome::retry("there was no time left for it in this batch");
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
        let verdict = transaction::send(&mut session, &self.settings.envelope_from, draft);
        match verdict.connection {
            Connection::Good => {
                self.losses = 0;
                self.session = Some(session);
            }
            Connection::Lost => {
                self.losses += 1;
                if self.losses >= LOSSES {
                    self.trouble =
                        Some(Trouble { after_ms: None, reason: "the connection is lost again and again".into() });
                }
            }
            Connection::Trouble(trouble) => self.trouble = Some(trouble),
        }
        verdict.outcome
    }
}
