//! Sends one mail to one address over an open session.

use tidings_plugin::Outcome;
use tidings_plugin::stream::StreamHost;

use super::reply_policy::{ConnectionState, Step, TransactionResult, on_content_reply, on_failure, on_reply};
use super::session::{COMMAND_MS, Session};
use crate::address::Address;
use crate::mail::{Draft, Mail};

/// The time limit of each part of the mail, and of the reply to the mail, in milliseconds.
const CONTENT_MS: u64 = 100_000;

/// Sends the mail.
pub fn send<H: StreamHost>(session: &mut Session<'_, H>, from: &Address, draft: Draft) -> TransactionResult {
    let to = draft.to.clone();
    let mail = draft.write(session.capabilities.eight_bit);
    if let Some(reason) = unsupported(session, &mail) {
        return TransactionResult { outcome: Outcome::Rejected(reason), connection: ConnectionState::Usable };
    }
    let mut envelope = Vec::with_capacity(3);
    if session.used {
        envelope.push((Step::Reset, "RSET\r\n".to_owned()));
    }
    envelope.push((Step::Mail, mail_command(session, from, &mail)));
    envelope.push((Step::Recipient, format!("RCPT TO:<{to}>\r\n")));
    session.used = true;

    let ended = match session.capabilities.pipelining {
        true => pipelined(session, &envelope),
        false => one_by_one(session, &envelope),
    };
    ended.or_else(|| exchange(session, Step::Data, "DATA\r\n")).unwrap_or_else(|| content(session, &mail.stuffed()))
}

/// Why the server would refuse this mail, as far as its reply to EHLO shows.
fn unsupported<H: StreamHost>(session: &Session<'_, H>, mail: &Mail) -> Option<String> {
    match session.capabilities.size_limit {
        Some(limit) if mail.size() > limit => {
            Some(format!("the mail has {} octets, and the server accepts at most {limit}", mail.size()))
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

/// Sends all commands at once and reads all replies. The first reply that ends the transaction decides the outcome.
fn pipelined<H: StreamHost>(session: &mut Session<'_, H>, commands: &[(Step, String)]) -> Option<TransactionResult> {
    let together: String = commands.iter().map(|(_, command)| command.as_str()).collect();
    let first = commands.first()?.0;
    if let Err(error) = session.transport.write(together.as_bytes(), COMMAND_MS) {
        return Some(on_failure(first, &error));
    }
    let mut ended: Option<TransactionResult> = None;
    for (step, _) in commands {
        let Some(result) = read(session, *step) else { continue };
        let connection = result.connection.clone();
        ended = Some(TransactionResult { connection: connection.clone(), ..ended.unwrap_or(result) });
        if connection != ConnectionState::Usable {
            break;
        }
    }
    ended
}

fn one_by_one<H: StreamHost>(session: &mut Session<'_, H>, commands: &[(Step, String)]) -> Option<TransactionResult> {
    commands.iter().find_map(|(step, command)| exchange(session, *step, command))
}

fn exchange<H: StreamHost>(session: &mut Session<'_, H>, step: Step, command: &str) -> Option<TransactionResult> {
    match session.transport.write(command.as_bytes(), COMMAND_MS) {
        Ok(()) => read(session, step),
        Err(error) => Some(on_failure(step, &error)),
    }
}

fn read<H: StreamHost>(session: &mut Session<'_, H>, step: Step) -> Option<TransactionResult> {
    match session.transport.read_reply(COMMAND_MS) {
        Ok(reply) => on_reply(step, &reply),
        Err(error) => Some(on_failure(step, &error)),
    }
}

fn content<H: StreamHost>(session: &mut Session<'_, H>, mail: &[u8]) -> TransactionResult {
    match session.transport.write(mail, CONTENT_MS).and_then(|()| session.transport.read_reply(CONTENT_MS)) {
        Ok(reply) => on_content_reply(&reply),
        Err(error) => on_failure(Step::Content, &error),
    }
}
