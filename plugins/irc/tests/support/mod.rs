//! Deliveries to send, the host over this machine's own network and clock, and a server on a script.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod server;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use irc::engine::{Engine, IrcHost, Stream};
use irc::settings::Settings;
use tidings_plugin::net::{Error, TlsOptions};
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
    let values: Vec<_> = least.iter().chain(more).collect();
    Settings::read(|name| values.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        .unwrap()
}

/// The host, but for its sandbox. What it is told is kept.
#[derive(Clone)]
pub struct Native {
    began: Instant,
    deadline_ms: Rc<Cell<u64>>,
    pub submitted: Rc<RefCell<Vec<(String, String)>>>,
    pub logged: Rc<RefCell<Vec<String>>>,
    pub tls: Rc<RefCell<Vec<Option<TlsOptions>>>>,
}

impl Default for Native {
    fn default() -> Self {
        Native {
            began: Instant::now(),
            deadline_ms: Rc::default(),
            submitted: Rc::default(),
            logged: Rc::default(),
            tls: Rc::default(),
        }
    }
}

impl Native {
    /// A call begins, and may take so long.
    pub fn allow(&self, ms: u64) {
        self.deadline_ms.set(self.monotonic_ms() + ms);
    }
}

impl IrcHost for Native {
    type Stream = Socket;

    /// TLS is the host's affair: here it is noted, not done.
    fn connect(&self, host: &str, port: u16, tls: Option<TlsOptions>) -> Result<Socket, Error> {
        self.tls.borrow_mut().push(tls);
        TcpStream::connect((host, port)).map(Socket).map_err(|error| Error::Failed(error.to_string()))
    }

    fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
    }

    /// Not from zero, which no real clock shows.
    fn monotonic_ms(&self) -> u64 {
        1_000_000 + self.began.elapsed().as_millis() as u64
    }

    fn remaining_ms(&self) -> u64 {
        self.deadline_ms.get().saturating_sub(self.monotonic_ms())
    }

    fn random(&self) -> u64 {
        4711
    }

    fn submit(&self, address: &str, text: &str) -> Vec<String> {
        self.submitted.borrow_mut().push((address.to_owned(), text.to_owned()));
        match text {
            "list rules" => vec!["a rule and what it is about, ".repeat(40); 30],
            _ => vec![format!("you said: {text}\r\nQUIT :injected")],
        }
    }

    fn log(&self, text: &str) {
        self.logged.borrow_mut().push(text.to_owned());
    }
}

pub struct Socket(TcpStream);

impl Stream for Socket {
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; max as usize];
        match self.0.read(&mut bytes) {
            Ok(length) => {
                bytes.truncate(length);
                Ok(bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(Error::Timeout),
            Err(error) => Err(Error::Failed(error.to_string())),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.0.write_all(bytes).map_err(|error| Error::Failed(error.to_string()))
    }

    fn set_timeout_ms(&mut self, timeout: u32) {
        self.0.set_nonblocking(timeout == 0).unwrap();
        self.0.set_read_timeout((timeout > 0).then(|| Duration::from_millis(timeout.into()))).unwrap();
    }
}

/// The channel, and its host.
pub struct Channel {
    pub engine: Engine<Native>,
    pub host: Native,
}

impl Channel {
    pub fn new(settings: Settings) -> Self {
        let host = Native::default();
        Channel { engine: Engine::new(host.clone(), settings), host }
    }

    /// Checks what holds for every batch: each outcome was told once, and as it was returned.
    pub fn deliver(&mut self, batch: &[Delivery]) -> Vec<Outcome> {
        self.deliver_within(CALL_MS, batch)
    }

    pub fn deliver_within(&mut self, ms: u64, batch: &[Delivery]) -> Vec<Outcome> {
        self.host.allow(ms);
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
            self.host.allow(10_000);
            let wait_ms = self.engine.wake(tidings_plugin::Reason::Timer).unwrap();
            std::thread::sleep(Duration::from_millis(wait_ms.min(10)));
        }
    }
}

pub fn event(text: &str) -> Event {
    Event {
        id: "2026-a1".into(),
        topic: "org.fedoraproject.prod.buildsys.build.state.change".into(),
        application: "buildsys".into(),
        timestamp_ms: Native::default().now_ms(),
        title: "buildsys.build.state.change".into(),
        subtitle: text.into(),
        long_form: text.into(),
        link: None,
        icon: None,
        secondary_icon: None,
        agent: Some("ralph".into()),
        usernames: Vec::new(),
        packages: Vec::new(),
        objects: Vec::new(),
        thread: None,
        body: "{}".into(),
        extra: Vec::new(),
    }
}

pub fn recipient(address: &str) -> Recipient {
    Recipient {
        user: "toshio".into(),
        address: address.into(),
        filter_name: Some("My packages".into()),
        settings_link: Some("https://tidings.example.org/toshio/irc/1".into()),
        unsubscribe_link: None,
        markup: false,
        triggered_by: false,
        verbose: false,
        extra: Vec::new(),
    }
}

pub fn delivery(address: &str, content: Content) -> Delivery {
    Delivery {
        id: format!("{:032x}", 7),
        attempt: 1,
        accepted_ms: Native::default().now_ms(),
        recipient: recipient(address),
        content,
        extra: Vec::new(),
    }
}

pub fn single(address: &str, text: &str) -> Delivery {
    delivery(address, Content::Single(event(text)))
}

pub fn question(address: &str) -> Delivery {
    let confirmation = Confirmation {
        code: "K7QX-M2".into(),
        accept_link: "https://tidings.example.org/confirm/accept/K7QX-M2".into(),
        reject_link: "https://tidings.example.org/confirm/reject/K7QX-M2".into(),
        expires_ms: Native::default().now_ms() + 24 * 3600 * 1000,
    };
    delivery(address, Content::Confirmation(confirmation))
}

/// One letter an outcome: delivered, retry, rejected (x), gone, trouble.
pub fn letters(outcomes: &[Outcome]) -> String {
    let letter = |outcome: &Outcome| match outcome {
        Outcome::Delivered(_) => 'd',
        Outcome::Retry(_) => 'r',
        Outcome::Rejected(_) => 'x',
        Outcome::AddressGone(_) => 'g',
        Outcome::ChannelTrouble(_) => 't',
    };
    outcomes.iter().map(letter).collect()
}

pub fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Delivered(receipt) => receipt.as_deref().unwrap_or_default(),
        Outcome::Retry(retry) => &retry.reason,
        Outcome::Rejected(reason) => reason,
        Outcome::AddressGone(gone) => &gone.reason,
        Outcome::ChannelTrouble(trouble) => &trouble.reason,
    }
}

/// How long the channel is to rest: milliseconds.
pub fn rest_ms(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::ChannelTrouble(trouble) => trouble.after_ms.unwrap(),
        other => panic!("{other:?}"),
    }
}
