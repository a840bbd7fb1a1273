//! A resident plugin for tests of the sandbox and of the daemon. Its settings and the addresses of its deliveries say
//! what it does: it counts its calls, keeps a connection to a line server, and misbehaves where a test asks for it.
//! [`Action`] lists the addresses, [`state`] describes the line protocol. No channel of a production daemon uses it.

mod action;
mod line_connection;
mod state;

pub use action::Action;
pub use state::State;

use std::cell::RefCell;

use tidings_plugin::manifest::{self, field, net};
use tidings_plugin::{Channel, Delivery, FieldKind, Lifetime, Manifest, Outcome, Problem, Reason, Resident};

pub struct ResidentFixture;

thread_local! {
    /// The state between calls. A component has one thread.
    static STATE: RefCell<State> = RefCell::new(State::default());
}

impl Channel for ResidentFixture {
    fn describe() -> Manifest {
        Manifest {
            address_label: "action".into(),
            address_example: "send@example.org".into(),
            config: vec![
                field("host", FieldKind::Host, "Host", "The host of the line server.").default("127.0.0.1"),
                field("port", FieldKind::Port, "Port", "The port of the line server.").default("9"),
                field("start", FieldKind::Choice, "Start", "What the first wake does.")
                    .choices(&["quiet", "connect", "tls", "trap", "loop"])
                    .default("quiet"),
                field("stop", FieldKind::Choice, "Stop", "What the last wake does.")
                    .choices(&["quit", "loop"])
                    .default("quit"),
                field("wake_ms", FieldKind::Text, "Wake", "Milliseconds until the next wake; empty: no timer."),
            ],
            grants: vec![net("{host}", "{port}", "To keep a connection to the line server.")],
            lifetime: Lifetime::Resident,
            ..manifest::plugin(
                "resident-fixture",
                env!("CARGO_PKG_VERSION"),
                "Keeps its state between calls; for tests of resident plugins only.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        match address.as_str() {
            "" => Err(Problem { message: "the address is empty".into() }),
            _ => Ok(address),
        }
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        STATE.with_borrow_mut(|state| state.deliver(&batch))
    }
}

impl Resident for ResidentFixture {
    fn wake(reason: Reason) -> Option<u64> {
        STATE.with_borrow_mut(|state| state.wake(reason))
    }
}

tidings_plugin::export_resident!(ResidentFixture);
