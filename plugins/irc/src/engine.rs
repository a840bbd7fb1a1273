//! The channel: keeps at most one connection, decides when to make it, and answers commands while nothing is delivered.
//! `deliver` handles batches. The host is known by a trait only.

mod commands;
mod deliver;

use std::collections::BTreeSet;

use tidings_plugin::net::{TlsOptions, Verification};
use tidings_plugin::stream::{self, StreamHost};
use tidings_plugin::{Reason, Trouble};

use crate::backoff::Backoff;
use crate::connection::{Connection, network_error};
use crate::message::Casing;
use crate::rate_limit::TokenBucket;
use crate::server_errors::{ConnectionError, ReconnectDelay};
use crate::session::{Session, SessionEvent};
use crate::settings::{IDENTITY, Login, Settings};
use commands::CommandQueue;

/// The longest time until the next wake, in milliseconds. A delivery may leave work (a lost connection, a waiting
/// reply) that the timer of the last wake does not know.
const WAKE_MS: u64 = 5 * 1000;
/// The most deliveries for which it is kept that their nick was asked to identify.
const NOTIFIED: usize = 1000;
/// The most reads of one wake. Further data waits for the next wake.
const READS: usize = 64;
/// The time that is kept of the call's deadline, in milliseconds: the plugin needs it to return.
const RETURN_MS: u64 = 500;

/// The channel, over all its connections.
pub struct Engine<H: StreamHost> {
    host: H,
    settings: Settings,
    connection: Option<Connection<H::Stream>>,
    online_since_ms: Option<u64>,
    /// The rate limit of the next connection: it keeps the slowdown after a flood.
    bucket: TokenBucket,
    backoff: Backoff,
    /// Why there is no connection.
    offline_reason: String,
    commands: CommandQueue,
    /// The confirmations whose nick was asked to identify.
    notified: BTreeSet<String>,
}

impl<H: StreamHost> Engine<H> {
    pub fn new(host: H, settings: Settings) -> Self {
        Engine {
            bucket: TokenBucket::new(settings.burst, settings.interval_ms),
            backoff: Backoff::new(settings.reconnect_ms),
            host,
            settings,
            connection: None,
            online_since_ms: None,
            offline_reason: "not connected yet".to_owned(),
            commands: CommandQueue::default(),
            notified: BTreeSet::new(),
        }
    }

    /// The nick of this client, if it is registered with a server.
    pub fn nick(&self) -> Option<&str> {
        let session = self.connection.as_ref().map(|connection| &connection.session);
        session.filter(|session| session.is_online()).map(Session::nick)
    }

    /// How the server compares names.
    fn casing(&self) -> Casing {
        self.connection.as_ref().map(|connection| connection.session.casing()).unwrap_or_default()
    }

    /// Connects where that is due, reads, and runs timers. Returns the milliseconds until the next wake.
    pub fn wake(&mut self, reason: Reason) -> Option<u64> {
        if reason == Reason::Stop {
            if let Some(mut connection) = self.connection.take() {
                connection.session.quit();
                // The channel stops: a failure has no effect.
                let _ = connection.flush(&self.host);
            }
            return None;
        }
        if self.connection.is_none() && self.backoff.wait_ms(self.host.monotonic_ms()) == 0 {
            self.connect();
        }
        for _ in 0..READS {
            let (_, arrived) = self.poll(0);
            if !arrived || self.host.remaining_ms() < RETURN_MS {
                break;
            }
        }
        let now_ms = self.host.monotonic_ms();
        let wait_ms = match &self.connection {
            Some(connection) => connection.session.next_timer_ms(&self.settings, now_ms).saturating_sub(now_ms),
            None => self.backoff.wait_ms(now_ms),
        };
        Some(wait_ms.min(WAKE_MS))
    }

    fn connect(&mut self) {
        let Settings { host, port, tls, login, .. } = &self.settings;
        let identity = (*login == Login::SaslExternal).then(|| IDENTITY.to_owned());
        let options = tls.then(|| TlsOptions { identity, ..stream::tls(Verification::Full) });
        match self.host.connect(host, *port, options.as_ref()) {
            Ok(stream) => {
                let session = Session::new(&self.settings, self.bucket.clone(), self.host.monotonic_ms());
                self.connection = Some(Connection::new(stream, session));
            }
            Err(error) => self.on_connection_lost(network_error(&error)),
        }
    }

    /// Drops the connection and sets when the next one may be made.
    fn on_connection_lost(&mut self, error: ConnectionError) {
        let now_ms = self.host.monotonic_ms();
        if let Some(connection) = self.connection.take() {
            self.bucket = connection.session.bucket().clone();
        }
        let lived_ms = self.online_since_ms.take().map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
        let least_ms = match error.delay {
            ReconnectDelay::Backoff => 0,
            ReconnectDelay::SlowDown => {
                self.bucket.slow_down(now_ms);
                0
            }
            ReconnectDelay::AtLeast(ms) => ms,
        };
        self.backoff.failed(now_ms, lived_ms, least_ms, self.host.random());
        self.offline_reason = error.reason;
        let wait_s = self.backoff.wait_ms(now_ms).div_ceil(1000);
        self.host.warn(&format!("{}; connecting again in {wait_s} s", self.offline_reason));
    }

    /// Why nothing can be delivered, and for how long.
    fn trouble(&self) -> Trouble {
        let wait_ms = self.backoff.wait_ms(self.host.monotonic_ms());
        Trouble { after_ms: Some(wait_ms.max(1)), reason: self.offline_reason.clone() }
    }

    /// Polls the connection for at most `wait_ms`, and handles the events that concern the whole channel. Returns all
    /// events, and whether data arrived.
    fn poll(&mut self, wait_ms: u64) -> (Vec<SessionEvent>, bool) {
        let Some(connection) = &mut self.connection else { return (Vec::new(), false) };
        let (events, arrived) = connection.poll(&self.host, &self.settings, wait_ms);
        for event in &events {
            match event {
                SessionEvent::Online => self.online_since_ms = Some(self.host.monotonic_ms()),
                SessionEvent::PrivateMessage { nick, text } => self.on_command(nick, text),
                SessionEvent::Identified { nick, identified } => self.on_identified(nick, *identified),
                SessionEvent::Failed(error) => self.on_connection_lost(error.clone()),
                SessionEvent::Confirmed(_) | SessionEvent::NotDelivered { .. } => {}
            }
        }
        (events, arrived)
    }
}
