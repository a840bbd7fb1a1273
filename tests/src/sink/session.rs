//! One SMTP session: its state, and the handling of the next line. It must not decide about failures; the script does.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::sleep;

use super::mails::Mailbox;
use super::script::{Phase, Script, SmtpFault};
use super::smtp::{MAIL_BYTES, MailFrom, SmtpCommand, command};

/// The longest line of a command or of a mail, in bytes, including the line end.
const LINE_BYTES: u64 = 4096;
/// The largest number of recipients of one mail.
const RECIPIENTS_MAX: usize = 1000;
const EXTENSIONS: &str = "250-sink.localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 26214400";

/// The connection of a client, and its current mail.
pub(super) struct Session {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// Replies that are sent after all pipelined commands of the client are read (RFC 2920).
    replies: Vec<u8>,
    mails: Mailbox,
    script: Script,
    greeted: bool,
    sender: Option<MailFrom>,
    recipients: Vec<String>,
}

/// Whether the session continues.
#[derive(PartialEq, Eq)]
enum Next {
    Line,
    Close,
}

impl Session {
    pub fn new(stream: TcpStream, mails: Mailbox, script: Script) -> Session {
        let (reader, writer) = stream.into_split();
        Session {
            reader: BufReader::new(reader),
            writer,
            replies: Vec::new(),
            mails,
            script,
            greeted: false,
            sender: None,
            recipients: Vec::new(),
        }
    }

    /// Runs until the client quits or disconnects.
    pub async fn run(mut self) -> io::Result<()> {
        let mut next = self.respond(Phase::Greeting, &[], "220 sink.localhost ESMTP", |_| {}).await?;
        while next == Next::Line {
            if self.reader.buffer().is_empty() {
                self.flush().await?;
            }
            next = match self.line().await? {
                None => Next::Close,
                Some(line) if !line.ends_with(b"\r\n") => self.reply("500 5.5.2 line too long or without CRLF"),
                Some(line) => match std::str::from_utf8(&line[..line.len() - 2]) {
                    Ok(text) => self.execute(command(text)).await?,
                    Err(_) => self.reply("500 5.5.2 not UTF-8"),
                },
            };
        }
        self.flush().await?;
        self.writer.shutdown().await
    }

    async fn execute(&mut self, command: SmtpCommand) -> io::Result<Next> {
        match command {
            SmtpCommand::Ehlo => self.hello(EXTENSIONS).await,
            SmtpCommand::Helo => self.hello("250 sink.localhost").await,
            SmtpCommand::Mail(sender) => self.mail(sender).await,
            SmtpCommand::Rcpt(address) => self.rcpt(address).await,
            SmtpCommand::Data => self.data().await,
            SmtpCommand::Rset => {
                self.reset();
                Ok(self.reply("250 2.0.0 forgotten"))
            }
            SmtpCommand::Noop => Ok(self.reply("250 2.0.0 done")),
            SmtpCommand::Vrfy => Ok(self.reply("252 2.1.5 send and see")),
            SmtpCommand::Quit => {
                self.reply("221 2.0.0 goodbye");
                Ok(Next::Close)
            }
            SmtpCommand::Wrong(reply) => Ok(self.reply(reply)),
            SmtpCommand::Unknown => Ok(self.reply("500 5.5.1 unknown command")),
        }
    }

    async fn hello(&mut self, reply: &str) -> io::Result<Next> {
        self.reset();
        self.respond(Phase::Hello, &[], reply, |session| session.greeted = true).await
    }

    async fn mail(&mut self, sender: MailFrom) -> io::Result<Next> {
        if !self.greeted || self.sender.is_some() {
            return Ok(self.reply("503 5.5.1 not now"));
        }
        if sender.size > MAIL_BYTES {
            return Ok(self.reply("552 5.3.4 too large"));
        }
        if !sender.address.is_ascii() && !sender.utf8 {
            return Ok(self.reply("553 5.6.7 that address needs SMTPUTF8"));
        }
        self.respond(Phase::Sender, &[], "250 2.1.0 ok", |session| session.sender = Some(sender)).await
    }

    async fn rcpt(&mut self, address: String) -> io::Result<Next> {
        let Some(sender) = &self.sender else {
            return Ok(self.reply("503 5.5.1 MAIL first"));
        };
        if !address.is_ascii() && !sender.utf8 {
            return Ok(self.reply("553 5.6.7 that address needs SMTPUTF8"));
        }
        if self.recipients.len() == RECIPIENTS_MAX {
            return Ok(self.reply("452 4.5.3 too many recipients"));
        }
        let this = [address.clone()];
        self.respond(Phase::Recipient, &this, "250 2.1.5 ok", |session| session.recipients.push(address)).await
    }

    async fn data(&mut self) -> io::Result<Next> {
        if self.recipients.is_empty() {
            return Ok(self.reply("503 5.5.1 no valid recipients"));
        }
        let recipients = self.recipients.clone();
        let mut go = false;
        let next = self.respond(Phase::Data, &recipients, "354 end with a dot", |_| go = true).await?;
        if !go || next == Next::Close {
            return Ok(next);
        }
        self.flush().await?;
        let Some(raw) = self.body().await? else {
            return Ok(Next::Close);
        };
        let sender = self.sender.take().unwrap_or_default();
        self.reset();
        if raw.len() > MAIL_BYTES {
            return Ok(self.reply("552 5.3.4 too large"));
        }
        let envelope = recipients.clone();
        self.respond(Phase::Body, &recipients, "250 2.0.0 taken", |session| {
            session.mails.add(sender.address, envelope, raw.into());
        })
        .await
    }

    /// Reads the lines up to the final dot and unstuffs dots; `None` if the client disconnects before it. Of a body that is
    /// too large, it stores only enough to detect that.
    async fn body(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (mut body, mut at_start) = (Vec::new(), true);
        loop {
            let Some(line) = self.line().await? else { return Ok(None) };
            if at_start && line == b".\r\n" {
                return Ok(Some(body));
            }
            let stuffed = at_start && line.starts_with(b".");
            at_start = line.ends_with(b"\r\n");
            if body.len() <= MAIL_BYTES {
                body.extend_from_slice(&line[usize::from(stuffed)..]);
            }
        }
    }

    /// Reads up to and including the next LF, at most the longest line; `None` at the end of the connection.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.reader).take(LINE_BYTES).read_until(b'\n', &mut line).await?;
        Ok((!line.is_empty()).then_some(line))
    }

    /// Performs `effect` and sends `reply`, unless the script has a failure for this phase.
    async fn respond(
        &mut self,
        phase: Phase,
        recipients: &[String],
        reply: &str,
        effect: impl FnOnce(&mut Session),
    ) -> io::Result<Next> {
        match self.script.fault(phase, recipients) {
            None => {
                effect(self);
                Ok(self.reply(reply))
            }
            Some(SmtpFault::Wait(time)) => {
                self.flush().await?;
                sleep(time).await;
                effect(self);
                Ok(self.reply(reply))
            }
            Some(SmtpFault::Reply(scripted)) => {
                if scripted.starts_with(['2', '3']) {
                    effect(self);
                }
                let last = scripted.starts_with("421");
                self.reply(&scripted);
                Ok(if last { Next::Close } else { Next::Line })
            }
            Some(SmtpFault::Drop) => Ok(Next::Close),
            Some(SmtpFault::LoseReply) => {
                effect(self);
                Ok(Next::Close)
            }
        }
    }

    fn reply(&mut self, reply: &str) -> Next {
        self.replies.extend_from_slice(reply.as_bytes());
        self.replies.extend_from_slice(b"\r\n");
        Next::Line
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.writer.write_all(&self.replies).await?;
        self.replies.clear();
        Ok(())
    }

    fn reset(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }
}
