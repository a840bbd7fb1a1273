//! The channel's life: at most one connection, when to make it, what is done while nothing is delivered, and what comes
//! back from people. Delivering is in `deliver`. It knows the host by a trait only.

mod callers;
mod deliver;

use std::collections::BTreeSet;

use tidings_plugin::net::{TlsOptions, Verification};
use tidings_plugin::stream::{self, StreamHost};
use tidings_plugin::{Reason, Trouble};

use crate::judge::{Fault, Rest};
use crate::link::{Link, failed};
use crate::message::Casing;
use crate::pace::{Backoff, Bucket};
use crate::session::{Heard, Session};
use crate::settings::{IDENTITY, Login, Settings};
use callers::Callers;

/// The longest time until the next wake: milliseconds. What a delivery leaves behind (a lost connection, a reply that waits)
/// comes after the answer that the last wake gave.
const NAP_MS: u64 = 5 * 1000;
/// Deliveries of which it is remembered that the owner of their address was told to identify.
const REMINDED: usize = 1000;
/// What one wake reads at most, in reads: more waits for the next.
const READS: usize = 64;
/// What is left of a call when its work ends, so that there is time to answer: milliseconds.
const ANSWER_MS: u64 = 500;

/// The channel, over all its connections.
pub struct Engine<H: StreamHost> {
    host: H,
    settings: Settings,
    link: Option<Link<H::Stream>>,
    online_ms: Option<u64>,
    /// Of the next connection: it remembers floods.
    bucket: Bucket,
    backoff: Backoff,
    /// Why there is no connection.
    down: String,
    callers: Callers,
    /// Deliveries whose question waits until the owner of the address identifies, and who was told so.
    reminded: BTreeSet<String>,
}

impl<H: StreamHost> Engine<H> {
    pub fn new(host: H, settings: Settings) -> Self {
        Engine {
            bucket: Bucket::new(settings.burst, settings.interval_ms),
            backoff: Backoff::new(settings.reconnect_ms),
            host,
            settings,
            link: None,
            online_ms: None,
            down: "not connected yet".to_owned(),
            callers: Callers::default(),
            reminded: BTreeSet::new(),
        }
    }

    /// Our nick while there is a connection that is registered.
    pub fn nick(&self) -> Option<&str> {
        self.link.as_ref().map(|link| &link.session).filter(|session| session.is_online()).map(Session::nick)
    }

    /// Which names are one on the network.
    fn casing(&self) -> Casing {
        self.link.as_ref().map(|link| link.session.casing()).unwrap_or_default()
    }

    /// Does what is due; answers after how many milliseconds to be woken.
    pub fn wake(&mut self, reason: Reason) -> Option<u64> {
        if reason == Reason::Stop {
            if let Some(mut link) = self.link.take() {
                link.session.leave();
                // There is nobody left to tell if that fails.
                let _ = link.flush(&self.host);
            }
            return None;
        }
        if self.link.is_none() && self.backoff.wait_ms(self.host.monotonic_ms()) == 0 {
            self.connect();
        }
        for _ in 0..READS {
            let (_, came) = self.pump(0);
            if !came || self.host.remaining_ms() < ANSWER_MS {
                break;
            }
        }
        let now_ms = self.host.monotonic_ms();
        let wait_ms = match &self.link {
            Some(link) => link.session.due_ms(&self.settings, now_ms).saturating_sub(now_ms),
            None => self.backoff.wait_ms(now_ms),
        };
        Some(wait_ms.min(NAP_MS))
    }

    fn connect(&mut self) {
        let Settings { host, port, tls, login, .. } = &self.settings;
        let identity = (*login == Login::SaslExternal).then(|| IDENTITY.to_owned());
        let options = tls.then(|| TlsOptions { identity, ..stream::tls(Verification::Full) });
        match self.host.connect(host, *port, options.as_ref()) {
            Ok(stream) => {
                let session = Session::new(&self.settings, self.bucket.clone(), self.host.monotonic_ms());
                self.link = Some(Link::new(stream, session));
            }
            Err(error) => self.lost(failed(&error)),
        }
    }

    /// Ends the connection, and says when there may be another one.
    fn lost(&mut self, fault: Fault) {
        let now_ms = self.host.monotonic_ms();
        if let Some(link) = self.link.take() {
            self.bucket = link.session.bucket().clone();
        }
        let lived_ms = self.online_ms.take().map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
        let least_ms = match fault.rest {
            Rest::Usual => 0,
            Rest::Slower => {
                self.bucket.slow(now_ms);
                0
            }
            Rest::AtLeast(ms) => ms,
        };
        self.backoff.failed(now_ms, lived_ms, least_ms, self.host.random());
        self.down = fault.reason;
        let wait_s = self.backoff.wait_ms(now_ms).div_ceil(1000);
        self.host.warn(&format!("{}; the next connection in {wait_s} s", self.down));
    }

    /// Why nothing can be delivered, and for how long.
    fn trouble(&self) -> Trouble {
        let wait_ms = self.backoff.wait_ms(self.host.monotonic_ms());
        Trouble { after_ms: Some(wait_ms.max(1)), reason: self.down.clone() }
    }

    /// Writes, waits for at most `wait_ms`, and minds what concerns the channel as a whole. Answers what was heard, and
    /// whether anything came.
    fn pump(&mut self, wait_ms: u64) -> (Vec<Heard>, bool) {
        let Some(link) = &mut self.link else { return (Vec::new(), false) };
        let (heard, came) = link.step(&self.host, &self.settings, wait_ms);
        for what in &heard {
            match what {
                Heard::Online => self.online_ms = Some(self.host.monotonic_ms()),
                Heard::Said { nick, text } => self.called(nick, text),
                Heard::Identified { nick, yes } => self.vouched(nick, *yes),
                Heard::Broken(fault) => self.lost(fault.clone()),
                Heard::Processed(_) | Heard::NotPassed { .. } => {}
            }
        }
        (heard, came)
    }
}
