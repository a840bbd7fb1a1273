//! The direct room of a user: remembered by the channel, and by the account (`m.direct`), so that it is found again where
//! one of the two was lost; else made.

use serde_json::{Value, json};
use tidings_plugin::host::Host;
use tidings_plugin::state::Error;
use tidings_plugin::{Outcome, state};

use crate::api::{Api, Refusal};

/// What the channel remembers: the room of each user, by Matrix ID (at most 255 octets, so always a key).
pub trait Memory {
    fn get(&self, user: &str) -> Result<Option<String>, Error>;
    fn set(&self, user: &str, room: &str) -> Result<(), Error>;
}

/// The channel's own state, kept by the host.
pub struct HostState;

impl Memory for HostState {
    fn get(&self, user: &str) -> Result<Option<String>, Error> {
        Ok(state::get(user)?.and_then(|room| String::from_utf8(room).ok()))
    }

    fn set(&self, user: &str, room: &str) -> Result<(), Error> {
        state::set(user, room.as_bytes())
    }
}

/// The room that is known for the user, if there is one.
pub fn known<H: Host>(api: &Api<'_, H>, memory: &impl Memory, user: &str) -> Result<Option<String>, Outcome> {
    if let Some(room) = remembered(memory, user)? {
        return Ok(Some(room));
    }
    let direct = direct(api)?.1;
    let room = direct[user].as_array().and_then(|rooms| rooms.last()?.as_str()).map(str::to_owned);
    if let Some(room) = &room {
        remember(memory, user, room);
    }
    Ok(room)
}

/// Makes a room for the user, who is invited, and remembers it. `stale` is the one that it replaces.
pub fn create<H: Host>(
    api: &Api<'_, H>,
    memory: &impl Memory,
    user: &str,
    stale: Option<&str>,
) -> Result<String, Outcome> {
    let asked = json!({"is_direct": true, "invite": [user], "preset": "trusted_private_chat", "visibility": "private"});
    let made = api.ask("POST", &["createRoom"], Some(&asked)).map_err(|refusal| not_made(api, user, refusal))?;
    let room = made["room_id"].as_str().ok_or_else(|| Outcome::retry("the server made a room without an id"))?;
    // Another call may have made one for the same user meanwhile: its room stands, and this one is left.
    let other = memory.get(user).ok().flatten().filter(|other| Some(other.as_str()) != stale);
    if let Some(other) = other {
        // Whether that works or not, nothing is sent there.
        let _ = api.ask("POST", &["rooms", room, "leave"], Some(&json!({})));
        return Ok(other);
    }
    remember(memory, user, room);
    // Only people's clients and a lost memory need it; the message goes out without it.
    let _ = enter(api, user, room, stale);
    Ok(room.to_owned())
}

fn remembered(memory: &impl Memory, user: &str) -> Result<Option<String>, Outcome> {
    memory.get(user).map_err(|error| match error {
        Error::Limit(why) | Error::Unavailable(why) => Outcome::retry(format!("the room cannot be looked up: {why}")),
    })
}

/// Where there is no room for another user, `m.direct` knows it still.
fn remember(memory: &impl Memory, user: &str, room: &str) {
    let _ = memory.set(user, room);
}

/// Why there is no room: somebody whom nobody knows is gone, and what is not allowed is not.
fn not_made<H: Host>(api: &Api<'_, H>, user: &str, refusal: Refusal) -> Outcome {
    let said = match refusal {
        Refusal::Outcome(outcome) => return outcome,
        Refusal::Refused { said, .. } => said,
    };
    match api.ask("GET", &["profile", user], None) {
        Err(Refusal::Refused { code, said }) if code == "M_NOT_FOUND" => {
            Outcome::gone(format!("nobody of that name: {said}"))
        }
        _ => Outcome::Rejected(format!("not to be invited: {said}")),
    }
}

/// The account's own id, and its direct rooms: lists of room ids by user.
fn direct<H: Host>(api: &Api<'_, H>) -> Result<(String, Value), Outcome> {
    let failed = |refusal| match refusal {
        Refusal::Outcome(outcome) => outcome,
        Refusal::Refused { said, .. } => Outcome::trouble(None, format!("the account's own data: {said}")),
    };
    let whoami = api.ask("GET", &["account", "whoami"], None).map_err(failed)?;
    let me = whoami["user_id"].as_str().unwrap_or_default().to_owned();
    match api.ask("GET", &["user", &me, "account_data", "m.direct"], None) {
        Ok(data) if data.is_object() => Ok((me, data)),
        Ok(_) => Ok((me, json!({}))),
        Err(Refusal::Refused { code, .. }) if code == "M_NOT_FOUND" => Ok((me, json!({}))),
        Err(refusal) => Err(failed(refusal)),
    }
}

/// Enters the room into `m.direct`, as the last of the user's.
fn enter<H: Host>(api: &Api<'_, H>, user: &str, room: &str, stale: Option<&str>) -> Result<(), Outcome> {
    let (me, mut data) = direct(api)?;
    let old = data[user].as_array().cloned().unwrap_or_default();
    let kept = old.into_iter().filter(|one| one.as_str().is_some_and(|one| Some(one) != stale));
    data[user] = kept.chain([json!(room)]).collect();
    let put = api.ask("PUT", &["user", &me, "account_data", "m.direct"], Some(&data));
    put.map(drop).map_err(|_| Outcome::retry("m.direct was not written"))
}
