//! From deliveries to messages in rooms. The delivery's id is the transaction's: however often it is sent, the server
//! makes one message of it.

use tidings_plugin::host::Host;
use tidings_plugin::{Delivery, Outcome, batch};

use crate::api::{Api, Refusal};
use crate::message;
use crate::room::{self, Memory};
use crate::settings::Settings;

/// Delivers them in order.
pub fn deliver(host: &impl Host, memory: &impl Memory, settings: &Settings, deliveries: &[Delivery]) -> Vec<Outcome> {
    let api = Api { host, settings };
    batch::one_by_one(host, deliveries, |delivery| match one(&api, memory, delivery) {
        Ok(event) => Outcome::Delivered(event),
        Err(outcome) => outcome,
    })
}

/// Sends one, and returns the event's id. Where the room does not take it, since the account was removed from it or it is
/// gone, a new one is made, once.
fn one<H: Host>(api: &Api<'_, H>, memory: &impl Memory, delivery: &Delivery) -> Result<Option<String>, Outcome> {
    let user = delivery.recipient.address.as_str();
    let known = room::known(api, memory, user)?;
    if let Some(room) = &known {
        match send(api, room, delivery) {
            Ok(event) => return Ok(event),
            Err(Refusal::Outcome(outcome)) => return Err(outcome),
            Err(Refusal::Refused { .. }) => {}
        }
    }
    let room = room::create(api, memory, user, known.as_deref())?;
    send(api, &room, delivery).map_err(|refusal| match refusal {
        Refusal::Outcome(outcome) => outcome,
        Refusal::Refused { said, .. } => Outcome::Rejected(format!("in a new room: {said}")),
    })
}

fn send<H: Host>(api: &Api<'_, H>, room: &str, delivery: &Delivery) -> Result<Option<String>, Refusal> {
    let content = message::content(delivery, api.host.now_ms());
    let sent = api.ask("PUT", &["rooms", room, "send", "m.room.message", &delivery.id], Some(&content))?;
    Ok(sent["event_id"].as_str().map(str::to_owned))
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

    /// A server that answers each request by its method and path, and a memory that may be full.
    #[derive(Default)]
    struct Far {
        answers: BTreeMap<&'static str, (u16, Value)>,
        asked: RefCell<Vec<(String, Value)>>,
        rooms: RefCell<BTreeMap<String, String>>,
        full: bool,
    }

    impl Far {
        fn with(mut self, request: &'static str, status: u16, answer: Value) -> Self {
            self.answers.insert(request, (status, answer));
            self
        }

        fn deliver(&self) -> Outcome {
            let settings = Settings { homeserver: "https://m.example".into(), credential: "token".into() };
            deliver(self, self, &settings, &[delivery()]).remove(0)
        }

        fn asked(&self) -> Vec<String> {
            self.asked.borrow().iter().map(|(request, _)| request.clone()).collect()
        }
    }

    impl Host for Far {
        fn send(&self, request: &Request) -> Result<Response, Error> {
            assert_eq!(request.credential.as_deref(), Some("token"));
            let path = request.url.strip_prefix("https://m.example/_matrix/client/v3").unwrap();
            let asked = format!("{} {path}", request.method);
            let body = serde_json::from_slice(&request.body).unwrap_or_default();
            self.asked.borrow_mut().push((asked.clone(), body));
            let missing = (404, json!({"errcode": "M_NOT_FOUND"}));
            let (status, answer) = self.answers.get(asked.as_str()).unwrap_or(&missing);
            Ok(Response { status: *status, headers: Vec::new(), body: answer.to_string().into_bytes() })
        }

        fn now_ms(&self) -> u64 {
            0
        }

        fn remaining_ms(&self) -> u64 {
            120_000
        }

        fn settled(&self, _: usize, _: &Outcome) {}
    }

    impl Memory for Far {
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

    fn server() -> Far {
        Far::default().with(WHOAMI, 200, json!({"user_id": "@bot:example.org"}))
    }

    #[test]
    fn a_room_that_the_account_knows_is_used_where_the_channel_forgot_it() {
        let event = json!({"event_id": "$1"});
        for full in [false, true] {
            let direct = json!({"@other:x": ["!r9:x"], RALPH: ["!r0:x", "!r1:x"]});
            let far = Far { full, ..server().with(DIRECT, 200, direct).with(SEND_1, 200, event.clone()) };
            assert_eq!(far.deliver(), Outcome::Delivered(Some("$1".into())));
            assert_eq!(far.asked(), [WHOAMI, DIRECT, SEND_1]);
            assert_eq!(far.rooms.borrow().len(), usize::from(!full));
        }
    }

    #[test]
    fn a_new_room_takes_the_place_of_the_old_one_and_of_no_other() {
        let direct = json!({"@other:x": ["!r9:x"], RALPH: ["!r0:x", "!r1:x"]});
        let far = server().with(DIRECT, 200, direct).with(CREATE, 200, json!({"room_id": "!r2:x"}));
        let far = far.with(SEND_1, 403, json!({"errcode": "M_FORBIDDEN"})).with(PUT_DIRECT, 200, json!({}));
        let far = far.with(SEND_2, 200, json!({"event_id": "$2"}));
        far.rooms.borrow_mut().insert(RALPH.into(), "!r1:x".into());
        assert_eq!(far.deliver(), Outcome::Delivered(Some("$2".into())));
        assert_eq!(far.asked(), [SEND_1, CREATE, WHOAMI, DIRECT, PUT_DIRECT, SEND_2]);
        assert_eq!(far.asked.borrow()[4].1, json!({"@other:x": ["!r9:x"], RALPH: ["!r0:x", "!r2:x"]}));
        assert_eq!(far.rooms.borrow()[RALPH], "!r2:x");
    }

    #[test]
    fn who_cannot_be_invited_is_gone_or_refused() {
        let refused = || server().with(CREATE, 403, json!({"errcode": "M_FORBIDDEN"}));
        assert!(matches!(refused().deliver(), Outcome::AddressGone(_)));
        assert!(matches!(refused().with(PROFILE, 200, json!({})).deliver(), Outcome::Rejected(_)));
        let hidden = refused().with(PROFILE, 403, json!({"errcode": "M_FORBIDDEN"}));
        assert!(matches!(hidden.deliver(), Outcome::Rejected(_)));
    }

    #[test]
    fn a_room_that_refuses_from_the_start_is_not_replaced_for_ever() {
        let far = server().with(CREATE, 200, json!({"room_id": "!r2:x"}));
        let far = far.with(SEND_2, 403, json!({"errcode": "M_FORBIDDEN"}));
        assert!(matches!(far.deliver(), Outcome::Rejected(_)));
        assert_eq!(far.asked().iter().filter(|asked| *asked == CREATE).count(), 1);
    }
}
