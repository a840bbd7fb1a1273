//! The ZeroMQ source: a SUB socket and a task for each endpoint, so that an absent, silent or broken publisher delays
//! only itself. Every failure ends the same way: drop the socket, wait, connect again.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use async_trait::async_trait;
use rand::RngExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::endpoint::{Endpoint, EndpointState};
use crate::source::{Origin, SinkClosed, Source, SourceEnd, SourceError, SourceSink};
use crate::zmq_connection::{ZmqConnection, ZmqConnectionError};

/// One publisher to subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZmqSubscription {
    /// `tcp://host:port`.
    pub address: String,
    /// Prefixes of the requested topics, compared byte by byte; empty: every topic.
    pub topics: Vec<String>,
}

/// Timeouts of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZmqSettings {
    /// The time to connect, to greet and to subscribe.
    pub connect_timeout: Duration,
    /// Setting `bus.zeromq.idle_timeout`. A value longer than the bus's usual silences saves connections; a shorter one
    /// loses nothing.
    pub idle: Duration,
}

impl Default for ZmqSettings {
    fn default() -> Self {
        ZmqSettings { connect_timeout: limits::BUS_CONNECT_TIMEOUT, idle: limits::BUS_IDLE }
    }
}

/// Subscribes to any number of ZeroMQ publishers.
pub struct ZmqSource {
    subscriptions: Vec<(ZmqSubscription, Arc<Endpoint>)>,
    settings: ZmqSettings,
}

impl ZmqSource {
    /// Checks the addresses; does not connect yet.
    pub fn new(subscriptions: Vec<ZmqSubscription>, settings: ZmqSettings) -> Result<ZmqSource, SourceError> {
        let checked = subscriptions.into_iter().map(|mut subscription| {
            check_address(&subscription.address)?;
            if subscription.topics.is_empty() {
                subscription.topics.push(String::new());
            }
            let endpoint = Endpoint::new(&subscription.address);
            Ok((subscription, endpoint))
        });
        Ok(ZmqSource { subscriptions: checked.collect::<Result<_, SourceError>>()?, settings })
    }
}

/// Accepts TCP only: the crate panics at transports that it was built without.
pub(crate) fn check_address(address: &str) -> Result<(), SourceError> {
    match address.parse() {
        Ok(zeromq::Endpoint::Tcp(_, _)) => Ok(()),
        _ => Err(SourceError::Address { address: address.to_owned() }),
    }
}

#[async_trait]
impl Source for ZmqSource {
    fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.subscriptions.iter().map(|(_, endpoint)| Arc::clone(endpoint)).collect()
    }

    async fn run(self: Box<Self>, sink: SourceSink, stop: CancellationToken) -> Result<SourceEnd, SourceError> {
        let mut tasks = JoinSet::new();
        for (subscription, endpoint) in self.subscriptions {
            let origin = Origin { endpoint, connection: 0 };
            let (settings, sink, stop) = (self.settings, sink.clone(), stop.clone());
            tasks.spawn(EndpointTask { subscription, settings, origin, sink, backoff: Backoff::default() }.run(stop));
        }
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        Ok(SourceEnd::Stopped)
    }
}

struct EndpointTask {
    subscription: ZmqSubscription,
    settings: ZmqSettings,
    /// Its connection number is that of the latest connection.
    origin: Origin,
    sink: SourceSink,
    backoff: Backoff,
}

/// Why reading from a connection ended.
enum ReadEnd {
    /// The receiver of the buffer was dropped.
    ReceiverDropped,
    Lost(ZmqConnectionError),
    /// No message for the idle timeout.
    Idle,
}

impl EndpointTask {
    async fn run(mut self, stop: CancellationToken) {
        // A stop interrupts any wait: a message that intake has not taken is not accepted.
        stop.run_until_cancelled(self.listen()).await;
        self.origin.endpoint.enter(EndpointState::Ended);
    }

    /// Connects again after each failure; ends when the receiver was dropped.
    async fn listen(&mut self) {
        loop {
            match self.connect().await {
                Ok(connection) => {
                    if self.read(connection).await.is_break() {
                        return;
                    }
                }
                Err(error) => self.report(&error),
            }
            self.origin.endpoint.enter(EndpointState::BackingOff);
            tokio::time::sleep(self.backoff.next()).await;
        }
    }

    async fn connect(&mut self) -> Result<ZmqConnection, ZmqConnectionError> {
        self.origin.endpoint.enter(EndpointState::Connecting);
        let connection = self.open().await?;
        if self.origin.connection > 1 {
            self.origin.endpoint.count_reconnect();
        }
        Ok(connection)
    }

    async fn open(&mut self) -> Result<ZmqConnection, ZmqConnectionError> {
        let ZmqSubscription { address, topics } = &self.subscription;
        let connection = ZmqConnection::open(address, topics, self.settings.connect_timeout).await?;
        self.origin.connection += 1;
        self.origin.endpoint.enter(EndpointState::Subscribed);
        tracing::info!(endpoint = address, connection = self.origin.connection, "subscribed");
        Ok(connection)
    }

    /// Reads from a connection and its replacements until it is lost.
    async fn read(&mut self, mut connection: ZmqConnection) -> ControlFlow<()> {
        let opened = Instant::now();
        loop {
            match self.forward(&mut connection).await {
                ReadEnd::ReceiverDropped => return ControlFlow::Break(()),
                ReadEnd::Lost(error) => {
                    self.report(&error);
                    if opened.elapsed() > limits::BUS_BACKOFF_MAX {
                        self.backoff.reset();
                    }
                    return ControlFlow::Continue(());
                }
                ReadEnd::Idle => match self.renew(connection).await {
                    Ok(Some(fresh)) => connection = fresh,
                    Ok(None) => return ControlFlow::Continue(()),
                    Err(SinkClosed) => return ControlFlow::Break(()),
                },
            }
        }
    }

    /// Passes messages to the buffer until the connection ends or is idle.
    async fn forward(&mut self, connection: &mut ZmqConnection) -> ReadEnd {
        loop {
            match timeout(self.settings.idle, connection.next()).await {
                Ok(Ok(parts)) => {
                    self.backoff.reset();
                    if self.sink.offer_parts(&self.origin, &parts).await.is_err() {
                        return ReadEnd::ReceiverDropped;
                    }
                }
                Ok(Err(error)) => return ReadEnd::Lost(error),
                Err(_) => return ReadEnd::Idle,
            }
        }
    }

    /// Replaces a silent connection. A peer that vanished without closing looks like a silent one, so the new
    /// connection is made first and the old one read a little longer: nothing of a healthy peer is lost, and a message
    /// that comes over both has the same id. Returns none if no new connection was made.
    async fn renew(&mut self, mut old: ZmqConnection) -> Result<Option<ZmqConnection>, SinkClosed> {
        let before = self.origin.clone();
        let fresh = match self.open().await {
            Ok(fresh) => fresh,
            Err(error) => {
                self.report(&error);
                return Ok(None);
            }
        };
        self.origin.endpoint.count_renewal();
        let until = Instant::now() + limits::BUS_OVERLAP;
        while let Ok(Ok(parts)) = timeout_at(until, old.next()).await {
            self.sink.offer_parts(&before, &parts).await?;
        }
        Ok(Some(fresh))
    }

    fn report(&self, error: &ZmqConnectionError) {
        let endpoint = &self.origin.endpoint;
        if endpoint.record_trouble(&error.to_string()) {
            tracing::warn!(endpoint = endpoint.name(), %error, "bus endpoint failed; it is connected again after a pause");
        }
    }
}

/// Pauses that double from `BUS_BACKOFF_MIN` to `BUS_BACKOFF_MAX`, each shortened at random by up to a half, so that
/// many subscribers do not return at the same instant. A received message or a connection that lasted resets it.
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
    fn row_10_pauses_grow_to_the_limit_vary_and_are_reset_by_a_message() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..40).map(|_| backoff.next()).collect();
        assert!(pauses[0] <= limits::BUS_BACKOFF_MIN && pauses[0] >= limits::BUS_BACKOFF_MIN / 2);
        assert!(pauses.iter().all(|pause| *pause <= limits::BUS_BACKOFF_MAX));
        assert!(pauses[20..].iter().all(|pause| *pause >= limits::BUS_BACKOFF_MAX / 2));
        assert!(pauses[20..].iter().any(|pause| *pause != pauses[20]));
        backoff.reset();
        assert!(backoff.next() <= limits::BUS_BACKOFF_MIN);
    }
}
