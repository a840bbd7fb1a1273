//! Whether a question may be sent: only to a nick whose owner is identified, since anyone who gives the code back gets what an
//! account is told.

use tidings_plugin::stream::StreamHost;
use tidings_plugin::{Delivery, Outcome};

use super::super::{ANSWER_MS, Engine, REMINDED};
use super::run::Run;
use crate::judge::shown;
use crate::session::{Heard, Session};

/// How long the services' word is waited for once they were asked: milliseconds.
const SERVICES_MS: u64 = 10 * 1000;
/// When the owner of an address is looked for again: milliseconds. He has to come and identify.
const LATER_MS: u64 = 10 * 60 * 1000;
/// Lines of a question to a person, about.
const QUESTION_LINES: usize = 4;

/// What was found out about the owner of a nick.
pub(super) enum Proof {
    /// He is identified, or the network has nobody who would know.
    Given,
    /// What becomes of the question instead.
    Missing(Outcome),
    /// The call does not last long enough to find out.
    NoTime,
}

impl<H: StreamHost> Engine<H> {
    /// Asks the services, and waits for their word.
    pub(super) fn proof<F>(&mut self, run: &mut Run<'_, F>, delivery: &Delivery) -> Proof
    where
        F: FnMut(usize, &Outcome),
    {
        let nick = delivery.recipient.address.clone();
        let nickserv = self.settings.nickserv.clone();
        let Some(question) = Session::question(&self.settings, &nick) else { return Proof::Given };
        if let Some(why) = run.why_unreached(&nickserv) {
            return Proof::Missing(run.later(delivery, Some(LATER_MS), &shown(why)));
        }
        if !self.fits(run, 1 + QUESTION_LINES, SERVICES_MS) {
            return Proof::NoTime;
        }
        let Some(link) = &mut self.link else { return Proof::NoTime };
        link.session.say(question);
        // The question waits for its turn as every line does.
        let wait_ms = SERVICES_MS + link.session.time_for(0, self.host.monotonic_ms());
        let end_ms = self.host.remaining_ms().saturating_sub(wait_ms).max(ANSWER_MS);
        loop {
            let missing = [&nick, &nickserv].into_iter().find_map(|name| run.why_unreached(name)).map(shown);
            let left_ms = self.host.remaining_ms().saturating_sub(end_ms);
            if self.link.is_none() {
                return Proof::NoTime;
            }
            if missing.is_some() || left_ms == 0 {
                let reason = missing.unwrap_or_else(|| "the network's services do not answer".to_owned());
                // The others of this batch need not wait for them too.
                run.is_unreached(&nickserv, &reason);
                return Proof::Missing(run.later(delivery, Some(LATER_MS), &reason));
            }
            let (heard, _) = self.pump(left_ms);
            run.hear(&heard);
            let casing = self.casing();
            let told = heard.iter().find_map(|what| match what {
                Heard::Identified { nick: other, yes } if casing.same(other, &nick) => Some(*yes),
                _ => None,
            });
            match told {
                Some(true) => return Proof::Given,
                Some(false) => {
                    self.remind(delivery, &nick);
                    let reason = "the nick is not identified with the services";
                    return Proof::Missing(run.later(delivery, Some(LATER_MS), reason));
                }
                None => {}
            }
        }
    }

    /// Tells an unidentified nick what to do: once for each question, since more would be a nuisance.
    fn remind(&mut self, delivery: &Delivery, nick: &str) {
        if self.reminded.len() >= REMINDED {
            self.reminded.clear();
        }
        if !self.reminded.insert(delivery.id.clone()) {
            return;
        }
        if let Some(link) = &mut self.link {
            let text = "Somebody, probably you, asked for notifications to be sent here. Identify with the network's \
                        services, and you get the code to confirm that within some minutes.";
            link.session.reply(format!("NOTICE {nick} :{text}"));
        }
    }
}
