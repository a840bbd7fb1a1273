//! The failures of the mail server on request: which, in which phase of the SMTP session, for which recipient, and how often.
//! It only decides; the session acts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A phase of the SMTP session in which the server replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// After the final dot.
    Body,
}

/// How the server handles a command instead of the usual way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmtpFault {
    /// Sends this reply, without the line end, e.g. `451 4.3.0 not now`. The command has an effect only if the reply begins
    /// with 2 or 3.
    Reply(String),
    /// Waits, then handles the command.
    Wait(Duration),
    /// Closes the connection and does not handle the command.
    Drop,
    /// Handles the command and closes the connection without a reply. After the body, the mail is accepted.
    LoseReply,
}

/// One entry of a script.
#[derive(Clone, Debug)]
pub struct ScriptRule {
    phase: Phase,
    recipient: Option<String>,
    times: Option<u32>,
    fault: SmtpFault,
}

impl ScriptRule {
    pub fn at(phase: Phase, fault: SmtpFault) -> ScriptRule {
        ScriptRule { phase, recipient: None, times: None, fault }
    }

    /// Limits the rule to mails to this address, in the phase `Recipient` and later.
    pub fn for_recipient(self, address: &str) -> ScriptRule {
        ScriptRule { recipient: Some(address.to_owned()), ..self }
    }

    /// Limits how often the rule applies.
    pub fn times(self, times: u32) -> ScriptRule {
        ScriptRule { times: Some(times), ..self }
    }
}

/// Rules in order: the first that matches applies. Clones share the script, and it may change at any time.
#[derive(Clone, Debug, Default)]
pub struct Script(Arc<Mutex<Vec<ScriptRule>>>);

impl Script {
    pub fn add(&self, rule: ScriptRule) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The failure in this phase of a mail to these recipients, if a rule matches. Counts one use of the rule.
    pub(super) fn fault(&self, phase: Phase, recipients: &[String]) -> Option<SmtpFault> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.iter_mut().find(|rule| {
            rule.phase == phase
                && rule.times != Some(0)
                && rule.recipient.as_ref().is_none_or(|address| recipients.contains(address))
        })?;
        rule.times = rule.times.map(|left| left - 1);
        Some(rule.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_applies_in_its_phase_for_its_recipient_and_as_often_as_it_says() {
        let script = Script::default();
        let refuse = SmtpFault::Reply("550 5.1.1 no such user".into());
        script.add(ScriptRule::at(Phase::Recipient, refuse.clone()).for_recipient("ada@example.org").times(1));
        script.add(ScriptRule::at(Phase::Body, SmtpFault::LoseReply));
        let (ada, bo) = (["ada@example.org".to_owned()], ["bo@example.org".to_owned()]);
        let table = [
            (Phase::Recipient, &bo, None),
            (Phase::Sender, &ada, None),
            (Phase::Recipient, &ada, Some(refuse)),
            (Phase::Recipient, &ada, None),
            (Phase::Body, &bo, Some(SmtpFault::LoseReply)),
            (Phase::Body, &bo, Some(SmtpFault::LoseReply)),
        ];
        for (phase, recipients, fault) in table {
            assert_eq!(script.fault(phase, recipients), fault, "{phase:?} {recipients:?}");
        }
        script.clear();
        assert_eq!(script.fault(Phase::Body, &bo), None);
    }
}
