//! Incoming messages: the frame as the bus delivered it, and the envelope that is read from it within bounds. A frame
//! without a valid envelope becomes a `Refusal` with its reason.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits;
use crate::time::Timestamp;

/// What a bus source received, not parsed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The topic outside of the body (ZeroMQ frame 0, AMQP routing key); none if the source has none (replay).
    pub topic: Option<Vec<u8>>,
    pub body: Vec<u8>,
}

/// A bus message, parsed. fedmsg's fields: `topic`, `msg`, `timestamp`, `msg_id`, `i`, `username`; fedora-messaging's
/// arrive in the same shape with `headers`.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    id: MessageId,
    topic: String,
    timestamp: Option<Timestamp>,
    value: Value,
}

/// The publisher's id of a message, or one made from its content where it has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(String);

impl MessageId {
    /// An id from our own text: for tests, and for ids that the store kept.
    pub fn made(text: &str) -> MessageId {
        MessageId(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a frame is refused. Each reason has a name under which it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    #[error("the body is larger than {} bytes", limits::MESSAGE_BYTES)]
    TooLarge,
    #[error("the JSON nests deeper than {} levels", limits::MESSAGE_DEPTH)]
    TooDeep,
    #[error("the message does not have exactly two parts")]
    WrongParts,
    #[error("the body is not JSON")]
    NotJson,
    #[error("the body is not an object with a topic")]
    NoTopic,
    #[error("the topic is not 1 to {} bytes of UTF-8 without control characters", limits::TOPIC_BYTES)]
    BadTopic,
    #[error("the topic beside the body is not the one in it")]
    TopicMismatch,
    #[error("the message id is not 1 to {} characters of printable text", limits::MESSAGE_ID_BYTES)]
    BadId,
    #[error("the message is older than `bus.max_message_age` or from the future")]
    Stale,
}

impl Refusal {
    pub const ALL: [Refusal; 9] = [
        Refusal::TooLarge,
        Refusal::TooDeep,
        Refusal::WrongParts,
        Refusal::NotJson,
        Refusal::NoTopic,
        Refusal::BadTopic,
        Refusal::TopicMismatch,
        Refusal::BadId,
        Refusal::Stale,
    ];

    /// The name for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Refusal::TooLarge => "too_large",
            Refusal::TooDeep => "too_deep",
            Refusal::WrongParts => "wrong_parts",
            Refusal::NotJson => "not_json",
            Refusal::NoTopic => "no_topic",
            Refusal::BadTopic => "bad_topic",
            Refusal::TopicMismatch => "topic_mismatch",
            Refusal::BadId => "bad_id",
            Refusal::Stale => "stale",
        }
    }
}

impl Envelope {
    /// Reads a frame's body. Checks size and depth before parsing. If the frame has a topic, the body must carry the
    /// same one.
    pub fn read(frame: &Frame) -> Result<Envelope, Refusal> {
        if frame.body.len() > limits::MESSAGE_BYTES {
            return Err(Refusal::TooLarge);
        }
        if may_be_deep(&frame.body) && depth(&frame.body) > limits::MESSAGE_DEPTH {
            return Err(Refusal::TooDeep);
        }
        let value: Value = serde_json::from_slice(&frame.body).map_err(|_| Refusal::NotJson)?;
        let envelope = Envelope::from_value(value, &frame.body)?;
        match &frame.topic {
            Some(topic) if topic != envelope.topic.as_bytes() => Err(Refusal::TopicMismatch),
            _ => Ok(envelope),
        }
    }

    fn from_value(value: Value, body: &[u8]) -> Result<Envelope, Refusal> {
        let topic = value.get("topic").and_then(Value::as_str).ok_or(Refusal::NoTopic)?;
        if topic.is_empty() || topic.len() > limits::TOPIC_BYTES || topic.chars().any(char::is_control) {
            return Err(Refusal::BadTopic);
        }
        let topic = topic.to_owned();
        let id = match value.get("msg_id").or_else(|| value.get("id")) {
            None | Some(Value::Null) => MessageId(content_id(body)),
            Some(Value::String(id))
                if !id.is_empty() && id.len() <= limits::MESSAGE_ID_BYTES && !id.chars().any(char::is_control) =>
            {
                MessageId(id.clone())
            }
            Some(_) => return Err(Refusal::BadId),
        };
        let timestamp = value.get("timestamp").and_then(Value::as_f64).filter(|t| *t >= 0.0 && *t < 1e11);
        let timestamp = timestamp.map(|seconds| Timestamp::from_millis((seconds * 1000.0) as u64));
        Ok(Envelope { id, topic, timestamp, value })
    }

    pub fn id(&self) -> &MessageId {
        &self.id
    }

    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// When the publisher sent it; none if the message has no time.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// The whole envelope as received.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The payload; `null` if there is none.
    pub fn msg(&self) -> &Value {
        self.value.get("msg").or_else(|| self.value.get("body")).unwrap_or(&Value::Null)
    }
}

/// Whether there are enough brackets to exceed the depth limit; most messages have few, and counting them is quick.
fn may_be_deep(json: &[u8]) -> bool {
    json.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > limits::MESSAGE_DEPTH
}

/// The deepest nesting of arrays and objects, without parsing: brackets outside strings.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0usize, false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// `sha256:` and the digest of the body: the same message, sent again, has the same id.
fn content_id(body: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(body)))
}
