//! From a reply, or the lack of one, to what becomes of the delivery, of the connection and of the rest of the batch.
//! This is the table of the whole plugin: decisions only, no I/O.

use tidings_plugin::{Outcome, Trouble, net};

use super::reply::{Class, Reply};
use super::wire::Failure;

/// How long the channel rests where the server asks for a pause without saying how long: milliseconds.
pub const PAUSE_MS: u64 = 60_000;

/// Where in the dialogue a reply belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Reset,
    Mail,
    Recipient,
    Data,
    /// The mail itself was sent: from here on the server may have taken it.
    Content,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Reset => "RSET",
            Step::Mail => "MAIL",
            Step::Recipient => "RCPT",
            Step::Data => "DATA",
            Step::Content => "the mail",
        }
    }
}

/// What a transaction that has ended means.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub outcome: Outcome,
    pub connection: Connection,
}

/// What a transaction's end means for the deliveries behind it.
#[derive(Clone, Debug, PartialEq)]
pub enum Connection {
    /// Good for the next.
    Good,
    /// Gone, perhaps by this delivery's fault: the next gets a new one.
    Lost,
    /// The channel is in trouble, and nothing else is tried.
    Trouble(Trouble),
}

/// The reply to a command lets the transaction go on (`None`), or ends it.
pub fn judge(step: Step, reply: &Reply) -> Option<Verdict> {
    let said = || format!("{}: {reply}", step.name());
    let verdict = match (step, reply.class()) {
        (Step::Reset | Step::Mail | Step::Recipient, Class::Success) | (Step::Data, Class::Continue) => return None,
        _ if reply.closes() => trouble(Some(PAUSE_MS), said()),
        (Step::Reset, Class::Transient | Class::Permanent) => lost(said()),
        (Step::Mail, Class::Permanent) if !about_this_mail(reply) => trouble(None, said()),
        (_, Class::Transient) => good(Outcome::retry(said())),
        (_, Class::Permanent) => good(Outcome::Rejected(said())),
        (_, Class::Success | Class::Continue) => lost(format!("{}, which is no answer there", said())),
    };
    Some(verdict)
}

/// The reply to the mail itself ends the transaction in any case.
pub fn judge_content(reply: &Reply) -> Verdict {
    let said = format!("{}: {reply}", Step::Content.name());
    match reply.class() {
        Class::Success => good(Outcome::Delivered(Some(reply.text().into()))),
        // It may concern this mail, and perhaps it was taken: the delivery is tried again even if the channel rests.
        Class::Transient if reply.closes() => {
            Verdict { outcome: Outcome::retry(said.clone()), ..trouble(Some(PAUSE_MS), said) }
        }
        Class::Transient => good(Outcome::retry(said)),
        Class::Permanent => good(Outcome::Rejected(said)),
        Class::Continue => lost(format!("{said}, which is no answer there")),
    }
}

/// The connection failed while the reply of this step was awaited, or before it could be sent.
pub fn judge_failure(step: Step, failure: &Failure) -> Verdict {
    let why = format!("{}: {failure}", step.name());
    match (step, failure) {
        (Step::Content, Failure::Net(net::Error::Timeout)) => Verdict {
            outcome: Outcome::retry(format!("{why}; it may have arrived")),
            connection: Connection::Trouble(Trouble { after_ms: None, reason: why }),
        },
        (_, Failure::Net(net::Error::Timeout)) => trouble(None, why),
        (Step::Content, _) => lost(format!("{why}; it may have arrived")),
        _ => lost(why),
    }
}

fn good(outcome: Outcome) -> Verdict {
    Verdict { outcome, connection: Connection::Good }
}

fn trouble(after_ms: Option<u64>, reason: String) -> Verdict {
    let trouble = Trouble { after_ms, reason };
    Verdict { outcome: Outcome::ChannelTrouble(trouble.clone()), connection: Connection::Trouble(trouble) }
}

fn lost(reason: String) -> Verdict {
    Verdict { outcome: Outcome::retry(reason), connection: Connection::Lost }
}

/// A refusal of MAIL that another mail of the same sender would not meet: too large (552, X.2.3, X.3.4), or an address or
/// a body that the server cannot take (X.6.x, of which 5.6.7 is SMTPUTF8).
fn about_this_mail(reply: &Reply) -> bool {
    match reply.enhanced {
        Some((_, subject, detail)) => matches!((subject, detail), (2, 3) | (3, 4) | (6, _)),
        None => reply.code == 552,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_plugin::text::HeaderSafe;

    /// What one verdict is, in two words: the delivery's and the connection's.
    fn word(verdict: Option<Verdict>) -> (&'static str, &'static str) {
        let Some(verdict) = verdict else { return ("goes on", "good") };
        let outcome = match verdict.outcome {
            Outcome::Delivered(_) => "delivered",
            Outcome::Retry(_) => "retry",
            Outcome::Rejected(_) => "rejected",
            Outcome::AddressGone(_) => "gone",
            Outcome::ChannelTrouble(_) => "trouble",
        };
        let connection = match verdict.connection {
            Connection::Good => "good",
            Connection::Lost => "lost",
            Connection::Trouble(trouble) if trouble.after_ms.is_some() => "pause",
            Connection::Trouble(_) => "trouble",
        };
        (outcome, connection)
    }

    #[test]
    fn reliability_40_every_reply_at_every_step_has_its_outcome() {
        use Step::{Content, Data, Mail, Recipient, Reset};
        for (step, reply, expected) in [
            (Reset, "250 ok", ("goes on", "good")),
            (Reset, "421 bye", ("trouble", "pause")),
            (Reset, "451 no", ("retry", "lost")),
            (Reset, "500 what", ("retry", "lost")),
            (Mail, "250 ok", ("goes on", "good")),
            (Mail, "421 bye", ("trouble", "pause")),
            (Mail, "451 greylisted", ("retry", "good")),
            (Mail, "452 full", ("retry", "good")),
            (Mail, "530 authenticate first", ("trouble", "trouble")),
            (Mail, "550 blocked", ("trouble", "trouble")),
            (Mail, "554 5.7.1 blocked", ("trouble", "trouble")),
            (Mail, "552 too big", ("rejected", "good")),
            (Mail, "552 5.3.4 too big", ("rejected", "good")),
            (Mail, "552 5.2.2 quota", ("trouble", "trouble")),
            (Mail, "553 5.6.7 no UTF-8", ("rejected", "good")),
            (Mail, "354 go", ("retry", "lost")),
            (Recipient, "250 ok", ("goes on", "good")),
            (Recipient, "251 forwarded", ("goes on", "good")),
            (Recipient, "421 bye", ("trouble", "pause")),
            (Recipient, "450 4.2.1 later", ("retry", "good")),
            (Recipient, "452 too many", ("retry", "good")),
            (Recipient, "550 5.1.1 unknown", ("rejected", "good")),
            (Recipient, "553 bad name", ("rejected", "good")),
            (Data, "354 go", ("goes on", "good")),
            (Data, "421 bye", ("trouble", "pause")),
            (Data, "451 later", ("retry", "good")),
            (Data, "554 no", ("rejected", "good")),
            (Data, "250 ok", ("retry", "lost")),
            (Content, "250 2.0.0 queued", ("delivered", "good")),
            (Content, "421 bye", ("retry", "pause")),
            (Content, "451 later", ("retry", "good")),
            (Content, "452 full", ("retry", "good")),
            (Content, "550 spam", ("rejected", "good")),
            (Content, "554 5.7.1 spam", ("rejected", "good")),
            (Content, "354 go", ("retry", "lost")),
        ] {
            let (code, text) = reply.split_once(' ').unwrap();
            let reply = Reply::new(code.parse().unwrap(), vec![HeaderSafe::flatten(text)]);
            let verdict = if step == Content { Some(judge_content(&reply)) } else { judge(step, &reply) };
            assert_eq!(word(verdict), expected, "{step:?} {reply}");
        }
    }

    #[test]
    fn reliability_39_40_every_failure_at_every_step_has_its_outcome() {
        use Step::{Content, Data, Mail, Recipient, Reset};
        for step in [Reset, Mail, Recipient, Data] {
            let word = |failure| word(Some(judge_failure(step, &failure)));
            assert_eq!(word(Failure::Net(net::Error::Timeout)), ("trouble", "trouble"), "{step:?}");
            assert_eq!(word(Failure::Closed), ("retry", "lost"), "{step:?}");
        }
        let word = |failure| word(Some(judge_failure(Content, &failure)));
        assert_eq!(word(Failure::Net(net::Error::Timeout)), ("retry", "trouble"));
        assert_eq!(word(Failure::Net(net::Error::Failed("reset".into()))), ("retry", "lost"));
        assert_eq!(word(Failure::Closed), ("retry", "lost"));
    }
}
