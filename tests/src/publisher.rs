//! A publisher on the bus: a ZeroMQ PUB socket with the wire format of fedmsg. A message has two parts, the topic and a JSON
//! object with `topic`, `msg`, `timestamp`, `msg_id`, `i` and `username`.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use serde_json::{Value, json};
use zeromq::{PubSocket, Socket, SocketSend, ZmqMessage};

use crate::samples::SampleMessage;

/// Seconds in a mean Gregorian year.
const YEAR_SECONDS: u64 = 31_556_952;

/// A bound socket. Dropping it closes the socket and discards unsent messages.
pub struct TestPublisher {
    socket: PubSocket,
    endpoint: String,
    sent: u64,
}

impl TestPublisher {
    /// Listens on a loopback port; 0 is any free one. Fails if the port is in use.
    pub async fn bind(port: u16) -> Result<TestPublisher> {
        let mut socket = PubSocket::new();
        let endpoint = format!("tcp://127.0.0.1:{port}");
        let bound = socket.bind(&endpoint).await.with_context(|| format!("binding {endpoint}"))?;
        Ok(TestPublisher { socket, endpoint: bound.to_string(), sent: 0 })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Publishes a message with the current time and a new id; returns the id.
    pub async fn send(&mut self, message: &SampleMessage) -> Result<String> {
        let id = fresh_id();
        self.send_as(message, &id).await?;
        Ok(id)
    }

    /// Publishes a message with the current time and this id.
    pub async fn send_as(&mut self, message: &SampleMessage, id: &str) -> Result<()> {
        self.sent += 1;
        let body = envelope(message, id, self.sent);
        self.send_parts(&[message.topic.as_bytes(), body.to_string().as_bytes()]).await
    }

    /// Publishes any parts, valid or invalid.
    pub async fn send_parts(&mut self, parts: &[&[u8]]) -> Result<()> {
        let frames: Vec<Bytes> = parts.iter().map(|part| Bytes::copy_from_slice(part)).collect();
        let frames = ZmqMessage::try_from(frames).map_err(|_| anyhow!("a message needs at least one part"))?;
        self.socket.send(frames).await.context("publishing")
    }
}

/// The JSON object of a message, as fedmsg builds it.
fn envelope(message: &SampleMessage, id: &str, counter: u64) -> Value {
    let mut body = json!({
        "topic": message.topic,
        "msg": message.msg,
        "timestamp": now_seconds(),
        "msg_id": id,
        "i": counter,
        "username": "tidings",
    });
    if let Some(headers) = &message.headers {
        body["headers"] = headers.clone();
    }
    body
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A new id in the form of fedmsg: a year and a random UUID.
pub(crate) fn fresh_id() -> String {
    let year = 1970 + now_seconds() / YEAR_SECONDS;
    let random: u128 = rand::random();
    let uuid = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{uuid:032x}");
    format!("{year}-{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_has_the_fields_of_fedmsg_and_a_version_4_uuid() {
        let message = SampleMessage::new("org.fedoraproject.dev.git.branch", json!({"name": "quillpad"}));
        let id = fresh_id();
        let parts: Vec<&str> = id.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [4, 8, 4, 4, 4, 12], "{id}");
        assert!(parts[3].starts_with('4') && "89ab".contains(&parts[4][..1]), "{id}");
        let body = envelope(&message, &id, 7);
        assert_eq!((&body["topic"], &body["i"]), (&json!(message.topic), &json!(7)));
        assert_eq!(body["msg"], json!({"name": "quillpad"}));
        assert!(body["timestamp"].as_u64() > Some(1_700_000_000));
    }
}
