//! The ZeroMQ source: a SUB socket and a task for each endpoint, so that a publisher that is not there, mute or broken
//! keeps nobody waiting but itself. Every loss ends in the same place: drop the socket, rest, connect anew.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use async_trait::async_trait;
use rand::Rng as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::endpoint::{Endpoint, EndpointState};
use crate::link::{ZmqConnection, ZmqConnectionError};
use crate::source::{Origin, SinkClosed, Source, SourceEnd, SourceError, SourceSink};

/// One publisher to listen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZmqSubscription {
    /// `tcp://host:port`.
    pub address: String,
    /// Prefixes of the topics wanted, compared byte by byte; none at all means every topic.
    pub topics: Vec<String>,
}

/// How patient the source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZmqSettings {
    /// Setting `bus.connect_timeout`.
    pub connect_timeout: Duration,
    /// Setting `bus.idle`. Longer than the bus is ever silent when all is well saves connections; it loses nothing if
    /// it is shorter.
    pub idle: Duration,
}

impl Default for ZmqSettings {
    fn default() -> Self {
        ZmqSettings { connect_timeout: limits::BUS_CONNECT_TIMEOUT, idle: limits::BUS_IDLE }
    }
}

/// Listens to any number of ZeroMQ publishers.
pub struct ZmqSource {
    listeners: Vec<(ZmqSubscription, Arc<Endpoint>)>,
    settings: ZmqSettings,
}

impl ZmqSource {
    /// Checks the addresses; connects to nothing yet.
    pub fn new(subscriptions: Vec<ZmqSubscription>, settings: ZmqSettings) -> Result<ZmqSource, SourceError> {
        let checked = subscriptions.into_iter().map(|mut subscription| {
            check_address(&subscription.address)?;
            if subscription.topics.is_empty() {
                subscription.topics.push(String::new());
            }
            let endpoint = Endpoint::new(&subscription.address);
            Ok((subscription, endpoint))
        });
        Ok(ZmqSource { listeners: checked.collect::<Result<_, SourceError>>()?, settings })
    }
}

/// Only TCP: the crate panics at transports it was built without.
pub(crate) fn check_address(address: &str) -> Result<(), SourceError> {
    match address.parse() {
        Ok(zeromq::Endpoint::Tcp(_, _)) => Ok(()),
        _ => Err(SourceError::Address { address: address.to_owned() }),
    }
}

#[async_trait]
impl Source for ZmqSource {
    fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.listeners.iter().map(|(_, endpoint)| Arc::clone(endpoint)).collect()
    }

    async fn run(self: Box<Self>, sink: SourceSink, stop: CancellationToken) -> Result<SourceEnd, SourceError> {
        let mut tasks = JoinSet::new();
        for (subscription, endpoint) in self.listeners {
            let origin = Origin { endpoint, connection: 0 };
            let (settings, sink, stop) = (self.settings, sink.clone(), stop.clone());
            tasks.spawn(Listener { subscription, settings, origin, sink, backoff: Backoff::default() }.run(stop));
        }
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        Ok(SourceEnd::Stopped)
    }
}

struct Listener {
    subscription: ZmqSubscription,
    settings: ZmqSettings,
    /// Its number is that of the latest connection.
    origin: Origin,
    sink: SourceSink,
    backoff: Backoff,
}

/// Why reading from a connection ended.
enum Ended {
    /// Nobody receives any more.
    Closed,
    Lost(ZmqConnectionError),
    Silent,
}

impl Listener {
    async fn run(mut self, stop: CancellationToken) {
        // Whatever it waits for, stopping ends it: a message that intake has not taken was not accepted.
        stop.run_until_cancelled(self.listen()).await;
        self.origin.endpoint.enter(EndpointState::Ended);
    }

    /// Connects again and again; ends when nobody receives any more.
    async fn listen(&mut self) {
        loop {
            match self.connect().await {
                Ok(link) => {
                    if self.hear(link).await.is_break() {
                        return;
                    }
                }
                Err(error) => self.troubled(&error),
            }
            self.origin.endpoint.enter(EndpointState::BackingOff);
            tokio::time::sleep(self.backoff.next()).await;
        }
    }

    async fn connect(&mut self) -> Result<ZmqConnection, ZmqConnectionError> {
        self.origin.endpoint.enter(EndpointState::Connecting);
        let link = self.open().await?;
        if self.origin.connection > 1 {
            self.origin.endpoint.reconnected();
        }
        Ok(link)
    }

    async fn open(&mut self) -> Result<ZmqConnection, ZmqConnectionError> {
        let ZmqSubscription { address, topics } = &self.subscription;
        let link = ZmqConnection::open(address, topics, self.settings.connect_timeout).await?;
        self.origin.connection += 1;
        self.origin.endpoint.enter(EndpointState::Subscribed);
        tracing::info!(endpoint = address, connection = self.origin.connection, "subscribed");
        Ok(link)
    }

    /// Reads from a connection, and from its replacements as long as there is one, until it is lost.
    async fn hear(&mut self, mut link: ZmqConnection) -> ControlFlow<()> {
        let opened = Instant::now();
        loop {
            match self.pump(&mut link).await {
                Ended::Closed => return ControlFlow::Break(()),
                Ended::Lost(error) => {
                    self.troubled(&error);
                    if opened.elapsed() > limits::BUS_BACKOFF_MAX {
                        self.backoff.reset();
                    }
                    return ControlFlow::Continue(());
                }
                Ended::Silent => match self.renew(link).await {
                    Ok(Some(fresh)) => link = fresh,
                    Ok(None) => return ControlFlow::Continue(()),
                    Err(SinkClosed) => return ControlFlow::Break(()),
                },
            }
        }
    }

    /// Hands over message after message.
    async fn pump(&mut self, link: &mut ZmqConnection) -> Ended {
        loop {
            match timeout(self.settings.idle, link.next()).await {
                Ok(Ok(parts)) => {
                    self.backoff.reset();
                    if self.sink.offer_parts(&self.origin, &parts).await.is_err() {
                        return Ended::Closed;
                    }
                }
                Ok(Err(error)) => return Ended::Lost(error),
                Err(_) => return Ended::Silent,
            }
        }
    }

    /// Replaces a silent connection. A peer that vanished without closing looks like one that has nothing to say, so
    /// the new connection is made first and the old one read a little longer: of a healthy peer nothing is lost, and
    /// what comes over both has the same id. None where no new connection could be made.
    async fn renew(&mut self, mut old: ZmqConnection) -> Result<Option<ZmqConnection>, SinkClosed> {
        let before = self.origin.clone();
        let fresh = match self.open().await {
            Ok(fresh) => fresh,
            Err(error) => {
                self.troubled(&error);
                return Ok(None);
            }
        };
        self.origin.endpoint.renewed();
        let until = Instant::now() + limits::BUS_OVERLAP;
        while let Ok(Ok(parts)) = timeout_at(until, old.next()).await {
            self.sink.offer_parts(&before, &parts).await?;
        }
        Ok(Some(fresh))
    }

    fn troubled(&self, error: &ZmqConnectionError) {
        let endpoint = &self.origin.endpoint;
        if endpoint.trouble(&error.to_string()) {
            tracing::warn!(endpoint = endpoint.name(), %error, "bus endpoint in trouble");
        }
    }
}

/// Rests that double from `BUS_BACKOFF_MIN` to `BUS_BACKOFF_MAX`, each shortened by up to a half at random so that many
/// subscribers do not return at the same instant. A message received or a connection that lasted resets it.
#[derive(Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let longest = limits::BUS_BACKOFF_MIN.saturating_mul(1 << self.failures.min(16)).min(limits::BUS_BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        longest.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_tcp_is_refused_before_anything_is_connected() {
        for address in ["", "localhost:9940", "ipc:///tmp/bus", "tcp://localhost", "tcp://localhost:99999", "udp://a:1"]
        {
            let subscription = ZmqSubscription { address: address.into(), topics: vec![] };
            assert!(ZmqSource::new(vec![subscription], ZmqSettings::default()).is_err(), "{address}");
        }
    }

    #[test]
    fn row_10_rests_grow_to_the_bound_differ_and_begin_anew_after_a_message() {
        let mut backoff = Backoff::default();
        let rests: Vec<Duration> = (0..40).map(|_| backoff.next()).collect();
        assert!(rests[0] <= limits::BUS_BACKOFF_MIN && rests[0] >= limits::BUS_BACKOFF_MIN / 2);
        assert!(rests.iter().all(|rest| *rest <= limits::BUS_BACKOFF_MAX));
        assert!(rests[20..].iter().all(|rest| *rest >= limits::BUS_BACKOFF_MAX / 2));
        assert!(rests[20..].iter().any(|rest| *rest != rests[20]));
        backoff.reset();
        assert!(backoff.next() <= limits::BUS_BACKOFF_MIN);
    }
}
