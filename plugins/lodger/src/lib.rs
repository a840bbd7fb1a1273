//! A resident plugin that does as its settings and the addresses of its deliveries say, so that residence can be tried:
//! it counts its calls, holds a connection to a server of lines, and misbehaves where it is asked to. See [`Order`] for
//! the addresses, [`house`] for what it says over its connection. It is a test's tool and is never installed by anybody
//! else.

mod house;
mod order;
mod wire;

pub use house::House;
pub use order::Order;

use std::cell::RefCell;

use tidings_plugin::manifest::{self, field, net};
use tidings_plugin::{Channel, Delivery, FieldKind, Lifetime, Manifest, Outcome, Problem, Reason, Resident};

pub struct Lodger;

thread_local! {
    /// What is kept from call to call: a component has one thread.
    static HOUSE: RefCell<House> = RefCell::new(House::default());
}

impl Channel for Lodger {
    fn describe() -> Manifest {
        Manifest {
            address_label: "order".into(),
            address_example: "say@example.org".into(),
            config: vec![
                field("host", FieldKind::Host, "Host", "Where it connects.").default("127.0.0.1"),
                field("port", FieldKind::Port, "Port", "Where it connects.").default("9"),
                field("start", FieldKind::Choice, "Start", "What it does first.")
                    .choices(&["quiet", "connect", "tls", "trap", "loop"])
                    .default("quiet"),
                field("stop", FieldKind::Choice, "Stop", "What it does last.")
                    .choices(&["quit", "loop"])
                    .default("quit"),
                field("wake_ms", FieldKind::Text, "Wake", "After how long it is woken again; empty: not at all."),
            ],
            grants: vec![net("{host}", "{port}", "To hold a connection.")],
            lifetime: Lifetime::Resident,
            ..manifest::plugin("lodger", env!("CARGO_PKG_VERSION"), "Lives on; for tests of the sandbox only.")
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        match address.as_str() {
            "" => Err(Problem { message: "an address is not empty".into() }),
            _ => Ok(address),
        }
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        HOUSE.with_borrow_mut(|house| house.deliver(&batch))
    }
}

impl Resident for Lodger {
    fn wake(reason: Reason) -> Option<u64> {
        HOUSE.with_borrow_mut(|house| house.wake(reason))
    }
}

tidings_plugin::export_resident!(Lodger);
