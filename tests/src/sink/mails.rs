//! The accepted mails, parsed by a library that the daemon does not use to write them. It must not know SMTP.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use bytes::Bytes;
use mail_parser::MessageParser;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// The largest number of stored mails; the oldest is removed first.
const MAILS_MAX: usize = 50_000;
/// The largest total size of stored mails, in bytes.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// A mail that the server accepted.
#[derive(Clone, Debug)]
pub struct Mail {
    /// 1 for the first mail since the start of the server.
    pub number: u64,
    /// Seconds since 1970.
    pub received_at: u64,
    /// The same time, for measurements.
    pub arrived: std::time::Instant,
    /// The sender in the envelope.
    pub from: String,
    /// The recipients in the envelope.
    pub recipients: Vec<String>,
    /// Without the angle brackets; empty if the mail has none.
    pub message_id: String,
    pub subject: String,
    /// The text part.
    pub text: String,
    /// Names and values as received, encoded and folded.
    pub headers: Vec<(String, String)>,
    /// The data between DATA and the final dot, with dots unstuffed.
    pub raw: Bytes,
}

impl Mail {
    fn parse(number: u64, from: String, recipients: Vec<String>, raw: Bytes) -> Mail {
        let received_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let parsed = MessageParser::default().parse(&raw[..]).unwrap_or_default();
        let headers = parsed.headers_raw().map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Mail {
            number,
            received_at,
            arrived: std::time::Instant::now(),
            from,
            recipients,
            message_id: parsed.message_id().unwrap_or_default().to_owned(),
            subject: parsed.subject().unwrap_or_default().to_owned(),
            text: parsed.body_text(0).unwrap_or_default().into_owned(),
            headers,
            raw: raw.clone(),
        }
    }

    /// The values of a header as received, encoded and folded.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    pub fn is_for(&self, address: &str) -> bool {
        self.recipients.iter().any(|recipient| recipient == address)
    }
}

/// All mails of a server. Clones share the mailbox.
#[derive(Clone, Debug)]
pub struct Mailbox {
    stored: Arc<Mutex<StoredMails>>,
    arrived: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct StoredMails {
    mails: VecDeque<Arc<Mail>>,
    bytes: usize,
}

impl Default for Mailbox {
    fn default() -> Self {
        Mailbox { stored: Arc::default(), arrived: Arc::new(watch::Sender::new(0)) }
    }
}

impl Mailbox {
    pub(super) fn add(&self, from: String, recipients: Vec<String>, raw: Bytes) -> u64 {
        let mut stored = self.lock();
        // Counted under the lock, so that the number is unique.
        let number = *self.arrived.borrow() + 1;
        stored.bytes += raw.len();
        stored.mails.push_back(Arc::new(Mail::parse(number, from, recipients, raw)));
        while stored.mails.len() > MAILS_MAX || stored.bytes > BYTES_MAX {
            let Some(oldest) = stored.mails.pop_front() else { break };
            stored.bytes -= oldest.raw.len();
        }
        self.arrived.send_replace(number);
        number
    }

    /// Counts all mails since the start, including removed ones.
    pub fn count(&self) -> u64 {
        *self.arrived.borrow()
    }

    /// The stored mails, oldest first.
    pub fn all(&self) -> Vec<Arc<Mail>> {
        self.lock().mails.iter().cloned().collect()
    }

    pub fn get(&self, number: u64) -> Option<Arc<Mail>> {
        self.lock().mails.iter().find(|mail| mail.number == number).cloned()
    }

    /// The stored mails for an address, oldest first.
    pub fn to(&self, address: &str) -> Vec<Arc<Mail>> {
        self.all().into_iter().filter(|mail| mail.is_for(address)).collect()
    }

    /// Waits until `enough` returns a value for the stored mails. Fails after `limit` with an error that names `what`.
    pub async fn wait<T>(&self, what: &str, limit: Duration, enough: impl Fn(&[Arc<Mail>]) -> Option<T>) -> Result<T> {
        let end = Instant::now() + limit;
        let mut arrived = self.arrived.subscribe();
        loop {
            arrived.borrow_and_update();
            let mails = self.all();
            if let Some(value) = enough(&mails) {
                return Ok(value);
            }
            if timeout_at(end, arrived.changed()).await.is_err() {
                bail!("timeout after {limit:?} while waiting for: {what}; {} mails arrived", mails.len());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, StoredMails> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
