//! Helpers of the bus tests: a running source, a publisher that writes ZMTP by hand and can break the protocol, and a
//! proxy that can stop forwarding without closing its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering::SeqCst};
use std::time::Duration;

use tidings_bus::{
    Endpoint, EndpointState, EndpointStatus, Received, Source as _, SourceEnd, ZmqSettings, ZmqSource, ZmqSubscription,
    buffer,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than any step takes on a busy machine.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Settings without renewals of the connection and with short attempts.
pub const SHORT_TIMEOUTS: ZmqSettings =
    ZmqSettings { connect_timeout: Duration::from_secs(1), idle: Duration::from_secs(600) };

/// A source with its buffer.
pub struct Bus {
    pub endpoints: Vec<Arc<Endpoint>>,
    pub queue: mpsc::Receiver<Received>,
    stop: CancellationToken,
    running: JoinHandle<SourceEnd>,
}

impl Bus {
    pub fn start(addresses: &[&str], topics: &[&str], settings: ZmqSettings) -> Bus {
        let topics: Vec<String> = topics.iter().map(|topic| topic.to_string()).collect();
        let subscriptions =
            addresses.iter().map(|address| ZmqSubscription { address: address.to_string(), topics: topics.clone() });
        let source = ZmqSource::new(subscriptions.collect(), settings).unwrap();
        let (endpoints, stop) = (source.endpoints(), CancellationToken::new());
        let (sink, queue) = buffer();
        let run = Box::new(source).run(sink, stop.clone());
        Bus { endpoints, queue, stop, running: tokio::spawn(async { run.await.unwrap() }) }
    }

    /// The next message; panics if none arrives in time.
    pub async fn next(&mut self) -> Received {
        timeout(TEST_TIMEOUT, self.queue.recv()).await.expect("a message within the timeout").expect("a running source")
    }

    pub async fn reached(&self, state: EndpointState) {
        timeout(TEST_TIMEOUT, self.endpoints[0].reached(state)).await.expect("the state within the timeout");
    }

    pub fn status(&self) -> EndpointStatus {
        self.endpoints[0].status()
    }

    /// Stops the source; panics if that takes longer than two seconds.
    pub async fn stop(self) -> Vec<EndpointState> {
        self.stop.cancel();
        let end = timeout(Duration::from_secs(2), self.running).await.expect("an end within the timeout").unwrap();
        assert_eq!(end, SourceEnd::Stopped);
        self.endpoints.iter().map(|endpoint| endpoint.status().state).collect()
    }
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TEST_TIMEOUT, wait).await.unwrap_or_else(|_| panic!("timed out waiting until {what}"));
}

/// The number in a body made by `numbered` or by a publisher.
pub fn number(received: &Received) -> u64 {
    let body: serde_json::Value = serde_json::from_slice(&received.frame.body).unwrap();
    body["i"].as_u64().unwrap()
}

/// An address on which nothing listens. Its port is below those that the kernel assigns, so no other program gets it
/// before a publisher binds it.
pub async fn free_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, SeqCst)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return format!("tcp://127.0.0.1:{port}");
        }
    }
}

/// A listener and its address.
pub async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, address)
}

/// Accepts one subscriber and completes the handshake up to its subscription.
pub async fn accept(listener: &TcpListener) -> TcpStream {
    handshake(listener.accept().await.unwrap().0).await
}

/// The handshake of a publisher, from the greeting to the subscription.
pub async fn handshake(mut stream: TcpStream) -> TcpStream {
    let mut greeting = [0u8; 64];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..16].copy_from_slice(b"NULL");
    stream.write_all(&greeting).await.unwrap();
    stream.read_exact(&mut greeting).await.unwrap();
    stream.write_all(b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB").await.unwrap();
    let ready = read_frame(&mut stream).await;
    assert_eq!((ready.0, &ready.1[..6]), (4, &b"\x05READY"[..]));
    let subscription = read_frame(&mut stream).await;
    assert_eq!((subscription.0, subscription.1[0]), (0, 1), "a subscription");
    stream
}

/// Flags and content of one frame.
async fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let flags = stream.read_u8().await.unwrap();
    let long = flags & 2 != 0;
    let length = if long { stream.read_u64().await.unwrap() } else { stream.read_u8().await.unwrap().into() };
    let mut content = vec![0; length as usize];
    stream.read_exact(&mut content).await.unwrap();
    (flags & !2, content)
}

/// A message on the wire.
pub fn wire(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        bytes.push(2 | u8::from(n + 1 < parts.len()));
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A body with the number `i`.
pub fn numbered(i: u64) -> Vec<u8> {
    format!(r#"{{"i":{i},"msg":{{}},"msg_id":"2016-{i}","topic":"org.test","username":"apache"}}"#).into_bytes()
}

/// A TCP proxy. After `freeze`, the connections that are open forward nothing and stay open, as after a cable was
/// pulled. Later connections work.
pub struct Proxy {
    pub address: String,
    frozen: Arc<std::sync::Mutex<Arc<AtomicBool>>>,
}

impl Proxy {
    pub async fn start(target: &str) -> Proxy {
        let (listener, address) = listener().await;
        let target = target.trim_start_matches("tcp://").to_owned();
        let frozen: Arc<std::sync::Mutex<Arc<AtomicBool>>> = Arc::default();
        let current = Arc::clone(&frozen);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&target).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let flag = Arc::clone(&current.lock().unwrap());
                tokio::spawn(forward(from_client, to_server, Arc::clone(&flag)));
                tokio::spawn(forward(from_server, to_client, flag));
            }
        });
        Proxy { address, frozen }
    }

    pub fn freeze(&self) {
        std::mem::take(&mut *self.frozen.lock().unwrap()).store(true, SeqCst);
    }
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    frozen: Arc<AtomicBool>,
) {
    let mut chunk = [0u8; 4096];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        if frozen.load(SeqCst) {
            // Both ends stay open as long as the test runs.
            std::future::pending::<()>().await;
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
