//! Checks that a nick is identified before a confirmation is sent to it: the user who returns the code receives the
//! notifications of the account.

use tidings_plugin::stream::StreamHost;
use tidings_plugin::{Delivery, Outcome};

use super::super::{Engine, NOTIFIED, RETURN_MS};
use super::progress::BatchProgress;
use crate::server_errors::quote;
use crate::session::{Session, SessionEvent};

/// How long to wait for the answer of the services, in milliseconds.
const SERVICES_MS: u64 = 10 * 1000;
/// When an unidentified nick is checked again, in milliseconds. The user has to identify meanwhile.
const RETRY_MS: u64 = 10 * 60 * 1000;
/// The usual number of lines of a confirmation.
const CONFIRMATION_LINES: usize = 4;

/// The result of the check.
pub(super) enum IdentityCheck {
    /// The nick is identified, or the settings disable the check.
    Passed,
    /// The confirmation is not sent, with this outcome.
    Failed(Outcome),
    /// The call has no time for the check.
    NoTime,
}

impl<H: StreamHost> Engine<H> {
    /// Asks the services, and waits for the answer.
    pub(super) fn check_identity<F>(
        &mut self,
        progress: &mut BatchProgress<'_, F>,
        delivery: &Delivery,
    ) -> IdentityCheck
    where
        F: FnMut(usize, &Outcome),
    {
        let nick = delivery.recipient.address.clone();
        let nickserv = self.settings.nickserv.clone();
        let Some(query) = Session::identity_query(&self.settings, &nick) else { return IdentityCheck::Passed };
        if let Some(reason) = progress.unreachable_reason(&nickserv) {
            return IdentityCheck::Failed(progress.retry(delivery, Some(RETRY_MS), &quote(reason)));
        }
        if !self.has_time_for(progress, 1 + CONFIRMATION_LINES, SERVICES_MS) {
            return IdentityCheck::NoTime;
        }
        let Some(connection) = &mut self.connection else { return IdentityCheck::NoTime };
        connection.session.send(query);
        // The query itself waits for the rate limit.
        let wait_ms = SERVICES_MS + connection.session.time_for(0, self.host.monotonic_ms());
        let end_ms = self.host.remaining_ms().saturating_sub(wait_ms).max(RETURN_MS);
        loop {
            let failed = [&nick, &nickserv].into_iter().find_map(|name| progress.unreachable_reason(name)).map(quote);
            let left_ms = self.host.remaining_ms().saturating_sub(end_ms);
            if self.connection.is_none() {
                return IdentityCheck::NoTime;
            }
            if failed.is_some() || left_ms == 0 {
                let reason = failed.unwrap_or_else(|| "the network's services do not answer".to_owned());
                // Later confirmations of this batch do not wait for the services.
                progress.mark_unreachable(&nickserv, &reason);
                return IdentityCheck::Failed(progress.retry(delivery, Some(RETRY_MS), &reason));
            }
            let (events, _) = self.poll(left_ms);
            progress.on_events(&events);
            let casing = self.casing();
            let answer = events.iter().find_map(|event| match event {
                SessionEvent::Identified { nick: other, identified } if casing.same(other, &nick) => Some(*identified),
                _ => None,
            });
            match answer {
                Some(true) => return IdentityCheck::Passed,
                Some(false) => {
                    self.ask_to_identify(delivery, &nick);
                    let reason = "the nick is not identified with the services";
                    return IdentityCheck::Failed(progress.retry(delivery, Some(RETRY_MS), reason));
                }
                None => {}
            }
        }
    }

    /// Tells an unidentified nick what to do, once for each confirmation.
    fn ask_to_identify(&mut self, delivery: &Delivery, nick: &str) {
        if self.notified.len() >= NOTIFIED {
            self.notified.clear();
        }
        if !self.notified.insert(delivery.id.clone()) {
            return;
        }
        if let Some(connection) = &mut self.connection {
            let text = "Somebody, probably you, asked for notifications to be sent here. Identify with the network's \
                        services, and you get the code to confirm that within some minutes.";
            connection.session.send_reply(format!("NOTICE {nick} :{text}"));
        }
    }
}
