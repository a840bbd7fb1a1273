//! How a mail server misbehaves: what it does at which point of the conversation, to whom, and how often.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A point of the conversation at which the server would answer.
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

/// What it does there instead of what is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A whole reply without the line end, e.g. `451 4.3.0 not now`. The command has no effect unless it begins with 2
    /// or 3.
    Reply(String),
    /// Waits first, then does what is right.
    Wait(Duration),
    /// Closes the connection; nothing was taken.
    Drop,
    /// Does what is right, but closes the connection instead of saying so: after the body, the mail was taken.
    LoseReply,
}

/// One entry of a script.
#[derive(Clone, Debug)]
pub struct ScriptRule {
    phase: Phase,
    recipient: Option<String>,
    times: Option<u32>,
    act: Act,
}

impl ScriptRule {
    pub fn at(phase: Phase, act: Act) -> ScriptRule {
        ScriptRule { phase, recipient: None, times: None, act }
    }

    /// Only for mails that go to this address: at `Recipient` itself and later.
    pub fn for_recipient(self, address: &str) -> ScriptRule {
        ScriptRule { recipient: Some(address.to_owned()), ..self }
    }

    /// So often, then never again.
    pub fn times(self, times: u32) -> ScriptRule {
        ScriptRule { times: Some(times), ..self }
    }
}

/// Rules in their order: the first that fits is used. Clones are the same script; it may change at any time.
#[derive(Clone, Debug, Default)]
pub struct Script(Arc<Mutex<Vec<ScriptRule>>>);

impl Script {
    pub fn add(&self, rule: ScriptRule) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    /// From now on the server behaves.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What to do at this point of a mail that goes to these recipients, if anything; uses up one time of the rule.
    pub(super) fn act(&self, phase: Phase, recipients: &[String]) -> Option<Act> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.iter_mut().find(|rule| {
            rule.phase == phase
                && rule.times != Some(0)
                && rule.recipient.as_ref().is_none_or(|address| recipients.contains(address))
        })?;
        rule.times = rule.times.map(|left| left - 1);
        Some(rule.act.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_used_at_its_phase_for_its_recipient_and_as_often_as_it_says() {
        let script = Script::default();
        let refuse = Act::Reply("550 5.1.1 no such user".into());
        script.add(ScriptRule::at(Phase::Recipient, refuse.clone()).for_recipient("ada@example.org").times(1));
        script.add(ScriptRule::at(Phase::Body, Act::LoseReply));
        let (ada, bo) = (["ada@example.org".to_owned()], ["bo@example.org".to_owned()]);
        let table = [
            (Phase::Recipient, &bo, None),
            (Phase::Sender, &ada, None),
            (Phase::Recipient, &ada, Some(refuse)),
            (Phase::Recipient, &ada, None),
            (Phase::Body, &bo, Some(Act::LoseReply)),
            (Phase::Body, &bo, Some(Act::LoseReply)),
        ];
        for (phase, recipients, act) in table {
            assert_eq!(script.act(phase, recipients), act, "{phase:?} {recipients:?}");
        }
        script.clear();
        assert_eq!(script.act(Phase::Body, &bo), None);
    }
}
