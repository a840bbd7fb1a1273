//! Settings and deliveries of the tests, the channel on the network of this machine, and a scripted server.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod server;

use std::time::{Duration, Instant};

use irc::engine::Engine;
use irc::settings::Settings;
use tidings_plugin::testing::{self, NativeHost, now_ms};
use tidings_plugin::{Confirmation, Content, Delivery, Event, Outcome, Reason, Recipient};

/// The time for one call, in milliseconds.
const CALL_MS: u64 = 20_000;
/// The time for one wake, in milliseconds.
const WAKE_MS: u64 = 10_000;
/// The wait that a wake returns when the channel has nothing to do, in milliseconds.
const IDLE_MS: u64 = 5000;
/// The longest wait for an event. A test that reaches it fails.
const LIMIT: Duration = Duration::from_secs(20);

/// Settings for a fast channel on a port of this machine.
pub fn settings(port: u16, more: &[(&str, &str)]) -> Settings {
    let port = port.to_string();
    let least = [
        ("host", "127.0.0.1"),
        ("port", &port),
        ("tls", "false"),
        ("interval_ms", "1"),
        ("burst", "100"),
        ("reconnect_ms", "100"),
        ("services", "none"),
    ];
    let values: Vec<_> = least.iter().chain(more).copied().collect();
    Settings::read(testing::config(&values)).unwrap()
}

/// A host whose inbox answers `list rules` with more than one user may get, and anything else with an attack.
fn host() -> NativeHost {
    NativeHost::answering(|text| match text {
        "list rules" => vec!["a rule and what it is about, ".repeat(40); 30],
        _ => vec![format!("you said: {text}\r\nQUIT :injected")],
    })
}

/// The channel and its host.
pub struct Channel {
    pub engine: Engine<NativeHost>,
    pub host: NativeHost,
}

impl Channel {
    pub fn new(settings: Settings) -> Self {
        let host = host();
        Channel { engine: Engine::new(host.clone(), settings), host }
    }

    /// Delivers the batch. Each outcome must be settled once, and as it is returned.
    pub fn deliver(&mut self, batch: &[Delivery]) -> Vec<Outcome> {
        self.deliver_within(CALL_MS, batch)
    }

    pub fn deliver_within(&mut self, call_ms: u64, batch: &[Delivery]) -> Vec<Outcome> {
        self.host.start_call(call_ms);
        let mut settled: Vec<Option<Outcome>> = vec![None; batch.len()];
        let outcomes = self.engine.deliver(batch, |index, outcome| {
            assert_eq!(settled[index], None, "settled twice");
            settled[index] = Some(outcome.clone());
        });
        assert_eq!(settled.into_iter().map(Option::unwrap).collect::<Vec<_>>(), outcomes);
        outcomes
    }

    /// Wakes the channel once. Returns the time until the next wake, in milliseconds.
    pub fn wake(&mut self) -> u64 {
        self.host.start_call(WAKE_MS);
        self.engine.wake(Reason::Timer).unwrap()
    }

    /// Wakes the channel as the daemon does, until the condition holds.
    pub fn wake_until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + LIMIT;
        while !condition(self) {
            assert!(Instant::now() < end, "{what}: not within {LIMIT:?}");
            let wait_ms = self.wake();
            std::thread::sleep(Duration::from_millis(wait_ms.min(10)));
        }
    }

    /// Wakes the channel until it has a connection that is registered.
    pub fn wake_until_online(&mut self) {
        self.wake_until("the registration", |channel| channel.engine.nick().is_some());
    }

    /// Wakes the channel until no line waits to be sent.
    pub fn wake_until_idle(&mut self) {
        let end = Instant::now() + LIMIT;
        loop {
            let wait_ms = self.wake();
            if wait_ms >= IDLE_MS {
                return;
            }
            assert!(Instant::now() < end, "lines still wait after {LIMIT:?}");
            std::thread::sleep(Duration::from_millis(wait_ms.min(10)));
        }
    }
}

pub fn event(text: &str) -> Event {
    Event {
        topic: "org.fedoraproject.prod.buildsys.build.state.change".into(),
        application: "buildsys".into(),
        timestamp_ms: now_ms(),
        title: "buildsys.build.state.change".into(),
        agent: Some("ralph".into()),
        ..testing::event(text, text)
    }
}

pub fn delivery(address: &str, content: Content) -> Delivery {
    let delivery = testing::delivery(address, content);
    let recipient = Recipient {
        user: "toshio".into(),
        filter_name: Some("My packages".into()),
        settings_link: Some("https://tidings.example.org/toshio/irc/1".into()),
        ..delivery.recipient
    };
    Delivery { accepted_ms: now_ms(), recipient, ..delivery }
}

pub fn single(address: &str, text: &str) -> Delivery {
    delivery(address, Content::Single(event(text)))
}

pub fn confirmation(address: &str) -> Delivery {
    let confirmation = Confirmation {
        code: "K7QX-M2".into(),
        accept_link: "https://tidings.example.org/confirm/accept/K7QX-M2".into(),
        reject_link: "https://tidings.example.org/confirm/reject/K7QX-M2".into(),
        expires_ms: now_ms() + 24 * 3600 * 1000,
    };
    delivery(address, Content::Confirmation(confirmation))
}

/// The pause of the channel, in milliseconds.
pub fn pause_ms(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::ChannelTrouble(trouble) => trouble.after_ms.unwrap(),
        other => panic!("{other:?}"),
    }
}
