//! One mail to one address over an open session.

use tidings_plugin::Outcome;
use tidings_plugin::stream::StreamHost;

use super::judge::{Connection, Step, Verdict, judge, judge_content, judge_failure};
use super::session::{COMMAND_MS, Session};
use crate::address::Address;
use crate::mail::{Draft, Mail};

/// For each part of the mail, and for the reply that says it was taken: milliseconds.
const CONTENT_MS: u64 = 100_000;

/// Sends it, and says what that means.
pub fn send<H: StreamHost>(session: &mut Session<'_, H>, from: &Address, draft: Draft) -> Verdict {
    let to = draft.to.clone();
    let mail = draft.write(session.capabilities.eight_bit);
    if let Some(reason) = refused_beforehand(session, &mail) {
        return Verdict { outcome: Outcome::Rejected(reason), connection: Connection::Good };
    }
    let mut envelope = Vec::with_capacity(3);
    if session.used {
        envelope.push((Step::Reset, "RSET\r\n".to_owned()));
    }
    envelope.push((Step::Mail, mail_command(session, from, &mail)));
    envelope.push((Step::Recipient, format!("RCPT TO:<{to}>\r\n")));
    session.used = true;

    let enveloped = match session.capabilities.pipelining {
        true => pipelined(session, &envelope),
        false => one_by_one(session, &envelope),
    };
    enveloped.or_else(|| exchange(session, Step::Data, "DATA\r\n")).unwrap_or_else(|| content(session, &mail.stuffed()))
}

/// What the server said at EHLO is enough to know that it would not take this mail.
fn refused_beforehand<H: StreamHost>(session: &Session<'_, H>, mail: &Mail) -> Option<String> {
    match session.capabilities.size_limit {
        Some(limit) if mail.size() > limit => {
            Some(format!("the mail has {} octets, and the server takes at most {limit}", mail.size()))
        }
        _ if mail.utf8 && !session.capabilities.utf8 => {
            Some("the address is not ASCII, and the server does not offer SMTPUTF8".to_owned())
        }
        _ => None,
    }
}

fn mail_command<H: StreamHost>(session: &Session<'_, H>, from: &Address, mail: &Mail) -> String {
    let mut command = format!("MAIL FROM:<{from}>");
    if session.capabilities.size {
        command.push_str(&format!(" SIZE={}", mail.size()));
    }
    if mail.eight_bit {
        command.push_str(" BODY=8BITMIME");
    }
    if mail.utf8 {
        command.push_str(" SMTPUTF8");
    }
    command + "\r\n"
}

/// Sends all commands at once and reads all replies; the first that ends the transaction decides.
fn pipelined<H: StreamHost>(session: &mut Session<'_, H>, commands: &[(Step, String)]) -> Option<Verdict> {
    let together: String = commands.iter().map(|(_, command)| command.as_str()).collect();
    let first = commands.first()?.0;
    if let Err(failure) = session.wire.write(together.as_bytes(), COMMAND_MS) {
        return Some(judge_failure(first, &failure));
    }
    let mut ended: Option<Verdict> = None;
    for (step, _) in commands {
        let Some(verdict) = read(session, *step) else { continue };
        let connection = verdict.connection.clone();
        ended = Some(Verdict { connection: connection.clone(), ..ended.unwrap_or(verdict) });
        if connection != Connection::Good {
            break;
        }
    }
    ended
}

fn one_by_one<H: StreamHost>(session: &mut Session<'_, H>, commands: &[(Step, String)]) -> Option<Verdict> {
    commands.iter().find_map(|(step, command)| exchange(session, *step, command))
}

fn exchange<H: StreamHost>(session: &mut Session<'_, H>, step: Step, command: &str) -> Option<Verdict> {
    match session.wire.write(command.as_bytes(), COMMAND_MS) {
        Ok(()) => read(session, step),
        Err(failure) => Some(judge_failure(step, &failure)),
    }
}

fn read<H: StreamHost>(session: &mut Session<'_, H>, step: Step) -> Option<Verdict> {
    match session.wire.read_reply(COMMAND_MS) {
        Ok(reply) => judge(step, &reply),
        Err(failure) => Some(judge_failure(step, &failure)),
    }
}

fn content<H: StreamHost>(session: &mut Session<'_, H>, mail: &[u8]) -> Verdict {
    match session.wire.write(mail, CONTENT_MS).and_then(|()| session.wire.read_reply(CONTENT_MS)) {
        Ok(reply) => judge_content(&reply),
        Err(failure) => judge_failure(Step::Content, &failure),
    }
}
