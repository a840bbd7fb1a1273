//! The publisher of change messages and samples. Wire format of fedmsg: part 0 is the topic, part 1 the body, JSON in
//! its canonical form.
//!
//! PUB/SUB is at most once. A subscriber that connects after the publisher is bound misses what was sent before its
//! subscription arrived (the "slow joiner"), and neither side is notified. To not lose the first message, wait for a
//! subscriber with [`Publisher::joined`], or send again. To not lose any, do not rely on the bus: the database holds
//! the change, the message only announces it.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::channel::mpsc;
use serde_json::{Value, json};
use tidings_domain::time::Timestamp;
use tokio::sync::Mutex;
use uuid::Uuid;
use zeromq::{PubSocket, Socket as _, SocketEvent, SocketSend as _, ZmqError, ZmqMessage};

use crate::source::SourceError;
use tidings_domain::canonical;

/// How long `joined` waits after a subscriber has connected: its topics follow the greeting by a round trip.
const SETTLE: Duration = Duration::from_millis(100);
/// How long `close` waits for queued messages to be sent. The crate does not report when a queue is empty.
const LINGER: Duration = Duration::from_millis(200);

/// Why nothing was published. A slow or absent subscriber is not an error: its messages are dropped silently.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Address(#[from] SourceError),
    #[error("cannot bind {address}: {reason}")]
    Bind { address: String, reason: ZmqError },
    #[error("cannot publish on {topic}: {reason}")]
    Send { topic: String, reason: ZmqError },
}

/// A bound PUB socket. Dropping it closes it at once and loses what is queued; `close` waits for that.
pub struct Publisher {
    endpoint: String,
    username: String,
    socket: Mutex<NumberedSocket>,
    events: Mutex<mpsc::Receiver<SocketEvent>>,
}

struct NumberedSocket {
    socket: PubSocket,
    /// The number of the latest message, fedmsg's `i`; messages leave in this order.
    i: u64,
}

impl Publisher {
    /// Binds `tcp://host:port`; port 0 takes a free one. `username` goes into every message, as fedmsg's publisher puts
    /// its operating system user there.
    pub async fn bind(address: &str, username: impl Into<String>) -> Result<Publisher, PublishError> {
        crate::zmq::check_address(address)?;
        let mut socket = PubSocket::new();
        let events = socket.monitor();
        let bound = socket.bind(address).await;
        let endpoint = bound.map_err(|reason| PublishError::Bind { address: address.to_owned(), reason })?;
        Ok(Publisher {
            endpoint: endpoint.to_string(),
            username: username.into(),
            socket: Mutex::new(NumberedSocket { socket, i: 0 }),
            events: Mutex::new(events),
        })
    }

    /// The address it is bound to, with the port that was taken.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Publishes `msg` in a fedmsg envelope and returns its message id. `topic` includes prefix and environment.
    pub async fn publish(&self, topic: &str, msg: Value) -> Result<String, PublishError> {
        let now = crate::now();
        let id = format!("{}-{}", year(now), Uuid::new_v4());
        let mut socket = self.socket.lock().await;
        socket.i += 1;
        let envelope = json!({
            "topic": topic,
            "msg": msg,
            "timestamp": now.as_millis() / 1000,
            "msg_id": id,
            "i": socket.i,
            "username": self.username,
        });
        socket.send(topic, canonical::to_string(&envelope).into()).await?;
        Ok(id)
    }

    /// Sends two parts unchanged.
    pub async fn send(&self, topic: &str, body: impl Into<Bytes>) -> Result<(), PublishError> {
        self.socket.lock().await.send(topic, body.into()).await
    }

    /// Waits until a first subscriber has connected and its topics have had time to arrive. One that has left again
    /// counts.
    pub async fn joined(&self) {
        let mut events = self.events.lock().await;
        while let Some(event) = events.next().await {
            if matches!(event, SocketEvent::Accepted(..)) {
                tokio::time::sleep(SETTLE).await;
                return;
            }
        }
    }

    /// Waits a moment for queued messages to be sent, then closes the socket and frees the port.
    pub async fn close(self) {
        tokio::time::sleep(LINGER).await;
        for error in self.socket.into_inner().socket.close().await {
            tracing::debug!(endpoint = self.endpoint, %error, "error while the publisher closes; the port is freed anyway");
        }
    }
}

impl NumberedSocket {
    async fn send(&mut self, topic: &str, body: Bytes) -> Result<(), PublishError> {
        let mut message = ZmqMessage::from(topic);
        message.push_back(body);
        let sent = self.socket.send(message).await;
        sent.map_err(|reason| PublishError::Send { topic: topic.to_owned(), reason })
    }
}

/// The year, UTC, in the proleptic Gregorian calendar.
fn year(at: Timestamp) -> u64 {
    let (mut days, mut year) = (at.as_millis() / 86_400_000, 1970);
    // Whole cycles of 400 years first, so that the loop stays short for any value of the clock.
    year += days / 146_097 * 400;
    days %= 146_097;
    loop {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = if leap { 366 } else { 365 };
        if days < length {
            return year;
        }
        (days, year) = (days - length, year + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_of_a_message_id_is_the_calendar_year() {
        let cases = [
            (0, 1970),
            (1_480_000_000, 2016),
            (1_483_228_799, 2016),
            (1_483_228_800, 2017),
            (951_782_400, 2000),
            (4_102_444_799, 2099),
            (4_102_444_800, 2100),
            (4_133_980_800, 2101),
            (16_725_225_599, 2499),
            (16_725_225_600, 2500),
        ];
        for (seconds, expected) in cases {
            assert_eq!(year(Timestamp::from_millis(seconds * 1000)), expected, "{seconds}");
        }
    }
}
