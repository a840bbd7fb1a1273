//! Deliveries to send, the host over this machine's own network and clock, and a server on a script.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod server;

use std::time::{Duration, Instant};

use irc::engine::Engine;
use irc::settings::Settings;
use tidings_plugin::testing::{self, NativeHost, now_ms};
use tidings_plugin::{Confirmation, Content, Delivery, Event, Outcome, Recipient};

/// One call's time: milliseconds.
pub const CALL_MS: u64 = 20_000;

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
pub fn host() -> NativeHost {
    NativeHost::answering(|text| match text {
        "list rules" => vec!["a rule and what it is about, ".repeat(40); 30],
        _ => vec![format!("you said: {text}\r\nQUIT :injected")],
    })
}

/// The channel, and its host.
pub struct Channel {
    pub engine: Engine<NativeHost>,
    pub host: NativeHost,
}

impl Channel {
    pub fn new(settings: Settings) -> Self {
        let host = host();
        Channel { engine: Engine::new(host.clone(), settings), host }
    }

    /// Checks what holds for every batch: each outcome was told once, and as it was returned.
    pub fn deliver(&mut self, batch: &[Delivery]) -> Vec<Outcome> {
        self.deliver_within(CALL_MS, batch)
    }

    pub fn deliver_within(&mut self, ms: u64, batch: &[Delivery]) -> Vec<Outcome> {
        self.host.start_call(ms);
        let mut told: Vec<Option<Outcome>> = vec![None; batch.len()];
        let outcomes = self.engine.deliver(batch, |place, outcome| {
            assert_eq!(told[place], None, "told twice");
            told[place] = Some(outcome.clone());
        });
        assert_eq!(told.into_iter().map(Option::unwrap).collect::<Vec<_>>(), outcomes);
        outcomes
    }

    /// Wakes it as the host does, until `done`.
    pub fn live(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < end, "{what} did not happen");
            self.host.start_call(10_000);
            let wait_ms = self.engine.wake(tidings_plugin::Reason::Timer).unwrap();
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

pub fn question(address: &str) -> Delivery {
    let confirmation = Confirmation {
        code: "K7QX-M2".into(),
        accept_link: "https://tidings.example.org/confirm/accept/K7QX-M2".into(),
        reject_link: "https://tidings.example.org/confirm/reject/K7QX-M2".into(),
        expires_ms: now_ms() + 24 * 3600 * 1000,
    };
    delivery(address, Content::Confirmation(confirmation))
}

/// How long the channel is to rest: milliseconds.
pub fn rest_ms(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::ChannelTrouble(trouble) => trouble.after_ms.unwrap(),
        other => panic!("{other:?}"),
    }
}
