//! The direct room of a user. The state of the channel and the account (`m.direct`) both store it, so that it is found again
//! if one of them is lost; otherwise it is created. It must not send messages.

use serde_json::{Value, json};
use tidings_plugin::host::Host;
use tidings_plugin::state::Error;
use tidings_plugin::{Outcome, state};

use crate::api::{Api, ApiError};

/// Stores the room of each user, by Matrix ID (at most 255 octets, so always a valid key).
pub trait RoomStore {
    fn get(&self, user: &str) -> Result<Option<String>, Error>;
    fn set(&self, user: &str, room: &str) -> Result<(), Error>;
}

/// The state of the channel, which the host stores.
pub struct HostState;

impl RoomStore for HostState {
    fn get(&self, user: &str) -> Result<Option<String>, Error> {
        Ok(state::get(user)?.and_then(|room| String::from_utf8(room).ok()))
    }

    fn set(&self, user: &str, room: &str) -> Result<(), Error> {
        state::set(user, room.as_bytes())
    }
}

/// Finds the room of the user in the store, then in `m.direct`.
pub fn find<H: Host>(api: &Api<'_, H>, store: &impl RoomStore, user: &str) -> Result<Option<String>, Outcome> {
    if let Some(room) = stored_room(store, user)? {
        return Ok(Some(room));
    }
    let direct = direct_rooms(api)?.1;
    let room = direct[user].as_array().and_then(|rooms| rooms.last()?.as_str()).map(str::to_owned);
    if let Some(room) = &room {
        store_room(store, user, room);
    }
    Ok(room)
}

/// Creates a room, invites the user, and stores the room. It replaces the room `stale`.
pub fn create<H: Host>(
    api: &Api<'_, H>,
    store: &impl RoomStore,
    user: &str,
    stale: Option<&str>,
) -> Result<String, Outcome> {
    let request =
        json!({"is_direct": true, "invite": [user], "preset": "trusted_private_chat", "visibility": "private"});
    let created =
        api.request("POST", &["createRoom"], Some(&request)).map_err(|error| creation_outcome(api, user, error))?;
    let room =
        created["room_id"].as_str().ok_or_else(|| Outcome::retry("the server created a room but returned no id"))?;
    // A concurrent call may have created a room for the same user. Its room is used, and the account leaves this one.
    let other = store.get(user).ok().flatten().filter(|other| Some(other.as_str()) != stale);
    if let Some(other) = other {
        // A failure does no harm: no message is sent to the room.
        let _ = api.request("POST", &["rooms", room, "leave"], Some(&json!({})));
        return Ok(other);
    }
    store_room(store, user, room);
    // A failure does not stop the delivery: `m.direct` is for the clients of users, and for a lost store.
    let _ = add_direct_room(api, user, room, stale);
    Ok(room.to_owned())
}

fn stored_room(store: &impl RoomStore, user: &str) -> Result<Option<String>, Outcome> {
    store.get(user).map_err(|error| match error {
        Error::Limit(reason) | Error::Unavailable(reason) => {
            Outcome::retry(format!("the state of the channel cannot be read: {reason}"))
        }
    })
}

/// Stores the room. An error is ignored: `m.direct` still has the room.
fn store_room(store: &impl RoomStore, user: &str, room: &str) {
    let _ = store.set(user, room);
}

/// The outcome when no room can be created: the address is gone if the user has no profile, otherwise it is rejected.
fn creation_outcome<H: Host>(api: &Api<'_, H>, user: &str, error: ApiError) -> Outcome {
    let reason = match error {
        ApiError::Outcome(outcome) => return outcome,
        ApiError::Refused { reason, .. } => reason,
    };
    match api.request("GET", &["profile", user], None) {
        Err(ApiError::Refused { code, reason }) if code == "M_NOT_FOUND" => {
            Outcome::gone(format!("the server knows no such user: {reason}"))
        }
        _ => Outcome::Rejected(format!("the user cannot be invited: {reason}")),
    }
}

/// The id of the account, and its direct rooms: lists of room ids by user.
fn direct_rooms<H: Host>(api: &Api<'_, H>) -> Result<(String, Value), Outcome> {
    let outcome = |error| match error {
        ApiError::Outcome(outcome) => outcome,
        ApiError::Refused { reason, .. } => {
            Outcome::trouble(None, format!("the data of the account cannot be read: {reason}"))
        }
    };
    let whoami = api.request("GET", &["account", "whoami"], None).map_err(outcome)?;
    let account = whoami["user_id"].as_str().unwrap_or_default().to_owned();
    match api.request("GET", &["user", &account, "account_data", "m.direct"], None) {
        Ok(data) if data.is_object() => Ok((account, data)),
        Ok(_) => Ok((account, json!({}))),
        Err(ApiError::Refused { code, .. }) if code == "M_NOT_FOUND" => Ok((account, json!({}))),
        Err(error) => Err(outcome(error)),
    }
}

/// Adds the room to `m.direct`, as the last one of the user, and removes the room `stale`.
fn add_direct_room<H: Host>(api: &Api<'_, H>, user: &str, room: &str, stale: Option<&str>) -> Result<(), Outcome> {
    let (account, mut data) = direct_rooms(api)?;
    let old = data[user].as_array().cloned().unwrap_or_default();
    let kept = old.into_iter().filter(|one| one.as_str().is_some_and(|one| Some(one) != stale));
    data[user] = kept.chain([json!(room)]).collect();
    let put = api.request("PUT", &["user", &account, "account_data", "m.direct"], Some(&data));
    put.map(drop).map_err(|_| Outcome::retry("m.direct cannot be written"))
}
