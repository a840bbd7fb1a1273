//! Everything that is kept between calls, and what each call does with it. Over its connection it says `SAY id text` and
//! waits for `OK id`, answers `PING x` with `PONG x`, hands `FROM address text` to the inbox and returns each line of
//! the answer as `TO address line`, panics at `TRAP`, and says `QUIT` at the end.

use std::hint::black_box;

use tidings_plugin::net::{Connection, Error, TlsOptions, Verification, connect};
use tidings_plugin::{Content, Delivery, Outcome, Reason};
use tidings_plugin::{clock, config, inbox, progress};

use crate::order::Order;
use crate::wire::Wire;

/// How soon it tries to connect again: milliseconds.
const RECONNECT_MS: u64 = 100;
/// How many calls a chat is.
const CHAT: u32 = 100;
const MIB: usize = 1024 * 1024;

#[derive(Default)]
pub struct House {
    calls: u32,
    /// By reason, in the contract's order.
    wakes: [u32; 4],
    wire: Option<Wire>,
    lines: Vec<String>,
    hoard: Vec<Connection>,
    ballast: Vec<Vec<u8>>,
    trap_in_wake: bool,
    leave_unread: bool,
    keep_ended: bool,
}

impl House {
    pub fn deliver(&mut self, batch: &[Delivery]) -> Vec<Outcome> {
        self.calls += 1;
        let mut outcomes = Vec::with_capacity(batch.len());
        for (place, delivery) in batch.iter().enumerate() {
            let outcome = self.obey(place, delivery);
            if Order::of(&delivery.recipient.address) == Order::Say {
                progress::settled(place as u32, &outcome);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    pub fn wake(&mut self, reason: Reason) -> Option<u64> {
        self.wakes[reason as usize] += 1;
        if self.trap_in_wake {
            trap();
        }
        match reason {
            Reason::Start => self.arrive(),
            Reason::Readable | Reason::Timer if !self.leave_unread => self.look(),
            Reason::Readable | Reason::Timer => {}
            Reason::Stop => self.leave(),
        }
        let wanted = setting("wake_ms").parse().ok();
        if self.wire.is_none() && matches!(setting("start").as_str(), "connect" | "tls") {
            return Some(wanted.unwrap_or(RECONNECT_MS).min(RECONNECT_MS));
        }
        wanted
    }

    fn arrive(&mut self) {
        match setting("start").as_str() {
            "connect" | "tls" => drop(self.open()),
            "trap" => trap(),
            "loop" => spin(),
            _ => {}
        }
    }

    fn leave(&mut self) {
        match setting("stop").as_str() {
            "loop" => spin(),
            _ => drop(self.wire.as_ref().map(|wire| wire.write_line("QUIT"))),
        }
    }

    /// Reads what has come and connects again where the connection has ended.
    fn look(&mut self) {
        let arrived = self.wire.as_mut().map(Wire::arrived).unwrap_or_default();
        for line in arrived {
            self.hear(line);
        }
        if self.wire.as_ref().is_some_and(Wire::has_ended) && !self.keep_ended {
            self.wire = None;
        }
        if self.wire.is_none() && matches!(setting("start").as_str(), "connect" | "tls") {
            drop(self.open());
        }
    }

    fn hear(&mut self, line: String) {
        let Some(wire) = &self.wire else { return };
        match line.split_once(' ') {
            Some(("PING", what)) => drop(wire.write_line(&format!("PONG {what}"))),
            Some(("FROM", said)) => {
                let (address, text) = said.split_once(' ').unwrap_or((said, ""));
                for line in inbox::submit(address, text) {
                    drop(wire.write_line(&format!("TO {address} {line}")));
                }
            }
            _ if line == "TRAP" => trap(),
            _ => {}
        }
        self.lines.push(line);
    }

    fn open(&mut self) -> Result<&mut Wire, Error> {
        if self.wire.is_none() {
            let (host, port) = target();
            let unverified = TlsOptions { server_name: None, verification: Verification::None, identity: None };
            let tls = (setting("start") == "tls").then_some(unverified);
            self.wire = Some(Wire::open(&host, port, tls.as_ref())?);
        }
        self.wire.as_mut().ok_or(Error::Timeout)
    }

    fn obey(&mut self, place: usize, delivery: &Delivery) -> Outcome {
        let told = |text: String| Outcome::Delivered(Some(text));
        match Order::of(&delivery.recipient.address) {
            Order::Say => self.say(delivery),
            Order::Count => told(format!("call {}", self.calls)),
            Order::Wakes => {
                let [start, readable, timer, stop] = self.wakes;
                told(format!("start {start} readable {readable} timer {timer} stop {stop}"))
            }
            Order::Lines => told(self.lines.join("|")),
            Order::Trap => trap(),
            Order::SettleTrap => {
                progress::settled(place as u32, &told("settled".into()));
                trap()
            }
            Order::Loop => spin(),
            Order::TrapInWake => set(&mut self.trap_in_wake),
            Order::LeaveUnread => set(&mut self.leave_unread),
            Order::KeepEnded => set(&mut self.keep_ended),
            Order::Hoard => match another() {
                Ok(connection) => {
                    self.hoard.push(connection);
                    told(format!("{} hoarded", self.hoard.len()))
                }
                Err(error) => Outcome::Rejected(format!("{error:?}")),
            },
            Order::Reopen => match another() {
                Ok(_) => told("opened".into()),
                Err(error) => Outcome::Rejected(format!("{error:?}")),
            },
            Order::Grow => {
                self.ballast.push(black_box(vec![1; MIB]));
                told(format!("{} MiB", self.ballast.len()))
            }
            Order::Chat => {
                for _ in 0..CHAT {
                    black_box(clock::now_ms());
                }
                Outcome::Delivered(None)
            }
            Order::Sip => match self.open().map(Wire::sip) {
                Ok(Ok(())) => Outcome::Delivered(None),
                Ok(Err(error)) | Err(error) => Outcome::Rejected(format!("{error:?}")),
            },
            Order::Await => heard(self.open().and_then(Wire::next_line)),
            Order::LastWords => heard(self.open().and_then(Wire::last_words)),
        }
    }

    /// Sends a delivery, and waits until the server says that it has it.
    fn say(&mut self, delivery: &Delivery) -> Outcome {
        let text = match &delivery.content {
            Content::Single(event) => event.subtitle.clone(),
            Content::Digest(digest) => digest.summary.join("; "),
            Content::Confirmation(confirmation) => format!("confirm {}", confirmation.code),
        };
        let id = delivery.id.as_str();
        let line = format!("SAY {id} {text}").replace(['\r', '\n'], " ");
        let sent = self.open().and_then(|wire| wire.write_line(&line));
        match sent.and_then(|()| self.acknowledged(id)) {
            Ok(()) => Outcome::Delivered(Some(id.into())),
            Err(error) => {
                self.wire = None;
                Outcome::trouble(Some(RECONNECT_MS), format!("{error:?}"))
            }
        }
    }

    fn acknowledged(&mut self, id: &str) -> Result<(), Error> {
        loop {
            let line = self.open()?.next_line()?;
            if line.strip_prefix("OK ") == Some(id) {
                return Ok(());
            }
            self.hear(line);
        }
    }
}

fn heard(line: Result<String, Error>) -> Outcome {
    match line {
        Ok(line) => Outcome::Delivered(Some(line)),
        Err(error) => Outcome::Rejected(format!("{error:?}")),
    }
}

fn set(mood: &mut bool) -> Outcome {
    *mood = true;
    Outcome::Delivered(None)
}

fn setting(name: &str) -> String {
    config::get(name).unwrap_or_default()
}

/// The configured host and port.
fn target() -> (String, u16) {
    (setting("host"), setting("port").parse().unwrap_or(9))
}

fn another() -> Result<Connection, Error> {
    let (host, port) = target();
    connect(&host, port, None)
}

fn spin() -> ! {
    let mut turns = 0u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

#[expect(clippy::panic, reason = "a trap is the point")]
fn trap() -> ! {
    panic!("asked to trap")
}
