//! The state between calls, and what each call does with it.
//!
//! The line protocol: the plugin sends `SAY id text` and waits for `OK id`, answers `PING x` with `PONG x`, submits the
//! text of `FROM address text` to the inbox and returns each line of the answer as `TO address line`, panics at `TRAP`,
//! and sends `QUIT` when it stops.

use std::hint::black_box;

use tidings_plugin::net::{Connection, Error, Verification, connect};
use tidings_plugin::stream;
use tidings_plugin::{Content, Delivery, Outcome, Reason};
use tidings_plugin::{clock, config, inbox, progress};

use crate::action::Action;
use crate::line_connection::LineConnection;

/// The longest time until it connects again, in milliseconds.
const RECONNECT_MS: u64 = 100;
/// The host calls of [`Action::HostCalls`].
const HOST_CALLS: u32 = 100;
const MIB: usize = 1024 * 1024;

#[derive(Default)]
pub struct State {
    calls: u32,
    /// By reason, in the contract's order.
    wakes: [u32; 4],
    connection: Option<LineConnection>,
    lines: Vec<String>,
    held: Vec<Connection>,
    allocated: Vec<Vec<u8>>,
    trap_in_wake: bool,
    leave_unread: bool,
    keep_ended: bool,
}

impl State {
    /// Acts on each delivery, in order. A sent delivery is settled at once.
    pub fn deliver(&mut self, batch: &[Delivery]) -> Vec<Outcome> {
        self.calls += 1;
        let mut outcomes = Vec::with_capacity(batch.len());
        for (index, delivery) in batch.iter().enumerate() {
            let outcome = self.act(index, delivery);
            if Action::of(&delivery.recipient.address) == Action::Send {
                progress::settled(index as u32, &outcome);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Returns the milliseconds until the next timer, if there is one.
    pub fn wake(&mut self, reason: Reason) -> Option<u64> {
        self.wakes[reason as usize] += 1;
        if self.trap_in_wake {
            trap();
        }
        match reason {
            Reason::Start => self.start(),
            Reason::Readable | Reason::Timer if !self.leave_unread => self.read(),
            Reason::Readable | Reason::Timer => {}
            Reason::Stop => self.stop(),
        }
        let wake_ms = setting("wake_ms").parse().ok();
        if self.connection.is_none() && connects() {
            return Some(wake_ms.unwrap_or(RECONNECT_MS).min(RECONNECT_MS));
        }
        wake_ms
    }

    fn start(&mut self) {
        match setting("start").as_str() {
            "connect" | "tls" => drop(self.open()),
            "trap" => trap(),
            "loop" => spin(),
            _ => {}
        }
    }

    fn stop(&mut self) {
        match setting("stop").as_str() {
            "loop" => spin(),
            _ => drop(self.connection.as_ref().map(|connection| connection.write_line("QUIT"))),
        }
    }

    /// Reads the lines that have arrived, and connects again where the connection has ended.
    fn read(&mut self) {
        let received = self.connection.as_mut().map(LineConnection::received).unwrap_or_default();
        for line in received {
            self.on_line(line);
        }
        if self.connection.as_ref().is_some_and(LineConnection::has_ended) && !self.keep_ended {
            self.connection = None;
        }
        if self.connection.is_none() && connects() {
            drop(self.open());
        }
    }

    fn on_line(&mut self, line: String) {
        let Some(connection) = &self.connection else { return };
        match line.split_once(' ') {
            Some(("PING", token)) => drop(connection.write_line(&format!("PONG {token}"))),
            Some(("FROM", rest)) => {
                let (address, text) = rest.split_once(' ').unwrap_or((rest, ""));
                for line in inbox::submit(address, text) {
                    drop(connection.write_line(&format!("TO {address} {line}")));
                }
            }
            _ if line == "TRAP" => trap(),
            _ => {}
        }
        self.lines.push(line);
    }

    fn open(&mut self) -> Result<&mut LineConnection, Error> {
        if self.connection.is_none() {
            let (host, port) = target();
            let tls = (setting("start") == "tls").then(|| stream::tls(Verification::None));
            self.connection = Some(LineConnection::open(&host, port, tls.as_ref())?);
        }
        self.connection.as_mut().ok_or(Error::Timeout)
    }

    fn act(&mut self, index: usize, delivery: &Delivery) -> Outcome {
        match Action::of(&delivery.recipient.address) {
            Action::Send => self.send(delivery),
            Action::Count => delivered(format!("call {}", self.calls)),
            Action::Wakes => {
                let [start, readable, timer, stop] = self.wakes;
                delivered(format!("start {start} readable {readable} timer {timer} stop {stop}"))
            }
            Action::Lines => delivered(self.lines.join("|")),
            Action::Trap => trap(),
            Action::SettleTrap => {
                progress::settled(index as u32, &delivered("settled".into()));
                trap()
            }
            Action::Loop => spin(),
            Action::TrapInWake => set(&mut self.trap_in_wake),
            Action::LeaveUnread => set(&mut self.leave_unread),
            Action::KeepEnded => set(&mut self.keep_ended),
            Action::Hold => receipt(another().map(|connection| {
                self.held.push(connection);
                format!("{} held", self.held.len())
            })),
            Action::Reopen => receipt(another().map(|_| "opened".into())),
            Action::Grow => {
                self.allocated.push(black_box(vec![1; MIB]));
                delivered(format!("{} MiB", self.allocated.len()))
            }
            Action::HostCalls => {
                for _ in 0..HOST_CALLS {
                    black_box(clock::now_ms());
                }
                Outcome::Delivered(None)
            }
            Action::ReadByte => match self.open().and_then(LineConnection::read_byte) {
                Ok(()) => Outcome::Delivered(None),
                Err(error) => Outcome::Rejected(format!("{error:?}")),
            },
            Action::AwaitLine => receipt(self.open().and_then(LineConnection::next_line)),
            Action::WriteUntilFailure => receipt(self.open().and_then(LineConnection::write_until_failure)),
        }
    }

    /// Sends a delivery and waits for the server's acknowledgement.
    fn send(&mut self, delivery: &Delivery) -> Outcome {
        let text = match &delivery.content {
            Content::Single(event) => event.subtitle.clone(),
            Content::Digest(digest) => digest.summary.join("; "),
            Content::Confirmation(confirmation) => format!("confirm {}", confirmation.code),
        };
        let id = delivery.id.as_str();
        let line = format!("SAY {id} {text}").replace(['\r', '\n'], " ");
        let sent = self.open().and_then(|connection| connection.write_line(&line));
        match sent.and_then(|()| self.await_acknowledgement(id)) {
            Ok(()) => delivered(id.into()),
            Err(error) => {
                self.connection = None;
                Outcome::trouble(Some(RECONNECT_MS), format!("{error:?}"))
            }
        }
    }

    fn await_acknowledgement(&mut self, id: &str) -> Result<(), Error> {
        loop {
            let line = self.open()?.next_line()?;
            if line.strip_prefix("OK ") == Some(id) {
                return Ok(());
            }
            self.on_line(line);
        }
    }
}

fn delivered(receipt: String) -> Outcome {
    Outcome::Delivered(Some(receipt))
}

fn receipt(result: Result<String, Error>) -> Outcome {
    match result {
        Ok(receipt) => delivered(receipt),
        Err(error) => Outcome::Rejected(format!("{error:?}")),
    }
}

fn set(flag: &mut bool) -> Outcome {
    *flag = true;
    Outcome::Delivered(None)
}

fn setting(name: &str) -> String {
    config::get(name).unwrap_or_default()
}

/// Whether the settings ask for a connection from the start.
fn connects() -> bool {
    matches!(setting("start").as_str(), "connect" | "tls")
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
    let mut rounds = 0u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

#[expect(clippy::panic, reason = "tests need a plugin that traps")]
fn trap() -> ! {
    panic!("asked to trap")
}
