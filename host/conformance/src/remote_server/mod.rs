//! A server on loopback for a plugin under test: it accepts everything, or fails in one of the ways in which servers
//! fail.

mod connection;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use connection::ServerConnection;

/// How long sent bytes may take to arrive here.
const ARRIVAL_WAIT: Duration = Duration::from_millis(250);

/// The body of an HTTP error, with control characters as JSON writes them.
pub(crate) const ERROR_BODY: &str =
    r#"{"error": "requested error", "errcode": "X_TEST", "text": "line one\r\nline two\u0000"}"#;

/// The bytes received on each connection, in the order in which the connections were accepted.
type Received = watch::Sender<Vec<Vec<u8>>>;

/// How the server behaves.
#[derive(Clone, Debug)]
pub enum ServerBehaviour {
    /// Answers HTTP with this reply, and anything else line by line.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: &'static str },
    /// Reads and sends nothing.
    Silent,
    /// Closes every connection at once.
    Close,
    /// Sends bytes that belong to no protocol.
    Garbage,
}

/// Which side sends first on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSpeaker {
    /// The client, as in HTTP. The server waits for it.
    Client,
    /// Either side. The server greets a client that is silent for a while.
    Either,
}

impl ServerBehaviour {
    /// Accepts everything: `200 OK` with an empty JSON object.
    pub fn accept_all() -> ServerBehaviour {
        ServerBehaviour::Answer { status: 200, headers: Vec::new(), body: "{}" }
    }
}

/// A server that runs until it is dropped.
pub struct RemoteServer {
    port: u16,
    received: Arc<Received>,
    task: Option<JoinHandle<()>>,
    /// Bound but not listening: its port refuses connections, and no other process gets it.
    _refusing: Option<TcpSocket>,
}

impl RemoteServer {
    /// Starts on a free port. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(behaviour: ServerBehaviour, first_speaker: FirstSpeaker) -> io::Result<RemoteServer> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (port, received) = (listener.local_addr()?.port(), Arc::<Received>::default());
        let task = tokio::spawn(accept(listener, behaviour, first_speaker, Arc::clone(&received)));
        Ok(RemoteServer { port, received, task: Some(task), _refusing: None })
    }

    /// A port that refuses every connection.
    ///
    /// # Errors
    /// There is no free port.
    pub fn refusing() -> io::Result<RemoteServer> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let port = socket.local_addr()?.port();
        Ok(RemoteServer { port, received: Arc::default(), task: None, _refusing: Some(socket) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The bytes received on each connection, in the order in which the connections were accepted.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.received.borrow().clone()
    }

    /// Whether a connection sent bytes. Waits a moment for bytes that are on their way.
    pub async fn has_received(&self) -> bool {
        self.becomes(|received| received.iter().any(|bytes| !bytes.is_empty())).await
    }

    /// Whether there was a connection. Waits a moment for one that is on its way.
    pub async fn was_connected(&self) -> bool {
        self.becomes(|received| !received.is_empty()).await
    }

    async fn becomes(&self, condition: fn(&[Vec<u8>]) -> bool) -> bool {
        let mut changes = self.received.subscribe();
        let met = timeout(ARRIVAL_WAIT, changes.wait_for(|received| condition(received))).await;
        matches!(met, Ok(Ok(_)))
    }
}

impl Drop for RemoteServer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn accept(
    listener: TcpListener,
    behaviour: ServerBehaviour,
    first_speaker: FirstSpeaker,
    received: Arc<Received>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let mut index = 0;
        received.send_modify(|received| {
            index = received.len();
            received.push(Vec::new());
        });
        let connection = ServerConnection::new(stream, Arc::clone(&received), index);
        let behaviour = behaviour.clone();
        // A plugin that closes early is not an error of the run.
        connections.spawn(async move { drop(connection.serve(behaviour, first_speaker).await) });
        while connections.try_join_next().is_some() {}
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests may fail as they do")]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::connection::GREETING_WAIT;
    use super::*;

    async fn connected(server: &RemoteServer) -> TcpStream {
        TcpStream::connect(("127.0.0.1", server.port())).await.expect("it listens")
    }

    #[tokio::test]
    async fn it_answers_in_the_protocol_of_the_client() {
        for (first_speaker, sent, expected) in [
            (FirstSpeaker::Client, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.1 200 "),
            (FirstSpeaker::Either, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.1 200 "),
            (FirstSpeaker::Either, "NICK tidings\r\n", "250 OK\r\n"),
            (FirstSpeaker::Either, "\u{16}\u{3}\u{1}", ""),
        ] {
            let server = RemoteServer::start(ServerBehaviour::accept_all(), first_speaker).await.expect("a port");
            let mut stream = connected(&server).await;
            stream.write_all(sent.as_bytes()).await.expect("written");
            stream.shutdown().await.expect("half closed");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.starts_with(expected) && answer.is_empty() == expected.is_empty(), "{sent}: {answer}");
            assert!(server.has_received().await);
            assert_eq!(server.received(), [sent.as_bytes()]);
        }
        let refusing = RemoteServer::refusing().expect("a port");
        assert!(TcpStream::connect(("127.0.0.1", refusing.port())).await.is_err());
    }

    #[tokio::test]
    async fn only_a_client_that_may_wait_for_a_greeting_is_greeted() {
        let server = RemoteServer::start(ServerBehaviour::accept_all(), FirstSpeaker::Either).await.expect("a port");
        let mut greeting = [0; 4];
        connected(&server).await.read_exact(&mut greeting).await.expect("a greeting");
        assert_eq!(&greeting, b"220 ");
        assert!(!server.has_received().await, "the connection sent nothing");

        let server = RemoteServer::start(ServerBehaviour::accept_all(), FirstSpeaker::Client).await.expect("a port");
        let mut late = connected(&server).await;
        let silence = timeout(GREETING_WAIT * 3, late.read(&mut greeting)).await;
        assert!(silence.is_err(), "an HTTP client that is late is not greeted: {silence:?}");
        late.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
        late.read_exact(&mut greeting).await.expect("an answer");
        assert_eq!(&greeting, b"HTTP");
    }
}
