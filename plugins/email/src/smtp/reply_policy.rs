//! Decides what a reply, or a failure of the connection, means for the delivery, for the connection and for the rest of
//! the batch. It does no I/O.

use tidings_plugin::{Outcome, Trouble, net};

use super::reply::{Class, Reply};
use super::transport::TransportError;

/// The pause of the channel where the server asks for one without its length, in milliseconds.
pub const PAUSE_MS: u64 = 60_000;

/// The command that a reply belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Reset,
    Mail,
    Recipient,
    Data,
    /// The mail itself. Once it was sent, the server may have accepted it.
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

/// The result of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionResult {
    pub outcome: Outcome,
    pub connection: ConnectionState,
}

/// The state of the connection after a transaction, for the next deliveries.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionState {
    /// The next delivery can use it.
    Usable,
    /// The connection is lost, and this delivery may be the cause. The next delivery gets a new one.
    Lost,
    /// The channel fails, and the rest of the batch is not tried.
    Trouble(Trouble),
}

/// The result that the reply to a command causes; none where the transaction continues.
pub fn on_reply(step: Step, reply: &Reply) -> Option<TransactionResult> {
    let reason = || format!("{}: {reply}", step.name());
    let result = match (step, reply.class()) {
        (Step::Reset | Step::Mail | Step::Recipient, Class::Success) | (Step::Data, Class::Continue) => return None,
        _ if reply.closes() => trouble(Some(PAUSE_MS), reason()),
        (Step::Reset, Class::Transient | Class::Permanent) => lost(reason()),
        (Step::Mail, Class::Permanent) if !concerns_this_mail(reply) => trouble(None, reason()),
        (_, Class::Transient) => usable(Outcome::retry(reason())),
        (_, Class::Permanent) => usable(Outcome::Rejected(reason())),
        (_, Class::Success | Class::Continue) => lost(format!("{}: unexpected at this step", reason())),
    };
    Some(result)
}

/// The result that the reply to the mail itself causes.
pub fn on_content_reply(reply: &Reply) -> TransactionResult {
    let reason = format!("{}: {reply}", Step::Content.name());
    match reply.class() {
        Class::Success => usable(Outcome::Delivered(Some(reply.text().into()))),
        // The reply may concern this mail only, and the server may have accepted it: the delivery is retried by itself.
        Class::Transient if reply.closes() => {
            TransactionResult { outcome: Outcome::retry(reason.clone()), ..trouble(Some(PAUSE_MS), reason) }
        }
        Class::Transient => usable(Outcome::retry(reason)),
        Class::Permanent => usable(Outcome::Rejected(reason)),
        Class::Continue => lost(format!("{reason}: unexpected at this step")),
    }
}

/// The result of a connection that failed while this step's command was sent or its reply was awaited.
pub fn on_failure(step: Step, error: &TransportError) -> TransactionResult {
    let reason = format!("{}: {error}", step.name());
    match (step, error) {
        (Step::Content, TransportError::Net(net::Error::Timeout)) => TransactionResult {
            outcome: Outcome::retry(format!("{reason}; the mail may have arrived")),
            connection: ConnectionState::Trouble(Trouble { after_ms: None, reason }),
        },
        (_, TransportError::Net(net::Error::Timeout)) => trouble(None, reason),
        (Step::Content, _) => lost(format!("{reason}; the mail may have arrived")),
        _ => lost(reason),
    }
}

fn usable(outcome: Outcome) -> TransactionResult {
    TransactionResult { outcome, connection: ConnectionState::Usable }
}

fn trouble(after_ms: Option<u64>, reason: String) -> TransactionResult {
    let trouble = Trouble { after_ms, reason };
    TransactionResult {
        outcome: Outcome::ChannelTrouble(trouble.clone()),
        connection: ConnectionState::Trouble(trouble),
    }
}

fn lost(reason: String) -> TransactionResult {
    TransactionResult { outcome: Outcome::retry(reason), connection: ConnectionState::Lost }
}

/// Whether a refusal of MAIL concerns this mail only, not every mail of the sender: too large (552, X.2.3, X.3.4), or
/// an address or a body that the server does not support (X.6.x; 5.6.7 is SMTPUTF8).
fn concerns_this_mail(reply: &Reply) -> bool {
    match reply.enhanced {
        Some((_, subject, detail)) => matches!((subject, detail), (2, 3) | (3, 4) | (6, _)),
        None => reply.code == 552,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_plugin::text::HeaderSafe;

    /// A result in two words: of the delivery and of the connection.
    fn words(result: Option<TransactionResult>) -> (&'static str, &'static str) {
        let Some(result) = result else { return ("continues", "usable") };
        let outcome = match result.outcome {
            Outcome::Delivered(_) => "delivered",
            Outcome::Retry(_) => "retry",
            Outcome::Rejected(_) => "rejected",
            Outcome::AddressGone(_) => "gone",
            Outcome::ChannelTrouble(_) => "trouble",
        };
        let connection = match result.connection {
            ConnectionState::Usable => "usable",
            ConnectionState::Lost => "lost",
            ConnectionState::Trouble(trouble) if trouble.after_ms.is_some() => "pause",
            ConnectionState::Trouble(_) => "trouble",
        };
        (outcome, connection)
    }

    #[test]
    fn reliability_40_every_reply_at_every_step_has_its_outcome() {
        use Step::{Content, Data, Mail, Recipient, Reset};
        for (step, reply, expected) in [
            (Reset, "250 ok", ("continues", "usable")),
            (Reset, "421 bye", ("trouble", "pause")),
            (Reset, "451 no", ("retry", "lost")),
            (Reset, "500 what", ("retry", "lost")),
            (Mail, "250 ok", ("continues", "usable")),
            (Mail, "421 bye", ("trouble", "pause")),
            (Mail, "451 greylisted", ("retry", "usable")),
            (Mail, "452 full", ("retry", "usable")),
            (Mail, "530 authenticate first", ("trouble", "trouble")),
            (Mail, "550 blocked", ("trouble", "trouble")),
            (Mail, "554 5.7.1 blocked", ("trouble", "trouble")),
            (Mail, "552 too big", ("rejected", "usable")),
            (Mail, "552 5.3.4 too big", ("rejected", "usable")),
            (Mail, "552 5.2.2 quota", ("trouble", "trouble")),
            (Mail, "553 5.6.7 no UTF-8", ("rejected", "usable")),
            (Mail, "354 go", ("retry", "lost")),
            (Recipient, "250 ok", ("continues", "usable")),
            (Recipient, "251 forwarded", ("continues", "usable")),
            (Recipient, "421 bye", ("trouble", "pause")),
            (Recipient, "450 4.2.1 later", ("retry", "usable")),
            (Recipient, "452 too many", ("retry", "usable")),
            (Recipient, "550 5.1.1 unknown", ("rejected", "usable")),
            (Recipient, "553 bad name", ("rejected", "usable")),
            (Data, "354 go", ("continues", "usable")),
            (Data, "421 bye", ("trouble", "pause")),
            (Data, "451 later", ("retry", "usable")),
            (Data, "554 no", ("rejected", "usable")),
            (Data, "250 ok", ("retry", "lost")),
            (Content, "250 2.0.0 queued", ("delivered", "usable")),
            (Content, "421 bye", ("retry", "pause")),
            (Content, "451 later", ("retry", "usable")),
            (Content, "452 full", ("retry", "usable")),
            (Content, "550 spam", ("rejected", "usable")),
            (Content, "554 5.7.1 spam", ("rejected", "usable")),
            (Content, "354 go", ("retry", "lost")),
        ] {
            let (code, text) = reply.split_once(' ').unwrap();
            let reply = Reply::new(code.parse().unwrap(), vec![HeaderSafe::flatten(text)]);
            let result = if step == Content { Some(on_content_reply(&reply)) } else { on_reply(step, &reply) };
            assert_eq!(words(result), expected, "{step:?} {reply}");
        }
    }

    #[test]
    fn reliability_39_40_every_failure_at_every_step_has_its_outcome() {
        use Step::{Content, Data, Mail, Recipient, Reset};
        for step in [Reset, Mail, Recipient, Data] {
            let words = |error| words(Some(on_failure(step, &error)));
            assert_eq!(words(TransportError::Net(net::Error::Timeout)), ("trouble", "trouble"), "{step:?}");
            assert_eq!(words(TransportError::Closed), ("retry", "lost"), "{step:?}");
        }
        let words = |error| words(Some(on_failure(Content, &error)));
        assert_eq!(words(TransportError::Net(net::Error::Timeout)), ("retry", "trouble"));
        assert_eq!(words(TransportError::Net(net::Error::Failed("reset".into()))), ("retry", "lost"));
        assert_eq!(words(TransportError::Closed), ("retry", "lost"));
    }
}
