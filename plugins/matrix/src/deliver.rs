//! Sends a batch: each delivery as a message in a room. The id of the delivery is the transaction id, so the server stores
//! one message however often it is sent. It must not know the HTTP requests.

use tidings_plugin::host::Host;
use tidings_plugin::{Delivery, Outcome, batch};

use crate::api::{Api, ApiError};
use crate::message;
use crate::room::{self, RoomStore};
use crate::settings::Settings;

/// Sends the deliveries in order.
pub fn deliver(host: &impl Host, rooms: &impl RoomStore, settings: &Settings, deliveries: &[Delivery]) -> Vec<Outcome> {
    let api = Api { host, settings };
    batch::one_by_one(host, deliveries, |delivery| match deliver_one(&api, rooms, delivery) {
        Ok(event) => Outcome::Delivered(event),
        Err(outcome) => outcome,
    })
}

/// Sends one delivery and returns the id of the event. If the room refuses it, because the account was removed or the room
/// no longer exists, creates a new room, once.
fn deliver_one<H: Host>(
    api: &Api<'_, H>,
    rooms: &impl RoomStore,
    delivery: &Delivery,
) -> Result<Option<String>, Outcome> {
    let user = delivery.recipient.address.as_str();
    let existing = room::find(api, rooms, user)?;
    if let Some(room) = &existing {
        match send(api, room, delivery) {
            Ok(event) => return Ok(event),
            Err(ApiError::Outcome(outcome)) => return Err(outcome),
            Err(ApiError::Refused { .. }) => {}
        }
    }
    let room = room::create(api, rooms, user, existing.as_deref())?;
    send(api, &room, delivery).map_err(|error| match error {
        ApiError::Outcome(outcome) => outcome,
        ApiError::Refused { reason, .. } => Outcome::Rejected(format!("a new room refused the message: {reason}")),
    })
}

fn send<H: Host>(api: &Api<'_, H>, room: &str, delivery: &Delivery) -> Result<Option<String>, ApiError> {
    let content = message::content(delivery, api.host.now_ms());
    let response = api.request("PUT", &["rooms", room, "send", "m.room.message", &delivery.id], Some(&content))?;
    Ok(response["event_id"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use tidings_plugin::http::{Error, Request, Response};
    use tidings_plugin::{state, testing};

    use super::*;

    const RALPH: &str = "@ralph:example.org";

    /// A server that responds to each request by its method and path, and a room store that may be full.
    #[derive(Default)]
    struct FakeServer {
        responses: BTreeMap<&'static str, (u16, Value)>,
        requests: RefCell<Vec<(String, Value)>>,
        rooms: RefCell<BTreeMap<String, String>>,
        full: bool,
    }

    impl FakeServer {
        fn with(mut self, request: &'static str, status: u16, response: Value) -> Self {
            self.responses.insert(request, (status, response));
            self
        }

        fn deliver(&self) -> Outcome {
            let settings = Settings { homeserver: "https://m.example".into(), credential: "token".into() };
            deliver(self, self, &settings, &[delivery()]).remove(0)
        }

        fn requests(&self) -> Vec<String> {
            self.requests.borrow().iter().map(|(request, _)| request.clone()).collect()
        }
    }

    impl Host for FakeServer {
        fn send(&self, request: &Request) -> Result<Response, Error> {
            assert_eq!(request.credential.as_deref(), Some("token"));
            let path = request.url.strip_prefix("https://m.example/_matrix/client/v3").unwrap();
            let line = format!("{} {path}", request.method);
            let body = serde_json::from_slice(&request.body).unwrap_or_default();
            self.requests.borrow_mut().push((line.clone(), body));
            let missing = (404, json!({"errcode": "M_NOT_FOUND"}));
            let (status, response) = self.responses.get(line.as_str()).unwrap_or(&missing);
            Ok(Response { status: *status, headers: Vec::new(), body: response.to_string().into_bytes() })
        }

        fn now_ms(&self) -> u64 {
            0
        }

        fn remaining_ms(&self) -> u64 {
            120_000
        }

        fn settled(&self, _: usize, _: &Outcome) {}
    }

    impl RoomStore for FakeServer {
        fn get(&self, user: &str) -> Result<Option<String>, state::Error> {
            Ok(self.rooms.borrow().get(user).cloned())
        }

        fn set(&self, user: &str, room: &str) -> Result<(), state::Error> {
            if self.full {
                return Err(state::Error::Limit("1000 keys".into()));
            }
            self.rooms.borrow_mut().insert(user.to_owned(), room.to_owned());
            Ok(())
        }
    }

    fn delivery() -> Delivery {
        Delivery { id: "id1".into(), ..testing::delivery(RALPH, testing::confirmation()) }
    }

    const WHOAMI: &str = "GET /account/whoami";
    const DIRECT: &str = "GET /user/%40bot%3Aexample.org/account_data/m.direct";
    const PUT_DIRECT: &str = "PUT /user/%40bot%3Aexample.org/account_data/m.direct";
    const CREATE: &str = "POST /createRoom";
    const SEND_1: &str = "PUT /rooms/%21r1%3Ax/send/m.room.message/id1";
    const SEND_2: &str = "PUT /rooms/%21r2%3Ax/send/m.room.message/id1";
    const PROFILE: &str = "GET /profile/%40ralph%3Aexample.org";

    fn server() -> FakeServer {
        FakeServer::default().with(WHOAMI, 200, json!({"user_id": "@bot:example.org"}))
    }

    #[test]
    fn without_a_stored_room_the_last_direct_room_of_the_account_is_used() {
        let event = json!({"event_id": "$1"});
        for full in [false, true] {
            let direct = json!({"@other:x": ["!r9:x"], RALPH: ["!r0:x", "!r1:x"]});
            let server = FakeServer { full, ..server().with(DIRECT, 200, direct).with(SEND_1, 200, event.clone()) };
            assert_eq!(server.deliver(), Outcome::Delivered(Some("$1".into())));
            assert_eq!(server.requests(), [WHOAMI, DIRECT, SEND_1]);
            assert_eq!(server.rooms.borrow().len(), usize::from(!full));
        }
    }

    #[test]
    fn a_new_room_replaces_the_old_one_and_no_other() {
        let direct = json!({"@other:x": ["!r9:x"], RALPH: ["!r0:x", "!r1:x"]});
        let server = server().with(DIRECT, 200, direct).with(CREATE, 200, json!({"room_id": "!r2:x"}));
        let server = server.with(SEND_1, 403, json!({"errcode": "M_FORBIDDEN"})).with(PUT_DIRECT, 200, json!({}));
        let server = server.with(SEND_2, 200, json!({"event_id": "$2"}));
        server.rooms.borrow_mut().insert(RALPH.into(), "!r1:x".into());
        assert_eq!(server.deliver(), Outcome::Delivered(Some("$2".into())));
        assert_eq!(server.requests(), [SEND_1, CREATE, WHOAMI, DIRECT, PUT_DIRECT, SEND_2]);
        assert_eq!(server.requests.borrow()[4].1, json!({"@other:x": ["!r9:x"], RALPH: ["!r0:x", "!r2:x"]}));
        assert_eq!(server.rooms.borrow()[RALPH], "!r2:x");
    }

    #[test]
    fn a_user_who_cannot_be_invited_is_gone_or_rejected() {
        let refused = || server().with(CREATE, 403, json!({"errcode": "M_FORBIDDEN"}));
        assert!(matches!(refused().deliver(), Outcome::AddressGone(_)));
        assert!(matches!(refused().with(PROFILE, 200, json!({})).deliver(), Outcome::Rejected(_)));
        let hidden = refused().with(PROFILE, 403, json!({"errcode": "M_FORBIDDEN"}));
        assert!(matches!(hidden.deliver(), Outcome::Rejected(_)));
    }

    #[test]
    fn a_new_room_that_refuses_the_message_is_not_replaced() {
        let server = server().with(CREATE, 200, json!({"room_id": "!r2:x"}));
        let server = server.with(SEND_2, 403, json!({"errcode": "M_FORBIDDEN"}));
        assert!(matches!(server.deliver(), Outcome::Rejected(_)));
        assert_eq!(server.requests().iter().filter(|request| *request == CREATE).count(), 1);
    }
}
