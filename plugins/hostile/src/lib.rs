//! A plugin that misbehaves on request, to test each limit of the sandbox.
//!
//! The address of the first delivery of a batch, up to the `@`, selects the [`Behaviour`]. A batch with another address is
//! delivered. The plugin is only for tests and must not be installed elsewhere.

mod act;
mod behaviour;
mod reach;
mod repeat;

pub use behaviour::{Behaviour, Step};

use tidings_plugin::manifest::{self, field, http, net};
use tidings_plugin::{Channel, Delivery, FieldKind, Manifest, Outcome, Problem};

/// The plugin.
pub struct Hostile;

impl Channel for Hostile {
    fn describe() -> Manifest {
        Manifest {
            address_label: "behaviour".into(),
            address_example: "ok@example.org".into(),
            config: vec![
                field("host", FieldKind::Host, "Host", "The host that it connects to.").default("127.0.0.1"),
                field("port", FieldKind::Port, "Port", "The port that it connects to.").default("9"),
                field("password", FieldKind::Text, "Password", "The secret that it leaks.").secret(),
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
            "check-memory" => act::exhaust_memory(),
            _ => Ok(address),
        }
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        match batch.first() {
            None => Vec::new(),
            Some(first) => act::act(Behaviour::parse(&first.recipient.address), &batch),
        }
    }
}

tidings_plugin::export!(Hostile);
