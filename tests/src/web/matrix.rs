//! A Matrix homeserver as the client-server API (v1.11) describes it, as far as a bot that writes to people needs it:
//! who am I, profiles, account data, rooms with members, messages with transaction ids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use serde_json::{Value, json};

use super::{Reply, SeenRequest, WebServer, lock};

/// The account of the bot.
pub const BOT: &str = "@tidings:example.org";

/// The server, and what happened on it.
pub struct Matrix {
    pub web: WebServer,
    state: Arc<Mutex<Homeserver>>,
}

#[derive(Default)]
struct Homeserver {
    authorization: String,
    /// People who have an account here.
    people: BTreeSet<String>,
    /// In the order in which they were made.
    rooms: Vec<MatrixRoom>,
    account_data: BTreeMap<String, Value>,
}

/// A room that the bot made.
#[derive(Clone, Debug)]
pub struct MatrixRoom {
    pub id: String,
    /// What it was made with.
    pub made: Value,
    /// The bot is in it.
    pub joined: bool,
    /// By transaction id, in order.
    pub messages: Vec<(String, Value)>,
}

impl Matrix {
    /// A server with these people, whose bot has this access token.
    pub async fn start(token: &str, people: &[&str]) -> Result<Matrix> {
        let people = people.iter().map(|&one| one.to_owned()).collect();
        let homeserver = Homeserver { authorization: format!("Bearer {token}"), people, ..Homeserver::default() };
        let state = Arc::new(Mutex::new(homeserver));
        let shared = state.clone();
        let web = WebServer::start(move |seen| lock(&shared).answer(seen)).await?;
        Ok(Matrix { web, state })
    }

    pub fn rooms(&self) -> Vec<MatrixRoom> {
        lock(&self.state).rooms.clone()
    }

    /// Removes the bot from a room.
    pub fn kick(&self, room: &str) {
        for one in lock(&self.state).rooms.iter_mut().filter(|one| one.id == room) {
            one.joined = false;
        }
    }

    /// The account data of this type; null where there is none.
    pub fn account_data(&self, kind: &str) -> Value {
        lock(&self.state).account_data.get(kind).cloned().unwrap_or_default()
    }
}

impl Homeserver {
    fn answer(&mut self, seen: &SeenRequest) -> Reply {
        if seen.header("authorization") != self.authorization {
            return error(401, "M_UNKNOWN_TOKEN", "Unrecognised access token");
        }
        let path = seen.target.strip_prefix("/_matrix/client/v3/").unwrap_or_default();
        let segments: Vec<String> = path.split('/').map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (seen.method.as_str(), &segments[..]) {
            ("GET", ["account", "whoami"]) => Reply::json(200, &json!({"user_id": BOT})),
            ("GET", ["profile", user]) if self.people.contains(*user) => Reply::json(200, &json!({})),
            ("GET", ["user", BOT, "account_data", kind]) => match self.account_data.get(*kind) {
                Some(data) => Reply::json(200, data),
                None => error(404, "M_NOT_FOUND", "Account data not found"),
            },
            ("PUT", ["user", BOT, "account_data", kind]) => {
                self.account_data.insert((*kind).to_owned(), seen.json());
                Reply::json(200, &json!({}))
            }
            ("POST", ["createRoom"]) => self.create(seen.json()),
            ("PUT", ["rooms", room, "send", "m.room.message", transaction]) => {
                self.send(room, transaction, seen.json(), seen.body.len())
            }
            _ => error(404, "M_NOT_FOUND", "Not found"),
        }
    }

    fn create(&mut self, made: Value) -> Reply {
        let invited: Vec<&str> = made["invite"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !invited.iter().all(|one| self.people.contains(*one)) {
            return error(403, "M_FORBIDDEN", "Cannot invite that user");
        }
        let id = format!("!room{}:example.org", self.rooms.len() + 1);
        self.rooms.push(MatrixRoom { id: id.clone(), made, joined: true, messages: Vec::new() });
        Reply::json(200, &json!({"room_id": id}))
    }

    /// A transaction id that came before makes no second message.
    fn send(&mut self, room: &str, transaction: &str, content: Value, bytes: usize) -> Reply {
        let Some(room) = self.rooms.iter_mut().find(|one| one.id == room && one.joined) else {
            return error(403, "M_FORBIDDEN", "User not in room");
        };
        // The event has more than its content: sender, room, time, hashes, signatures, references to others.
        if bytes > 65_536 - 2_048 {
            return error(413, "M_TOO_LARGE", "event too large");
        }
        let known = room.messages.iter().position(|(id, _)| id == transaction);
        let number = known.unwrap_or(room.messages.len());
        if known.is_none() {
            room.messages.push((transaction.to_owned(), content));
        }
        Reply::json(200, &json!({"event_id": format!("$event{number}")}))
    }
}

/// An error as Matrix words it.
pub fn error(status: u16, code: &str, text: &str) -> Reply {
    Reply::json(status, &json!({"errcode": code, "error": text}))
}

/// A segment of a path without its percent-encoding.
fn decode(segment: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| first == b'%') {
            Some(octet) => {
                octets.push(octet);
                rest = &after[2..];
            }
            None => {
                octets.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}
