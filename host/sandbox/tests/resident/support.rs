//! A resident plugin with the settings and limits of a test, and the line server that it connects to.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::outcome::Outcome;
use tidings_sandbox::{CallReport, ChannelSettings, Plugin, ResidentHandle, ResidentStats};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::common::{SandboxFixture, built, delivery, grant, requests};

/// The longest wait for an event. A test that reaches it fails.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The plugin with these settings, allowed to connect to one port of this machine.
pub async fn plugin(fixture: &SandboxFixture, port: u16, settings: &[(&str, &str)], limits: PluginLimits) -> Plugin {
    let admitted = fixture.sandbox.admit(&built("resident-fixture.wasm")).await.expect("admitted");
    let port_text = port.to_string();
    let settings = settings.iter().copied().chain([("port", port_text.as_str())]);
    let set = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let config = admitted.manifest().configure(&set).expect("a configuration");
    let grants = Grants { reach: vec![grant(Capability::Net, port, true, false)], credentials: Vec::new() };
    let settings = ChannelSettings { channel: "test".to_owned(), config, grants, limits };
    fixture.sandbox.plugin(&admitted, settings, Arc::clone(&fixture.host) as _)
}

/// A resident that connects to nothing.
pub async fn without_server(fixture: &SandboxFixture, settings: &[(&str, &str)]) -> ResidentHandle {
    plugin(fixture, 9, settings, PluginLimits::default()).await.start_resident()
}

/// Delivers one delivery for each action.
pub async fn deliver(resident: &ResidentHandle, actions: &[&str]) -> CallReport {
    let deliveries: Vec<_> = actions.iter().map(|action| delivery(&format!("{action}@x"))).collect();
    resident.deliver(&requests(&deliveries)).await
}

/// Delivers one delivery for this action; returns the receipt.
pub async fn receipt(resident: &ResidentHandle, action: &str) -> String {
    match deliver(resident, &[action]).await.outcomes.pop().expect("an outcome") {
        Outcome::Delivered { receipt } => receipt.unwrap_or_default(),
        other => panic!("{action}: {other:?}"),
    }
}

/// Waits until the resident's statistics meet the condition.
pub async fn wait_for(
    resident: &ResidentHandle,
    what: &str,
    condition: impl FnMut(&ResidentStats) -> bool,
) -> ResidentStats {
    let met = timeout(LIMIT, resident.wait_for(condition)).await;
    met.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}: {:?}", resident.stats()))
}

/// The server that the plugin connects to.
pub struct LineServer {
    listener: TcpListener,
    pub port: u16,
}

impl LineServer {
    pub async fn start() -> LineServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        LineServer { listener, port }
    }

    /// Accepts the next connection.
    pub async fn tcp(&self) -> TcpStream {
        timeout(LIMIT, self.listener.accept()).await.expect("in time").expect("a connection").0
    }

    /// Accepts the next connection, read line by line.
    pub async fn line_connection(&self) -> LineConnection<TcpStream> {
        LineConnection::new(self.tcp().await)
    }
}

/// The server's end of a connection.
pub struct LineConnection<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> LineConnection<S> {
    pub fn new(stream: S) -> LineConnection<S> {
        LineConnection { stream: BufReader::new(stream) }
    }

    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("written");
        self.stream.flush().await.expect("flushed");
    }

    /// The next line; none at the end.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(LIMIT, self.stream.read_line(&mut line)).await.expect("in time");
        // A peer that closes with unread bytes resets the connection, which is an end as well.
        (read.unwrap_or(0) > 0).then(|| line.trim_end().to_owned())
    }

    /// Acknowledges every message until the end; returns all lines.
    pub async fn acknowledge_all(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            if let Some((id, _)) = line.strip_prefix("SAY ").and_then(|rest| rest.split_once(' ')) {
                self.send(&format!("OK {id}\n")).await;
            }
            lines.push(line);
        }
        lines
    }
}
