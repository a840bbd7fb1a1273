//! The commands of SMTP (RFC 5321) that a mail server must understand, and the listener for connections. Parsing must not
//! depend on the state of a session.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::mails::Mailbox;
use super::script::Script;
use super::session;

/// The largest number of open connections; more wait until one closes.
const CONNECTIONS_MAX: usize = 100;
/// The largest mail, in bytes; the reply to EHLO announces it as `SIZE`.
pub(super) const MAIL_BYTES: usize = 25 * 1024 * 1024;

/// Accepts connections until the task is aborted.
pub(super) async fn serve(listener: TcpListener, mails: Mailbox, script: Script) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let session = session::Session::new(stream, mails.clone(), script.clone());
        tokio::spawn(async move {
            // An error means that the client disconnected during the session.
            let _ = session.run().await;
            drop(permit);
        });
    }
}

/// A line from the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SmtpCommand {
    Ehlo,
    Helo,
    Mail(MailFrom),
    Rcpt(String),
    Data,
    Rset,
    Noop,
    Vrfy,
    Quit,
    /// A known command with wrong arguments.
    Wrong(&'static str),
    Unknown,
}

/// `MAIL FROM` and its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MailFrom {
    pub address: String,
    /// Addresses or headers are in UTF-8.
    pub utf8: bool,
    /// The announced size, in bytes.
    pub size: usize,
}

/// Parses a line without the line end.
pub(super) fn command(line: &str) -> SmtpCommand {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" if !rest.trim().is_empty() => SmtpCommand::Ehlo,
        "HELO" if !rest.trim().is_empty() => SmtpCommand::Helo,
        "EHLO" | "HELO" => SmtpCommand::Wrong("501 5.5.4 a name is missing"),
        "MAIL" => mail(rest),
        "RCPT" => match path(rest, "TO:") {
            Some((address, parameters)) if !address.is_empty() && parameters.trim().is_empty() => {
                SmtpCommand::Rcpt(address.to_owned())
            }
            _ => SmtpCommand::Wrong("501 5.5.4 RCPT TO:<address> without parameters"),
        },
        "DATA" => SmtpCommand::Data,
        "RSET" => SmtpCommand::Rset,
        "NOOP" => SmtpCommand::Noop,
        "VRFY" => SmtpCommand::Vrfy,
        "QUIT" => SmtpCommand::Quit,
        _ => SmtpCommand::Unknown,
    }
}

fn mail(rest: &str) -> SmtpCommand {
    let Some((address, parameters)) = path(rest, "FROM:") else {
        return SmtpCommand::Wrong("501 5.5.4 MAIL FROM:<address>");
    };
    let mut sender = MailFrom { address: address.to_owned(), ..MailFrom::default() };
    for parameter in parameters.split_ascii_whitespace() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (name.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
            ("SMTPUTF8", "") => sender.utf8 = true,
            ("BODY", "7BIT" | "8BITMIME") => {}
            ("SIZE", digits) => match digits.parse() {
                Ok(size) => sender.size = size,
                Err(_) => return SmtpCommand::Wrong("501 5.5.4 SIZE is a number"),
            },
            _ => return SmtpCommand::Wrong("555 5.5.4 unknown parameter"),
        }
    }
    SmtpCommand::Mail(sender)
}

/// Parses `KEYWORD<path> parameters`.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let head = rest.get(..keyword.len())?;
    let path = rest[keyword.len()..].trim_start().strip_prefix('<')?;
    let (address, parameters) = path.split_once('>')?;
    head.eq_ignore_ascii_case(keyword).then_some((address, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_parsed_as_rfc_5321_defines_them() {
        let sender = |address: &str, utf8, size| SmtpCommand::Mail(MailFrom { address: address.into(), utf8, size });
        let table = [
            ("EHLO tidings.example", SmtpCommand::Ehlo),
            ("EHLO", SmtpCommand::Wrong("501 5.5.4 a name is missing")),
            ("mail from:<a@b> size=12 BODY=8BITMIME smtputf8", sender("a@b", true, 12)),
            ("MAIL FROM:<>", sender("", false, 0)),
            ("MAIL FROM:<a@b> SIZE=much", SmtpCommand::Wrong("501 5.5.4 SIZE is a number")),
            ("MAIL FROM:<a@b> RET=HDRS", SmtpCommand::Wrong("555 5.5.4 unknown parameter")),
            ("MAIL a@b", SmtpCommand::Wrong("501 5.5.4 MAIL FROM:<address>")),
            ("RCPT TO:<zoë@example.org>", SmtpCommand::Rcpt("zoë@example.org".into())),
            ("RCPT TO:<>", SmtpCommand::Wrong("501 5.5.4 RCPT TO:<address> without parameters")),
            ("quit", SmtpCommand::Quit),
            ("BDAT 12", SmtpCommand::Unknown),
            ("zoë", SmtpCommand::Unknown),
        ];
        for (line, expected) in table {
            assert_eq!(command(line), expected, "{line}");
        }
    }
}
