//! Bus sources behind one trait, and a publisher of change messages. The only crate that names `zeromq`. It moves
//! bytes: it checks the number and the size of a message's parts, and never parses a body.

mod endpoint;
pub mod limits;
mod publisher;
mod replay;
mod source;
mod zmq;
mod zmq_connection;

pub use endpoint::{Endpoint, EndpointState, EndpointStatus, RefusedCount};
pub use publisher::{PublishError, Publisher};
pub use replay::ReplaySource;
pub use source::{Origin, Received, SinkClosed, Source, SourceEnd, SourceError, SourceSink, buffer};
pub use zmq::{ZmqSettings, ZmqSource, ZmqSubscription};

use std::time::{SystemTime, UNIX_EPOCH};

use tidings_domain::time::Timestamp;

/// The time of the wall clock; 1970 if the clock is set before it.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as u64)
}
