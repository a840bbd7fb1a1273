//! The mails that arrived, as parsed by a library that had no part in writing them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use bytes::Bytes;
use mail_parser::MessageParser;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Mails that are kept; the oldest goes first.
const MAILS_MAX: usize = 50_000;
/// Bytes that are kept of all mails together.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// One mail that the server took responsibility for.
#[derive(Clone, Debug)]
pub struct Mail {
    /// 1 for the first since the server started.
    pub number: u64,
    /// Seconds since 1970.
    pub received_at: u64,
    /// The same moment, for anyone who measures.
    pub arrived: std::time::Instant,
    /// Of the envelope.
    pub from: String,
    /// Of the envelope.
    pub recipients: Vec<String>,
    /// Without the angle brackets; empty where there is none.
    pub message_id: String,
    pub subject: String,
    /// The text part.
    pub text: String,
    /// Name and value as they came, encoded and folded.
    pub headers: Vec<(String, String)>,
    /// What came between DATA and the dot, unstuffed.
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

    /// The values of a header, encoded and folded as they came.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    pub fn is_for(&self, address: &str) -> bool {
        self.recipients.iter().any(|recipient| recipient == address)
    }
}

/// All mails of a server; clones are the same mailbox.
#[derive(Clone, Debug)]
pub struct Mailbox {
    kept: Arc<Mutex<Kept>>,
    arrived: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Kept {
    mails: VecDeque<Arc<Mail>>,
    bytes: usize,
}

impl Default for Mailbox {
    fn default() -> Self {
        Mailbox { kept: Arc::default(), arrived: Arc::new(watch::Sender::new(0)) }
    }
}

impl Mailbox {
    pub(super) fn add(&self, from: String, recipients: Vec<String>, raw: Bytes) -> u64 {
        let mut kept = self.lock();
        // Counted under the lock: no two mails have the same number.
        let number = *self.arrived.borrow() + 1;
        kept.bytes += raw.len();
        kept.mails.push_back(Arc::new(Mail::parse(number, from, recipients, raw)));
        while kept.mails.len() > MAILS_MAX || kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.mails.pop_front() else { break };
            kept.bytes -= oldest.raw.len();
        }
        self.arrived.send_replace(number);
        number
    }

    /// How many ever arrived.
    pub fn count(&self) -> u64 {
        *self.arrived.borrow()
    }

    /// Those that are kept, oldest first.
    pub fn all(&self) -> Vec<Arc<Mail>> {
        self.lock().mails.iter().cloned().collect()
    }

    pub fn get(&self, number: u64) -> Option<Arc<Mail>> {
        self.lock().mails.iter().find(|mail| mail.number == number).cloned()
    }

    /// Those for an address, oldest first.
    pub fn to(&self, address: &str) -> Vec<Arc<Mail>> {
        self.all().into_iter().filter(|mail| mail.is_for(address)).collect()
    }

    /// Waits until the mails satisfy `enough`, and returns what it made of them. After `limit` it fails and names `what`
    /// it waited for.
    pub async fn wait<T>(&self, what: &str, limit: Duration, enough: impl Fn(&[Arc<Mail>]) -> Option<T>) -> Result<T> {
        let end = Instant::now() + limit;
        let mut arrived = self.arrived.subscribe();
        loop {
            arrived.borrow_and_update();
            let mails = self.all();
            if let Some(answer) = enough(&mails) {
                return Ok(answer);
            }
            if timeout_at(end, arrived.changed()).await.is_err() {
                bail!("{what}: not within {limit:?}; {} mails arrived", mails.len());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
