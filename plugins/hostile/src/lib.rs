//! A plugin that misbehaves on request, so that the sandbox's limits can be tried one by one.
//!
//! What it does is chosen by the address of the first delivery of a batch, up to the `@`: see [`Behaviour`]. An address
//! that names none is simply delivered. It is a test's tool and is never installed by anybody else.

mod act;
mod behaviour;
mod reach;
mod repeat;

pub use behaviour::{Behaviour, Step};

use tidings_plugin::manifest::{self, field, http, net};
use tidings_plugin::{Channel, Delivery, FieldKind, Manifest, Outcome, Problem};

pub struct Hostile;

impl Channel for Hostile {
    fn describe() -> Manifest {
        Manifest {
            address_label: "behaviour".into(),
            address_example: "ok@example.org".into(),
            config: vec![
                field("host", FieldKind::Host, "Host", "Where it tries to connect.").default("127.0.0.1"),
                field("port", FieldKind::Port, "Port", "Where it tries to connect.").default("9"),
                field("password", FieldKind::Text, "Password", "What it tells everybody.").secret(),
            ],
            grants: vec![
                net("{host}", "{port}", "To misuse a connection."),
                http("{host}", "{port}", "To misuse a request."),
            ],
            ..manifest::plugin(
                "hostile",
                env!("CARGO_PKG_VERSION"),
                "Misbehaves on request; for tests of the sandbox only.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        match address.as_str() {
            "" => Err(Problem { message: "an address is not empty".into() }),
            "check-loop" => act::spin(),
            "check-trap" => act::trap(),
            "check-memory" => act::devour_memory(),
            _ => Ok(address),
        }
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        match batch.first() {
            None => Vec::new(),
            Some(first) => act::act(Behaviour::of(&first.recipient.address), &batch),
        }
    }
}

tidings_plugin::export!(Hostile);
