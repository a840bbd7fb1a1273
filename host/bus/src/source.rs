//! The trait of bus sources, and the bounded buffer between sources and intake. The buffer pushes back: a source that
//! finds it full stops reading, and the publisher's own bounds decide what happens to further messages.

use std::path::PathBuf;
use std::sync::Arc;

use crate::limits;
use async_trait::async_trait;
use tidings_domain::message::{Frame, Refusal};
use tidings_domain::time::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::endpoint::Endpoint;

/// A source of bus messages.
#[async_trait]
pub trait Source: Send + 'static {
    /// The endpoints it reads, for status and metrics. They stay valid after it has ended.
    fn endpoints(&self) -> Vec<Arc<Endpoint>>;

    /// Reads until `stop` is cancelled, the input ends or intake has dropped the receiver. A failed endpoint is
    /// retried, and the error is shown in its status; only a failure of the whole source is an error.
    async fn run(self: Box<Self>, sink: SourceSink, stop: CancellationToken) -> Result<SourceEnd, SourceError>;
}

/// Why a source ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceEnd {
    /// It was stopped, or the receiver was dropped.
    Stopped,
    /// The input ended; `lines` were read, refused ones included and blank ones not.
    Exhausted { lines: u64 },
}

/// Why a source cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("`{address}` is not an endpoint of the form tcp://host:port")]
    Address { address: String },
    #[error("cannot open {path}")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("cannot read {name}")]
    Read { name: String, source: std::io::Error },
    #[error("the task of a bus endpoint ended unexpectedly: {0}")]
    Task(#[from] JoinError),
}

/// A frame on its way to intake. While it exists it holds its size in permits of the buffer.
#[derive(Debug)]
pub struct Received {
    pub frame: Frame,
    /// When it was read from the source.
    pub at: Timestamp,
    pub origin: Origin,
    _permit: OwnedSemaphorePermit,
}

/// The source of a frame.
#[derive(Clone, Debug)]
pub struct Origin {
    pub endpoint: Arc<Endpoint>,
    /// Differs for each connection to the endpoint, and grows.
    pub connection: u64,
}

/// The sources' end of the buffer.
#[derive(Clone, Debug)]
pub struct SourceSink {
    queue: mpsc::Sender<Received>,
    free_bytes: Arc<Semaphore>,
}

/// The receiver of the buffer was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receiver of the buffer was dropped")]
pub struct SinkClosed;

// A message that fits by itself must fit in the empty buffer.
const _: () =
    assert!(tidings_domain::limits::MESSAGE_BYTES + tidings_domain::limits::TOPIC_BYTES < limits::BUS_BUFFER_BYTES);
const _: () = assert!(limits::BUS_BUFFER_BYTES <= u32::MAX as usize);

/// A buffer of `limits::BUS_BUFFER` frames and `limits::BUS_BUFFER_BYTES` bytes.
pub fn buffer() -> (SourceSink, mpsc::Receiver<Received>) {
    let (queue, receiver) = mpsc::channel(limits::BUS_BUFFER);
    (SourceSink { queue, free_bytes: Arc::new(Semaphore::new(limits::BUS_BUFFER_BYTES)) }, receiver)
}

impl SourceSink {
    /// Hands over the parts of a message from the wire. A message with other than two parts, or with a part that is too
    /// large, is counted as refused and dropped.
    pub async fn offer_parts(&self, origin: &Origin, parts: &[impl AsRef<[u8]>]) -> Result<(), SinkClosed> {
        match parts {
            [topic, body] => {
                let (topic, body) = (topic.as_ref(), body.as_ref());
                match oversized(topic, body) {
                    None => self.send(origin, Frame { topic: Some(topic.to_vec()), body: body.to_vec() }).await,
                    Some(refusal) => self.refuse(origin, refusal),
                }
            }
            _ => self.refuse(origin, Refusal::WrongParts),
        }
    }

    /// Hands over a complete frame; the same size limits hold.
    pub async fn offer(&self, origin: &Origin, frame: Frame) -> Result<(), SinkClosed> {
        match oversized(frame.topic.as_deref().unwrap_or_default(), &frame.body) {
            None => self.send(origin, frame).await,
            Some(refusal) => self.refuse(origin, refusal),
        }
    }

    async fn send(&self, origin: &Origin, frame: Frame) -> Result<(), SinkClosed> {
        let bytes = frame.body.len() + frame.topic.as_ref().map_or(0, Vec::len);
        if self.queue.capacity() == 0 || self.free_bytes.available_permits() < bytes {
            origin.endpoint.count_wait();
        }
        // The sizes were checked, so the number fits; the semaphore is never closed.
        let permit = Arc::clone(&self.free_bytes).acquire_many_owned(bytes as u32).await.map_err(|_| SinkClosed)?;
        let slot = self.queue.reserve().await.map_err(|_| SinkClosed)?;
        let at = crate::now();
        origin.endpoint.count_message(bytes, at);
        slot.send(Received { frame, at, origin: origin.clone(), _permit: permit });
        Ok(())
    }

    fn refuse(&self, origin: &Origin, refusal: Refusal) -> Result<(), SinkClosed> {
        origin.endpoint.count_refusal(refusal);
        if self.queue.is_closed() { Err(SinkClosed) } else { Ok(()) }
    }
}

fn oversized(topic: &[u8], body: &[u8]) -> Option<Refusal> {
    if body.len() > tidings_domain::limits::MESSAGE_BYTES {
        Some(Refusal::TooLarge)
    } else if topic.len() > tidings_domain::limits::TOPIC_BYTES {
        Some(Refusal::BadTopic)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn origin() -> Origin {
        Origin { endpoint: Endpoint::new("test"), connection: 1 }
    }

    #[tokio::test]
    async fn row_8_a_message_with_a_wrong_shape_is_counted_and_dropped() {
        let (sink, mut queue) = buffer();
        let origin = origin();
        let (fits, long) =
            (vec![b'x'; tidings_domain::limits::MESSAGE_BYTES], vec![b'x'; tidings_domain::limits::MESSAGE_BYTES + 1]);
        let topic = vec![b't'; tidings_domain::limits::TOPIC_BYTES + 1];
        let cases: [(Vec<&[u8]>, Option<Refusal>); 6] = [
            (vec![b"topic"], Some(Refusal::WrongParts)),
            (vec![], Some(Refusal::WrongParts)),
            (vec![b"topic", b"{}", b"more"], Some(Refusal::WrongParts)),
            (vec![b"topic", &long], Some(Refusal::TooLarge)),
            (vec![&topic, b"{}"], Some(Refusal::BadTopic)),
            (vec![b"topic", &fits], None),
        ];
        for (parts, refused) in &cases {
            let before = origin.endpoint.status();
            sink.offer_parts(&origin, parts).await.unwrap();
            let after = origin.endpoint.status();
            assert_eq!(queue.try_recv().is_ok(), refused.is_none());
            let count = |status: &crate::EndpointStatus| {
                refused
                    .map_or(status.messages, |r| status.refused.iter().find(|c| c.reason == r).map_or(0, |c| c.count))
            };
            assert_eq!(count(&after), count(&before) + 1, "{refused:?}");
        }
    }

    #[tokio::test]
    async fn the_buffer_is_bounded_in_bytes_as_well_as_in_frames() {
        let (sink, mut queue) = buffer();
        let origin = origin();
        let frame = Frame { topic: None, body: vec![b'x'; tidings_domain::limits::MESSAGE_BYTES] };
        let fill = async {
            loop {
                sink.offer(&origin, frame.clone()).await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_millis(300), fill).await.unwrap_err();
        assert_eq!(queue.len(), limits::BUS_BUFFER_BYTES / tidings_domain::limits::MESSAGE_BYTES);
        assert!(origin.endpoint.status().waits > 0);

        let taken = queue.recv().await.unwrap();
        let blocked = tokio::time::timeout(Duration::from_millis(50), sink.offer(&origin, frame.clone())).await;
        assert!(blocked.is_err(), "a frame occupies the buffer until it is dropped, not until it is received");
        drop(taken);
        sink.offer(&origin, frame).await.unwrap();
    }

    #[tokio::test]
    async fn a_source_is_notified_when_the_receiver_is_dropped() {
        let (sink, queue) = buffer();
        drop(queue);
        assert_eq!(sink.offer_parts(&origin(), &[b"topic", b"body!"]).await, Err(SinkClosed));
        assert_eq!(sink.offer_parts(&origin(), &[b"topic"]).await, Err(SinkClosed));
    }
}
