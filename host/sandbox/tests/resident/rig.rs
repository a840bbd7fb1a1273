//! A resident plugin that is set up with settings and limits of a test, and the server of lines that it connects to.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::Outcome;
use tidings_sandbox::{CallReport, ChannelSettings, Plugin, ResidentHandle};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::common::{Place, built, delivery, grant, parcels};

/// How long anything may take that is only waited for.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The plugin with these settings, allowed to connect to one port of this machine.
pub async fn plugin(place: &Place, port: u16, settings: &[(&str, &str)], limits: PluginLimits) -> Plugin {
    let admitted = place.sandbox.admit(&built("lodger.wasm")).await.expect("admitted");
    let port_text = port.to_string();
    let settings = settings.iter().copied().chain([("port", port_text.as_str())]);
    let set = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let config = admitted.manifest().configure(&set).expect("a configuration");
    let grants = Grants { reach: vec![grant(Capability::Net, port, true, false)], credentials: Vec::new() };
    let settings = ChannelSettings { channel: "test".to_owned(), config, grants, limits };
    place.sandbox.plugin(&admitted, settings, Arc::clone(&place.host) as _)
}

/// A resident without a server.
pub async fn alone(place: &Place, settings: &[(&str, &str)]) -> ResidentHandle {
    plugin(place, 9, settings, PluginLimits::default()).await.reside()
}

pub async fn order(resident: &ResidentHandle, orders: &[&str]) -> CallReport {
    let deliveries: Vec<_> = orders.iter().map(|order| delivery(&format!("{order}@x"))).collect();
    resident.deliver(&parcels(&deliveries)).await
}

/// What it answered to one order, in its own words.
pub async fn told(resident: &ResidentHandle, what: &str) -> String {
    match order(resident, &[what]).await.outcomes.pop().expect("an outcome") {
        Outcome::Delivered { receipt } => receipt.unwrap_or_default(),
        other => panic!("{what}: {other:?}"),
    }
}

/// Asks again and again until the answer is good.
pub async fn until(what: &str, mut good: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !good().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, asked).await.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"));
}

/// Where the plugin connects to.
pub struct Server {
    listener: TcpListener,
    pub port: u16,
}

impl Server {
    pub async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        Server { listener, port }
    }

    /// The next connection as it is.
    pub async fn tcp(&self) -> TcpStream {
        timeout(LIMIT, self.listener.accept()).await.expect("in time").expect("a connection").0
    }

    /// The next connection as lines.
    pub async fn line_peer(&self) -> Peer<TcpStream> {
        Peer::new(self.tcp().await)
    }
}

/// The server's end of a connection.
pub struct Peer<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub fn new(stream: S) -> Peer<S> {
        Peer { stream: BufReader::new(stream) }
    }

    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("written");
        self.stream.flush().await.expect("flushed");
    }

    /// The next line; none at the end.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(LIMIT, self.stream.read_line(&mut line)).await.expect("in time");
        // Whoever closes with unread bytes resets: that is an end as well.
        (read.unwrap_or(0) > 0).then(|| line.trim_end().to_owned())
    }

    /// Says that it has whatever is sent, until the end.
    pub async fn take_all(&mut self) -> Vec<String> {
        let mut taken = Vec::new();
        while let Some(line) = self.line().await {
            if let Some((id, _)) = line.strip_prefix("SAY ").and_then(|said| said.split_once(' ')) {
                self.send(&format!("OK {id}\n")).await;
            }
            taken.push(line);
        }
        taken
    }
}
