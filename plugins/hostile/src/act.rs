//! The misbehaviour. A behaviour that returns must return one outcome for each delivery, unless it tests the opposite.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use tidings_plugin::event_stream::{self, Entry};
use tidings_plugin::{Delivery, Gone, Outcome, Retry, Trouble};
use tidings_plugin::{clock, config, http, inbox, log, net, progress, random, state};

use crate::Behaviour;
use crate::reach;
use crate::repeat::repeat;

const MIB: usize = 1024 * 1024;
const TEN_YEARS_MS: u64 = 10 * 365 * 24 * 3600 * 1000;
/// A line break, a forged log line, an ANSI colour and a NUL.
const FORGED: &str = "harmless\r\n2026-01-01T00:00:00Z ERROR forged line \u{1b}[31mred\u{1b}[0m\0";

/// Performs a behaviour for a batch, and returns the outcomes if it ends.
pub fn act(behaviour: Behaviour, batch: &[Delivery]) -> Vec<Outcome> {
    let all = |outcome: Outcome| vec![outcome; batch.len()];
    let delivered = || all(Outcome::Delivered(None));
    match behaviour {
        Behaviour::Loop => spin(),
        Behaviour::Memory => exhaust_memory(),
        Behaviour::Trap => trap(),
        Behaviour::Recurse => {
            black_box(recurse(1, u64::MAX));
            delivered()
        }
        Behaviour::StateFlood => all(Outcome::Rejected(fill_state())),
        Behaviour::Short => vec![Outcome::Delivered(None); batch.len().saturating_sub(1)],
        Behaviour::Long => vec![Outcome::Delivered(None); batch.len() + 1],
        Behaviour::GarbageRetry => all(garbage(0)),
        Behaviour::GarbageReceipt => all(garbage(1)),
        Behaviour::GarbageGone => all(garbage(2)),
        Behaviour::GarbageTrouble => all(garbage(3)),
        Behaviour::Garbage => (0..batch.len()).map(garbage).collect(),
        Behaviour::HugeResult => {
            let mut outcomes = delivered();
            outcomes[0] = Outcome::Delivered(Some("x".repeat(32 * MIB)));
            outcomes
        }
        Behaviour::Connect => all(Outcome::Rejected(connect())),
        Behaviour::Http => all(Outcome::Rejected(request())),
        Behaviour::Handles => all(Outcome::Rejected(keep_connections())),
        Behaviour::Slow => all(Outcome::Rejected(read_endlessly())),
        Behaviour::ProgressThenTrap => {
            progress::settled(0, &Outcome::Delivered(Some("settled".into())));
            trap()
        }
        Behaviour::ProgressThenLoop => {
            (0..batch.len() as u32).for_each(|index| progress::settled(index, &Outcome::Delivered(None)));
            spin()
        }
        Behaviour::ProgressBeyond => {
            progress::settled(batch.len() as u32, &Outcome::Delivered(None));
            progress::settled(u32::MAX, &Outcome::Delivered(None));
            delivered()
        }
        Behaviour::StateOdd => all(Outcome::Rejected(unusual_keys())),
        Behaviour::Leak => all(Outcome::Rejected(leak_connections())),
        Behaviour::Tls => all(Outcome::Rejected(reach::encrypted())),
        Behaviour::Steal => all(Outcome::Rejected(reach::steal())),
        Behaviour::Fetch => all(Outcome::Rejected(reach::fetch(argument(batch)))),
        Behaviour::Dial => all(Outcome::Rejected(reach::dial(argument(batch)))),
        Behaviour::Tell => {
            let text = format!("535 the password {} is wrong", config::get("password").unwrap_or_default());
            log::log(log::Level::Error, &text);
            all(Outcome::Rejected(text))
        }
        Behaviour::StreamHuge => all(Outcome::Rejected(invalid_entries())),
        Behaviour::Flood(step) => repeat(&[step]),
        Behaviour::Both(one, two) => repeat(&[one, two]),
        Behaviour::Counter => {
            static CALLS: AtomicU32 = AtomicU32::new(0);
            let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
            all(Outcome::Delivered(Some(format!("count {calls}"))))
        }
        Behaviour::LogFlood
        | Behaviour::LogHuge
        | Behaviour::LogForged
        | Behaviour::ClockFlood
        | Behaviour::RandomHuge
        | Behaviour::InboxHuge
        | Behaviour::StreamBeyond => misuse(behaviour, batch),
        Behaviour::Ok => delivered(),
    }
}

/// Misuses one host function: calls it too often, or with too large an argument.
fn misuse(behaviour: Behaviour, batch: &[Delivery]) -> Vec<Outcome> {
    let all = |outcome: Outcome| vec![outcome; batch.len()];
    match behaviour {
        Behaviour::LogFlood => {
            (0..10_000_000).for_each(|line| log::log(log::Level::Info, &format!("line {line}")));
        }
        Behaviour::LogHuge => {
            log::log(log::Level::Warning, &"x".repeat(16 * MIB));
        }
        Behaviour::ClockFlood => {
            for _ in 0..1_000_000_000 {
                black_box(clock::now_ms());
            }
        }
        Behaviour::RandomHuge => {
            black_box(random::bytes(u32::MAX));
        }
        Behaviour::InboxHuge => {
            let lines = inbox::submit(&"a".repeat(MIB), &"x".repeat(16 * MIB));
            return all(Outcome::Rejected(format!(
                "{:?} bytes came back",
                lines.iter().map(String::len).collect::<Vec<_>>()
            )));
        }
        Behaviour::LogForged => {
            log::log(log::Level::Info, FORGED);
        }
        Behaviour::StreamBeyond => {
            drop(black_box(event_stream::append(&[Entry { index: batch.len() as u32, data: "{}".into() }])));
        }
        _ => {}
    }
    all(Outcome::Delivered(None))
}

/// Runs endlessly.
pub fn spin() -> ! {
    let mut count = 0u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

/// Ends in the `unreachable` instruction.
#[expect(clippy::panic, reason = "the purpose is to trap")]
pub fn trap() -> ! {
    panic!("a trap on request")
}

/// Allocates and writes memory endlessly.
pub fn exhaust_memory() -> ! {
    let mut blocks = Vec::new();
    loop {
        blocks.push(black_box(vec![1u8; MIB]));
    }
}

/// Recurses down to a depth. It is not a tail call: the sum needs every frame.
pub fn recurse(depth: u64, bottom: u64) -> u64 {
    if depth == bottom {
        return 0;
    }
    let frame = black_box([depth; 16]);
    black_box(recurse(black_box(depth + 1), bottom)).wrapping_add(frame[(depth % 16) as usize])
}

/// An outcome with invalid values; four kinds in turn.
fn garbage(index: usize) -> Outcome {
    match index % 4 {
        0 => Outcome::Retry(Retry { after_ms: Some(TEN_YEARS_MS), reason: FORGED.into() }),
        1 => Outcome::Delivered(Some(FORGED.repeat(MIB / FORGED.len()))),
        2 => Outcome::AddressGone(Gone {
            replacement: Some("evil@example.org\r\nBcc: everybody@example.org".into()),
            reason: FORGED.into(),
        }),
        _ => Outcome::ChannelTrouble(Trouble { after_ms: Some(u64::MAX), reason: FORGED.into() }),
    }
}

/// The part of the first address after its first `@`.
fn argument(batch: &[Delivery]) -> &str {
    let address = batch.first().map_or("", |first| first.recipient.address.as_str());
    address.split_once('@').map_or("", |(_, argument)| argument)
}

/// Writes and reads unusual keys; returns the results.
fn unusual_keys() -> String {
    let long = "k".repeat(257);
    let keys = ["", "\0", "a\nb", "../../etc/passwd", "' OR 1=1 --", "\u{202e}right", &long];
    let results = keys.map(|key| match state::set(key, key.as_bytes()) {
        Ok(()) => match state::get(key) {
            Ok(Some(value)) if value == key.as_bytes() => "kept".to_owned(),
            other => format!("{other:?}"),
        },
        Err(error) => format!("{error:?}"),
    });
    results.join("; ")
}

/// Appends a text of 64 KiB and two bytes, a text that is not JSON, and two entries for one delivery; returns the results.
fn invalid_entries() -> String {
    let entry = |data: String| Entry { index: 0, data };
    let huge = format!("\"{}\"", "x".repeat(64 * 1024));
    let results = [vec![entry(huge)], vec![entry("{".into())], vec![entry("1".into()), entry("2".into())]]
        .map(|entries| format!("{:?}", event_stream::append(&entries)));
    results.join("; ")
}

/// Opens connections and never closes them; returns their count and the error.
fn leak_connections() -> String {
    for count in 0u32.. {
        match open() {
            Ok(connection) => std::mem::forget(connection),
            Err(error) => return format!("{count} forgotten, then {error:?}"),
        }
    }
    "there is no limit of connections".into()
}

/// Writes new keys until a write fails; returns their count and the error.
fn fill_state() -> String {
    for key in 0u64.. {
        if let Err(error) = state::set(&format!("key {key}"), &[b'x'; 1024]) {
            return format!("{key} keys, then {error:?}");
        }
    }
    "there is no limit of the state".into()
}

/// The configured host and port.
pub fn target() -> (String, u16) {
    let host = config::get("host").unwrap_or_else(|| "127.0.0.1".into());
    let port = config::get("port").and_then(|port| port.parse().ok()).unwrap_or(9);
    (host, port)
}

/// Connects to the configured host and port.
pub fn open() -> Result<net::Connection, net::Error> {
    let (host, port) = target();
    net::connect(&host, port, None)
}

fn connect() -> String {
    match open() {
        Ok(_) => "connected".into(),
        Err(error) => format!("{error:?}"),
    }
}

/// Sends an HTTP request to the configured host and port; returns the result.
pub fn request() -> String {
    let (host, port) = target();
    let request = http::Request {
        method: "GET".into(),
        url: format!("http://{host}:{port}/"),
        headers: Vec::new(),
        body: Vec::new(),
        credential: None,
        redirects: 3,
        timeout_ms: None,
    };
    match http::send(&request) {
        Ok(response) => format!("status {}, {} bytes", response.status, response.body.len()),
        Err(error) => format!("{error:?}"),
    }
}

/// Opens connections until one fails; returns their count and the error.
fn keep_connections() -> String {
    let mut connections = Vec::new();
    loop {
        match open() {
            Ok(connection) => connections.push(connection),
            Err(error) => return format!("{} connections, then {error:?}", connections.len()),
        }
    }
}

/// Reads from a connection until it is closed or fails.
fn read_endlessly() -> String {
    let connection = match open() {
        Ok(connection) => connection,
        Err(error) => return format!("{error:?}"),
    };
    loop {
        match connection.read(1) {
            Ok(bytes) if bytes.is_empty() => return "the server closed the connection".into(),
            Ok(_) | Err(net::Error::Timeout) => {}
            Err(error) => return format!("{error:?}"),
        }
    }
}
