//! One ZeroMQ connection to one publisher. It lives until the first failure: the crate's own reconnecting is not used,
//! because it has no timeout and can give up silently. docs/adr/0003-zeromq.md lists what the crate cannot do.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::channel::mpsc;
use zeromq::{Socket as _, SocketEvent, SocketOptions, SocketRecv as _, SubSocket, ZmqError};

/// A subscribed connection.
pub(crate) struct ZmqConnection {
    socket: SubSocket,
    events: mpsc::Receiver<SocketEvent>,
}

/// Why a connection failed or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZmqConnectionError {
    #[error("no publisher answered within {0:?}")]
    NoAnswer(Duration),
    #[error("cannot connect: {0}")]
    Connect(ZmqError),
    #[error("the publisher closed the connection")]
    Closed,
    #[error(
        "the publisher sends ZMTP heartbeats, which are not supported: switch them off there (ZMQ_HEARTBEAT_IVL 0)"
    )]
    Heartbeat,
    #[error("the connection broke: {0}")]
    Broken(ZmqError),
}

impl ZmqConnection {
    /// Connects and subscribes, waiting up to `timeout` for the publisher to exist and to answer.
    pub(crate) async fn open(
        address: &str,
        topics: &[String],
        timeout: Duration,
    ) -> Result<ZmqConnection, ZmqConnectionError> {
        let mut options = SocketOptions::default();
        options.connect_timeout(timeout);
        let mut socket = SubSocket::with_options(options);
        let events = socket.monitor();
        let subscribed = tokio::time::timeout(timeout, async {
            socket.connect(address).await?;
            // After connecting, because only then does the crate report that a subscription could not be sent.
            for topic in topics {
                socket.subscribe(topic).await?;
            }
            Ok(())
        });
        match subscribed.await {
            Ok(Ok(())) => Ok(ZmqConnection { socket, events }),
            Ok(Err(ZmqError::ConnectTimeout(_))) | Err(_) => Err(ZmqConnectionError::NoAnswer(timeout)),
            Ok(Err(error)) => Err(ZmqConnectionError::Connect(error)),
        }
    }

    /// The parts of the next message. Cancel-safe: no message is lost if the future is dropped. After an error the
    /// connection is unusable.
    pub(crate) async fn next(&mut self) -> Result<Vec<Bytes>, ZmqConnectionError> {
        tokio::select! {
            // Messages that have arrived come before the event that the connection ended.
            biased;
            message = self.socket.recv() => match message {
                Ok(message) => Ok(message.into_vec()),
                Err(error) => Err(broken(error)),
            },
            () = disconnected(&mut self.events) => Err(ZmqConnectionError::Closed),
        }
    }
}

/// The crate knows one command, READY, so an unknown command is the PING of a heartbeat. Only the text of the error
/// shows it.
fn broken(error: ZmqError) -> ZmqConnectionError {
    match &error {
        ZmqError::Codec(codec) if codec.to_string().contains("Unknown command") => ZmqConnectionError::Heartbeat,
        _ => ZmqConnectionError::Broken(error),
    }
}

/// The crate reports the end of a connection only here: `recv` waits on.
async fn disconnected(events: &mut mpsc::Receiver<SocketEvent>) {
    while let Some(event) = events.next().await {
        if matches!(event, SocketEvent::Disconnected(_)) {
            return;
        }
    }
}
