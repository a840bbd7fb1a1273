//! A fake Matrix homeserver, after the client-server API (v1.11), with the requests that a bot needs to send messages:
//! `whoami`, profiles, account data, rooms with members, messages with transaction ids. It must not use code of the channel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use serde_json::{Value, json};

use super::{RecordedRequest, Reply, WebServer, lock};

/// The account of the bot.
pub const BOT: &str = "@tidings:example.org";

/// The running server.
pub struct Matrix {
    pub web: WebServer,
    state: Arc<Mutex<Homeserver>>,
}

#[derive(Default)]
struct Homeserver {
    authorization: String,
    /// The users with an account on this server.
    users: BTreeSet<String>,
    /// In order of creation.
    rooms: Vec<MatrixRoom>,
    account_data: BTreeMap<String, Value>,
}

/// A room that the bot created.
#[derive(Clone, Debug)]
pub struct MatrixRoom {
    pub id: String,
    /// The body of the request that created the room.
    pub creation: Value,
    /// Whether the bot is a member.
    pub joined: bool,
    /// Transaction id and content, in order.
    pub messages: Vec<(String, Value)>,
}

impl Matrix {
    /// Starts a server with these users; the bot has this access token.
    pub async fn start(token: &str, users: &[&str]) -> Result<Matrix> {
        let users = users.iter().map(|&one| one.to_owned()).collect();
        let homeserver = Homeserver { authorization: format!("Bearer {token}"), users, ..Homeserver::default() };
        let state = Arc::new(Mutex::new(homeserver));
        let shared = state.clone();
        let web = WebServer::start(move |request| lock(&shared).answer(request)).await?;
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

    /// The account data of this type; null if there is none.
    pub fn account_data(&self, kind: &str) -> Value {
        lock(&self.state).account_data.get(kind).cloned().unwrap_or_default()
    }
}

impl Homeserver {
    fn answer(&mut self, request: &RecordedRequest) -> Reply {
        if request.header("authorization") != self.authorization {
            return error(401, "M_UNKNOWN_TOKEN", "Unrecognised access token");
        }
        let path = request.target.strip_prefix("/_matrix/client/v3/").unwrap_or_default();
        let segments: Vec<String> = path.split('/').map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), &segments[..]) {
            ("GET", ["account", "whoami"]) => Reply::json(200, &json!({"user_id": BOT})),
            ("GET", ["profile", user]) if self.users.contains(*user) => Reply::json(200, &json!({})),
            ("GET", ["user", BOT, "account_data", kind]) => match self.account_data.get(*kind) {
                Some(data) => Reply::json(200, data),
                None => error(404, "M_NOT_FOUND", "Account data not found"),
            },
            ("PUT", ["user", BOT, "account_data", kind]) => {
                self.account_data.insert((*kind).to_owned(), request.json());
                Reply::json(200, &json!({}))
            }
            ("POST", ["createRoom"]) => self.create(request.json()),
            ("PUT", ["rooms", room, "send", "m.room.message", transaction]) => {
                self.send(room, transaction, request.json(), request.body.len())
            }
            _ => error(404, "M_NOT_FOUND", "Not found"),
        }
    }

    fn create(&mut self, creation: Value) -> Reply {
        let invited: Vec<&str> =
            creation["invite"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !invited.iter().all(|one| self.users.contains(*one)) {
            return error(403, "M_FORBIDDEN", "Cannot invite that user");
        }
        let id = format!("!room{}:example.org", self.rooms.len() + 1);
        self.rooms.push(MatrixRoom { id: id.clone(), creation, joined: true, messages: Vec::new() });
        Reply::json(200, &json!({"room_id": id}))
    }

    /// Stores a message, unless one with the same transaction id is stored.
    fn send(&mut self, room: &str, transaction: &str, content: Value, bytes: usize) -> Reply {
        let Some(room) = self.rooms.iter_mut().find(|one| one.id == room && one.joined) else {
            return error(403, "M_FORBIDDEN", "User not in room");
        };
        // An event has more than its content: sender, room, time, hashes, signatures, references to other events.
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

/// An error in the format of Matrix.
pub fn error(status: u16, code: &str, text: &str) -> Reply {
    Reply::json(status, &json!({"errcode": code, "error": text}))
}

/// Decodes the percent-encoding of a path segment.
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
