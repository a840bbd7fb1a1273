//! The protocol state of one connection, without I/O: takes the server's messages, queues lines to send, and returns
//! events. Times are milliseconds of a clock that never goes back; the caller reads it.

mod identity;
mod membership;
mod nick;
mod registration;
mod send_queue;

use std::collections::{BTreeMap, BTreeSet};

use crate::message::{Casing, Message};
use crate::rate_limit::TokenBucket;
use crate::server_errors::ConnectionError;
use crate::settings::Settings;
use registration::Registration;
use send_queue::SendQueue;

/// The silence after which the server gets a PING, and the time for its answer, in milliseconds.
const SILENCE_MS: u64 = 90 * 1000;
/// The time limit of the registration, in milliseconds. Some servers look up names for half a minute.
const REGISTER_MS: u64 = 60 * 1000;
/// The length of `!user@host` until it is known, in octets: a user name of 10 and a host of 63.
const USER_HOST_OCTETS: usize = 1 + 10 + 1 + 63;

/// What a message of the server means for the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// Deliveries may be sent from now on.
    Online,
    /// The server has read everything that was sent before this token.
    Confirmed(u64),
    /// A line to this target was not delivered.
    NotDelivered { target: String, reason: String },
    /// A user sent a private message to this plugin.
    PrivateMessage { nick: String, text: String },
    /// Whether the user of a nick is identified as its owner.
    Identified { nick: String, identified: bool },
    /// The connection is unusable.
    Failed(ConnectionError),
}

enum Phase {
    Registering(Registration),
    /// Waits for the answer of NickServ, at most until then: some networks do not send numeric 900.
    LoggingIn {
        until_ms: u64,
    },
    Online,
}

/// The state of one connection.
pub struct Session {
    phase: Phase,
    nick: String,
    nicks_tried: u32,
    /// The longest nick that the server accepts, in octets, if it is known.
    nick_octets: Option<usize>,
    casing: Casing,
    /// This client as others see it, `nick!user@host`, if it is known.
    source: Option<String>,
    queue: SendQueue,
    began_ms: u64,
    received_ms: u64,
    /// When the PING of the silence check was sent.
    pinged_ms: Option<u64>,
    /// When the configured nick is requested next.
    reclaim_ms: u64,
    last_token: u64,
    joined: BTreeSet<String>,
    /// Why a JOIN failed, by channel.
    join_failures: BTreeMap<String, String>,
    /// Nicks that WHOIS reported as logged in, until its end.
    whois: BTreeSet<String>,
}

impl Session {
    /// Starts the registration.
    pub fn new(settings: &Settings, bucket: TokenBucket, now_ms: u64) -> Self {
        let mut session = Session {
            phase: Phase::Registering(Registration::default()),
            nick: settings.nick.clone(),
            nicks_tried: 0,
            nick_octets: None,
            casing: Casing::default(),
            source: None,
            queue: SendQueue::new(bucket),
            began_ms: now_ms,
            received_ms: now_ms,
            pinged_ms: None,
            reclaim_ms: now_ms,
            last_token: 0,
            joined: BTreeSet::new(),
            join_failures: BTreeMap::new(),
            whois: BTreeSet::new(),
        };
        session.send_registration(settings);
        session
    }

    pub fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online)
    }

    pub fn nick(&self) -> &str {
        &self.nick
    }

    pub fn casing(&self) -> Casing {
        self.casing
    }

    pub fn bucket(&self) -> &TokenBucket {
        self.queue.bucket()
    }

    /// The octets of this client's `nick!user@host`, which the server adds when it forwards a line.
    pub fn source_octets(&self) -> usize {
        self.source.as_ref().map_or(self.nick.len() + USER_HOST_OCTETS, String::len)
    }

    /// Removes the next line to send, if one may be sent now.
    pub fn next_line(&mut self, now_ms: u64) -> Option<String> {
        self.queue.pop(now_ms)
    }

    /// Queues a line that is subject to the rate limit.
    pub fn send(&mut self, line: String) {
        self.queue.push(line);
    }

    /// Queues a reply to a command. Drops it where too many wait.
    pub fn send_reply(&mut self, line: String) {
        self.queue.push_reply(line);
    }

    /// Sets how many replies are sent before the next queued line; none: all.
    pub fn set_reply_quota(&mut self, quota: Option<usize>) {
        self.queue.set_reply_quota(quota);
    }

    /// Whether a line that is queued now is sent at once.
    pub fn can_send(&self, now_ms: u64) -> bool {
        self.queue.can_send(now_ms)
    }

    /// The time until so many more lines have been sent, in milliseconds.
    pub fn time_for(&self, lines: usize, now_ms: u64) -> u64 {
        self.queue.time_for(lines, now_ms)
    }

    /// Queues QUIT instead of everything that waits.
    pub fn quit(&mut self) {
        self.queue.clear();
        self.queue.push_urgent("QUIT :Tidings leaves".to_owned());
    }

    /// Queues a PING and returns its token. [`SessionEvent::Confirmed`] follows once the server has read everything
    /// before.
    pub fn ping(&mut self) -> u64 {
        self.last_token += 1;
        self.send(format!("PING :t{}", self.last_token));
        self.last_token
    }

    /// When [`Session::on_timer`] is due: the earliest of all timers.
    pub fn next_timer_ms(&self, settings: &Settings, now_ms: u64) -> u64 {
        let silence = self.pinged_ms.unwrap_or(self.received_ms) + SILENCE_MS;
        let phase = match self.phase {
            Phase::Registering(_) => self.began_ms + REGISTER_MS,
            Phase::LoggingIn { until_ms } => until_ms,
            Phase::Online if self.reclaims(settings) => self.reclaim_ms,
            Phase::Online => u64::MAX,
        };
        silence.min(phase).min(self.queue.next_ms(now_ms).unwrap_or(u64::MAX))
    }

    /// Runs the timers that are due.
    pub fn on_timer(&mut self, settings: &Settings, now_ms: u64) -> Option<SessionEvent> {
        if now_ms >= self.pinged_ms.unwrap_or(self.received_ms) + SILENCE_MS {
            if self.pinged_ms.is_some() {
                return Some(failed(ConnectionError::temporary("the server does not answer")));
            }
            self.pinged_ms = Some(now_ms);
            self.queue.push_urgent("PING :alive".to_owned());
        }
        match self.phase {
            Phase::Registering(_) if now_ms >= self.began_ms + REGISTER_MS => {
                Some(failed(ConnectionError::temporary("the server did not complete the registration")))
            }
            Phase::LoggingIn { until_ms } if now_ms >= until_ms => Some(self.online(now_ms)),
            Phase::Online if self.reclaims(settings) && now_ms >= self.reclaim_ms => {
                self.reclaim_nick(settings, now_ms);
                None
            }
            _ => None,
        }
    }

    /// Handles a message of the server.
    pub fn on_message(&mut self, settings: &Settings, message: &Message, now_ms: u64) -> Option<SessionEvent> {
        self.received_ms = now_ms;
        self.pinged_ms = None;
        match message.command.as_str() {
            "PING" => self.queue.push_urgent(format!("PONG :{}", message.text())),
            "ERROR" | "465" => return Some(failed(ConnectionError::from_text(message.text()))),
            "PONG" => return message.text().strip_prefix('t')?.parse().ok().map(SessionEvent::Confirmed),
            "NICK" | "JOIN" | "PART" | "KICK" | "396" => self.on_membership(message),
            "PRIVMSG" => return self.on_private_message(message),
            "NOTICE" => return self.on_notice(settings, message, now_ms),
            "005" => self.on_supported(message),
            "433" | "436" | "437" | "432" => return self.on_nick_refused(settings, message),
            "330" | "307" | "318" => return self.on_whois(settings, message),
            "405" | "471" | "473" | "474" | "475" | "476" => self.on_join_failed(message),
            _ if matches!(self.phase, Phase::Registering(_)) => return self.on_registration(settings, message, now_ms),
            "900" if matches!(self.phase, Phase::LoggingIn { .. }) => return Some(self.online(now_ms)),
            _ => return self.on_undelivered(message),
        }
        None
    }

    fn online(&mut self, now_ms: u64) -> SessionEvent {
        self.phase = Phase::Online;
        self.reclaim_ms = now_ms;
        SessionEvent::Online
    }
}

fn failed(error: ConnectionError) -> SessionEvent {
    SessionEvent::Failed(error)
}
