//! One endpoint of a source, as operators see it: its state, its counters, and the gaps in the numbers of its
//! publishers. Reading a status is cheap and changes nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tidings_domain::gap::{GapWatch, Sequence};
use tidings_domain::limits;
use tidings_domain::message::{Envelope, Refusal};
use tidings_domain::time::Timestamp;
use tokio::sync::watch;

/// The state of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Waiting for the publisher to answer.
    Connecting,
    /// Connected, with the topics requested (a replay: being read). The publisher applies them within a round trip;
    /// earlier messages do not arrive.
    Subscribed,
    /// Lost or refused; waits before the next attempt.
    BackingOff,
    /// The source has ended.
    Ended,
}

/// A snapshot of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointStatus {
    pub name: String,
    pub state: EndpointState,
    pub since: Timestamp,
    /// The latest error, kept after the endpoint has recovered.
    pub trouble: Option<String>,
    /// Messages and their bytes handed to intake.
    pub messages: u64,
    pub bytes: u64,
    /// Refused messages by reason. Only the checks of this crate; intake refuses more.
    pub refused: Vec<RefusedCount>,
    /// Connections after the first that replaced a lost one.
    pub reconnects: u64,
    /// Connections that replaced one nothing had come over for `bus.idle`.
    pub renewals: u64,
    /// Messages that found the buffer full and waited.
    pub waits: u64,
    /// Jumps of a publisher's counter, and the numbers that are missing because of them.
    pub gaps: u64,
    pub missing: u64,
    /// Publishers that restarted their counter.
    pub restarts: u64,
    pub started_at: Timestamp,
    /// When the latest message arrived; none before the first.
    pub last_message_at: Option<Timestamp>,
}

/// How often one reason to refuse occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedCount {
    pub reason: Refusal,
    pub count: u64,
}

impl EndpointStatus {
    /// The time since the latest message, or since the start if there was none.
    pub fn silence(&self, now: Timestamp) -> Duration {
        now.since(self.last_message_at.unwrap_or(self.started_at))
    }
}

/// The reasons for which this crate refuses a message.
const REASONS: [Refusal; 3] = [Refusal::WrongParts, Refusal::TooLarge, Refusal::BadTopic];

/// One endpoint of a source.
#[derive(Debug)]
pub struct Endpoint {
    name: String,
    started_at: Timestamp,
    state: watch::Sender<(EndpointState, Timestamp)>,
    trouble: Mutex<Option<String>>,
    messages: AtomicU64,
    bytes: AtomicU64,
    refused: [AtomicU64; REASONS.len()],
    reconnects: AtomicU64,
    renewals: AtomicU64,
    waits: AtomicU64,
    gaps: AtomicU64,
    missing: AtomicU64,
    restarts: AtomicU64,
    last_message_at: AtomicU64,
    watch: Mutex<GapWatch>,
}

impl Endpoint {
    pub(crate) fn new(name: impl Into<String>) -> Arc<Endpoint> {
        let now = crate::now();
        Arc::new(Endpoint {
            name: name.into(),
            started_at: now,
            state: watch::Sender::new((EndpointState::Connecting, now)),
            trouble: Mutex::default(),
            messages: AtomicU64::default(),
            bytes: AtomicU64::default(),
            refused: Default::default(),
            reconnects: AtomicU64::default(),
            renewals: AtomicU64::default(),
            waits: AtomicU64::default(),
            gaps: AtomicU64::default(),
            missing: AtomicU64::default(),
            restarts: AtomicU64::default(),
            last_message_at: AtomicU64::default(),
            watch: Mutex::default(),
        })
    }

    /// The address, or the file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until the endpoint is in `state`.
    pub async fn reached(&self, state: EndpointState) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.state.subscribe().wait_for(|(current, _)| *current == state).await;
    }

    /// Records a parsed message's number; returns none if it has no `i`. For intake, once for each message.
    pub fn observe(&self, connection: u64, envelope: &Envelope) -> Option<Sequence> {
        let i = envelope.value().get("i").and_then(Value::as_u64)?;
        // All messages of one fedmsg process carry the same user and share one counter for all topics.
        let publisher = envelope.value().get("username").and_then(Value::as_str).unwrap_or_default();
        if publisher.len() > limits::TOPIC_BYTES {
            return Some(Sequence::Untracked);
        }
        let sequence = lock(&self.watch).observe(connection, publisher, i, envelope.id());
        self.count(sequence);
        Some(sequence)
    }

    fn count(&self, sequence: Sequence) {
        match sequence {
            Sequence::Gap { missing, .. } => {
                self.gaps.fetch_add(1, Relaxed);
                self.missing.fetch_add(missing, Relaxed);
            }
            Sequence::Restart { missing } => {
                self.restarts.fetch_add(1, Relaxed);
                self.missing.fetch_add(missing, Relaxed);
            }
            Sequence::Late => {
                self.missing.fetch_sub(1, Relaxed);
            }
            Sequence::Mixed { retracted } => {
                self.missing.fetch_sub(retracted, Relaxed);
            }
            Sequence::First | Sequence::Next | Sequence::Repeat | Sequence::Untracked => {}
        }
    }

    /// A snapshot. The counters are read one after the other, so they may differ by the messages of that instant.
    pub fn status(&self) -> EndpointStatus {
        let (state, since) = *self.state.borrow();
        let last = self.last_message_at.load(Relaxed);
        EndpointStatus {
            name: self.name.clone(),
            state,
            since,
            trouble: lock(&self.trouble).clone(),
            messages: self.messages.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            refused: REASONS
                .iter()
                .zip(&self.refused)
                .map(|(reason, count)| RefusedCount { reason: *reason, count: count.load(Relaxed) })
                .collect(),
            reconnects: self.reconnects.load(Relaxed),
            renewals: self.renewals.load(Relaxed),
            waits: self.waits.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            missing: self.missing.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            last_message_at: (last > 0).then(|| Timestamp::from_millis(last)),
            started_at: self.started_at,
        }
    }

    pub(crate) fn enter(&self, state: EndpointState) {
        self.state.send_replace((state, crate::now()));
    }

    /// Records an error; returns true if it differs from the previous one, so that the caller logs it.
    pub(crate) fn record_trouble(&self, text: &str) -> bool {
        let text: String = text.chars().take(limits::REASON_CHARS).collect();
        let mut trouble = lock(&self.trouble);
        let differs = trouble.as_ref() != Some(&text);
        *trouble = Some(text);
        differs
    }

    pub(crate) fn count_message(&self, bytes: usize, at: Timestamp) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.last_message_at.store(at.as_millis(), Relaxed);
    }

    pub(crate) fn count_refusal(&self, refusal: Refusal) {
        if let Some(index) = REASONS.iter().position(|reason| *reason == refusal) {
            self.refused[index].fetch_add(1, Relaxed);
        }
        tracing::debug!(endpoint = self.name, reason = refusal.as_str(), "message refused and dropped");
    }

    pub(crate) fn count_wait(&self) {
        self.waits.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_reconnect(&self) {
        self.reconnects.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_renewal(&self) {
        self.renewals.fetch_add(1, Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tidings_domain::message::Frame;

    use super::*;

    fn envelope(i: &str, id: &str, username: &str) -> Envelope {
        let body = format!(r#"{{"topic":"t","i":{i},"msg_id":"{id}","username":"{username}","msg":{{}}}}"#);
        Envelope::read(&Frame { topic: None, body: body.into_bytes() }).unwrap()
    }

    #[test]
    fn row_1_gaps_and_restarts_are_counted_from_the_numbers_in_the_messages() {
        let endpoint = Endpoint::new("tcp://127.0.0.1:1");
        for (connection, i, id) in [(1, "1", "a"), (1, "5", "b"), (1, "3", "c"), (2, "2", "d")] {
            endpoint.observe(connection, &envelope(i, id, "apache"));
        }
        let status = endpoint.status();
        assert_eq!(
            (status.gaps, status.missing, status.restarts),
            (1, 3, 1),
            "the numbers 2 and 4, and number 1 of the restarted publisher"
        );
    }

    #[test]
    fn a_message_without_a_valid_number_is_not_counted() {
        let endpoint = Endpoint::new("tcp://127.0.0.1:1");
        for i in ["null", "-1", "1.5", "\"7\"", "[]"] {
            assert_eq!(endpoint.observe(1, &envelope(i, "a", "apache")), None, "{i}");
        }
    }

    #[test]
    fn each_user_on_one_endpoint_has_a_sequence_of_its_own() {
        let endpoint = Endpoint::new("tcp://127.0.0.1:1");
        for (i, id, user) in [("7", "a", "apache"), ("900", "b", "koji"), ("8", "c", "apache"), ("901", "d", "koji")] {
            endpoint.observe(1, &envelope(i, id, user));
        }
        assert_eq!(endpoint.status().gaps, 0);
    }

    #[test]
    fn row_10_silence_is_the_age_of_the_last_message() {
        let endpoint = Endpoint::new("tcp://127.0.0.1:1");
        let started = endpoint.started_at;
        assert_eq!(endpoint.status().silence(started.after(Duration::from_secs(9))), Duration::from_secs(9));
        let at = started.after(Duration::from_secs(5));
        endpoint.count_message(10, at);
        assert_eq!(endpoint.status().silence(at.after(Duration::from_secs(2))), Duration::from_secs(2));
    }
}
