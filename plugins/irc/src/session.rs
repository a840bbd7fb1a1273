//! One connection's dialogue without its bytes: lines come in, lines to be written and what they mean come out. Time is
//! the caller's, in milliseconds of a clock that never goes back.

mod identity;
mod nick;
mod outbox;
mod registration;

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::{self, Fault};
use crate::message::{Casing, Message};
use crate::pace::Bucket;
use crate::settings::Settings;
use outbox::Outbox;
use registration::Registration;

/// After so long without a word the server is asked whether it is there, and after as long again it is not: milliseconds.
const QUIET_MS: u64 = 90 * 1000;
/// From connecting until the server lets us write: milliseconds. Some look up names for half a minute.
const REGISTER_MS: u64 = 60 * 1000;
/// What stands for the server's view of us until it is known, in octets: a user name of ten and a host of sixty-three.
const LONGEST_TAIL: usize = 1 + 10 + 1 + 63;
/// Channels of which it is remembered why joining failed.
const REMEMBERED: usize = 100;

/// What a line meant for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// From now on deliveries may be sent.
    Online,
    /// Everything that was written before this token was read by the server.
    Processed(u64),
    /// A line to this name was not passed on, and why.
    NotPassed { target: String, reason: String },
    /// What somebody wrote to us.
    Said { nick: String, text: String },
    /// Whether the owner of a nick is the one who registered it.
    Identified { nick: String, yes: bool },
    /// Of no use any more.
    Broken(Fault),
}

enum Phase {
    Registering(Registration),
    /// Waits for NickServ's word until then, and goes on without it: some networks do not send numeric 900.
    LoggingIn {
        until_ms: u64,
    },
    Online,
}

/// The dialogue of one connection.
pub struct Session {
    phase: Phase,
    nick: String,
    nicks_tried: u32,
    /// The longest nick that the server takes, in octets, where it said so.
    nick_octets: Option<usize>,
    casing: Casing,
    /// `nick!user@host`, as others see us, once known.
    source: Option<String>,
    outbox: Outbox,
    began_ms: u64,
    heard_ms: u64,
    asked_ms: Option<u64>,
    reclaim_ms: u64,
    last_token: u64,
    joined: BTreeSet<String>,
    not_joined: BTreeMap<String, String>,
    /// Nicks that WHOIS said are logged in, until its end.
    whois: BTreeSet<String>,
}

impl Session {
    /// Says hello.
    pub fn new(settings: &Settings, bucket: Bucket, now_ms: u64) -> Self {
        let mut session = Session {
            phase: Phase::Registering(Registration::default()),
            nick: settings.nick.clone(),
            nicks_tried: 0,
            nick_octets: None,
            casing: Casing::default(),
            source: None,
            outbox: Outbox::new(bucket),
            began_ms: now_ms,
            heard_ms: now_ms,
            asked_ms: None,
            reclaim_ms: now_ms,
            last_token: 0,
            joined: BTreeSet::new(),
            not_joined: BTreeMap::new(),
            whois: BTreeSet::new(),
        };
        session.hello(settings);
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

    pub fn bucket(&self) -> &Bucket {
        self.outbox.bucket()
    }

    /// How many octets the server puts before our command when it passes a line on.
    pub fn source_octets(&self) -> usize {
        self.source.as_ref().map_or(self.nick.len() + LONGEST_TAIL, String::len)
    }

    /// The next line to write, if one may be written now.
    pub fn next_line(&mut self, now_ms: u64) -> Option<String> {
        self.outbox.next(now_ms)
    }

    /// Puts a line behind those that wait for the bucket.
    pub fn say(&mut self, line: String) {
        self.outbox.say(line);
    }

    /// Answers somebody who asked, when that has its turn; nothing where too many wait for an answer.
    pub fn reply(&mut self, line: String) {
        self.outbox.reply(line);
    }

    /// How many replies may go before the next line that is said; none: all.
    pub fn set_turns(&mut self, turns: Option<usize>) {
        self.outbox.set_turns(turns);
    }

    /// Whether a line that is said now goes at once.
    pub fn is_free(&self, now_ms: u64) -> bool {
        self.outbox.is_free(now_ms)
    }

    /// How long until so many lines more have gone: milliseconds.
    pub fn time_for(&self, lines: usize, now_ms: u64) -> u64 {
        self.outbox.time_for(lines, now_ms)
    }

    /// Says goodbye, in place of all that was still to be said.
    pub fn leave(&mut self) {
        self.outbox.clear();
        self.outbox.at_once("QUIT :Tidings leaves".to_owned());
    }

    /// Joins a channel unless we are in it.
    pub fn join(&mut self, channel: &str) {
        if self.joined.insert(self.casing.fold(channel)) {
            self.say(format!("JOIN {channel}"));
        }
    }

    /// Asks the server to say when it has read everything up to here.
    pub fn mark(&mut self) -> u64 {
        self.last_token += 1;
        self.say(format!("PING :t{}", self.last_token));
        self.last_token
    }

    /// When [`Session::tick`] is due, whatever comes in: the earliest of all timers.
    pub fn due_ms(&self, settings: &Settings, now_ms: u64) -> u64 {
        let quiet = self.asked_ms.unwrap_or(self.heard_ms) + QUIET_MS;
        let phase = match self.phase {
            Phase::Registering(_) => self.began_ms + REGISTER_MS,
            Phase::LoggingIn { until_ms } => until_ms,
            Phase::Online if self.reclaims(settings) => self.reclaim_ms,
            Phase::Online => u64::MAX,
        };
        quiet.min(phase).min(self.outbox.due_ms(now_ms).unwrap_or(u64::MAX))
    }

    /// What is due by time.
    pub fn tick(&mut self, settings: &Settings, now_ms: u64) -> Option<Heard> {
        if now_ms >= self.asked_ms.unwrap_or(self.heard_ms) + QUIET_MS {
            if self.asked_ms.is_some() {
                return Some(Heard::Broken(Fault::usual("the server does not answer")));
            }
            self.asked_ms = Some(now_ms);
            self.outbox.at_once("PING :alive".to_owned());
        }
        match self.phase {
            Phase::Registering(_) if now_ms >= self.began_ms + REGISTER_MS => {
                Some(Heard::Broken(Fault::usual("the server did not finish the registration")))
            }
            Phase::LoggingIn { until_ms } if now_ms >= until_ms => Some(self.online(now_ms)),
            Phase::Online if self.reclaims(settings) && now_ms >= self.reclaim_ms => {
                self.reclaim(settings, now_ms);
                None
            }
            _ => None,
        }
    }

    /// Takes a line from the server.
    pub fn hear(&mut self, settings: &Settings, message: &Message, now_ms: u64) -> Option<Heard> {
        self.heard_ms = now_ms;
        self.asked_ms = None;
        match message.command.as_str() {
            "PING" => self.outbox.at_once(format!("PONG :{}", message.text())),
            "ERROR" | "465" => return Some(Heard::Broken(Fault::error(message.text()))),
            "PONG" => return message.text().strip_prefix('t')?.parse().ok().map(Heard::Processed),
            "NICK" | "JOIN" | "PART" | "KICK" | "396" => self.moved(message),
            "PRIVMSG" => return self.said(message),
            "NOTICE" => return self.noticed(settings, message, now_ms),
            "005" => self.supported(message),
            "433" | "436" | "437" | "432" => return self.nick_refused(settings, message),
            "330" | "307" | "318" => return self.whois(settings, message),
            "405" | "471" | "473" | "474" | "475" | "476" => self.join_failed(message),
            _ if matches!(self.phase, Phase::Registering(_)) => return self.register(settings, message, now_ms),
            "900" if matches!(self.phase, Phase::LoggingIn { .. }) => return Some(self.online(now_ms)),
            _ => return self.refused(message),
        }
        None
    }

    fn online(&mut self, now_ms: u64) -> Heard {
        self.phase = Phase::Online;
        self.reclaim_ms = now_ms;
        Heard::Online
    }

    /// Our own or somebody's coming and going.
    fn moved(&mut self, message: &Message) {
        let ours = message.nick().is_some_and(|nick| self.casing.same(nick, &self.nick));
        match message.command.as_str() {
            "NICK" if ours => {
                self.nick = message.param(0).to_owned();
                let tail =
                    self.source.take().and_then(|source| source.split_once('!').map(|(_, tail)| tail.to_owned()));
                self.source = tail.map(|tail| format!("{}!{tail}", self.nick));
            }
            "JOIN" if ours => {
                self.source = Some(message.source.clone());
                self.not_joined.remove(&self.casing.fold(message.param(0)));
            }
            "PART" if ours => drop(self.joined.remove(&self.casing.fold(message.param(0)))),
            "KICK" if self.casing.same(message.param(1), &self.nick) => {
                self.joined.remove(&self.casing.fold(message.param(0)));
            }
            // Our host is another one now, and not always the one that is told.
            "396" => self.source = None,
            _ => {}
        }
    }

    fn join_failed(&mut self, message: &Message) {
        let channel = self.casing.fold(message.param(1));
        self.joined.remove(&channel);
        if self.not_joined.len() < REMEMBERED {
            self.not_joined.insert(channel, judge::shown(message.text()));
        }
    }

    /// A line of ours that the server did not pass on.
    fn refused(&mut self, message: &Message) -> Option<Heard> {
        let (target, reason) = judge::not_passed(message)?;
        let folded = self.casing.fold(&target);
        self.joined.remove(&folded);
        let joining = self.not_joined.get(&folded);
        let reason = joining.map_or_else(|| reason.clone(), |why| format!("{reason} (not joined: {why})"));
        Some(Heard::NotPassed { target, reason })
    }

    /// What a person wrote to us alone. Servers, services, CTCP and our own echo are no persons.
    fn said(&self, message: &Message) -> Option<Heard> {
        let nick = message.nick()?;
        let text = message.text().trim();
        let to_us = self.casing.same(message.param(0), &self.nick) && !self.casing.same(nick, &self.nick);
        let spoken = !text.is_empty() && !text.starts_with('\u{1}') && !text.starts_with("***");
        let person = !crate::address::is_service(nick) && !message.source.contains("@services.");
        (to_us && spoken && person).then(|| Heard::Said { nick: nick.to_owned(), text: text.to_owned() })
    }
}
