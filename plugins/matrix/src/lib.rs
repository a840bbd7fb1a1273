//! The Matrix channel of Tidings: sends messages to each user in a direct room, with the client-server API (v1.11).
//!
//! [`address`] parses Matrix IDs, [`message`] builds the content of messages, [`api`] sends requests and classifies errors,
//! [`room`] finds or creates the direct room, and [`deliver`] processes a batch. Messages are not encrypted end to end: the
//! servers of both accounts can read them. This file must only connect the modules to the contract.

pub mod address;
pub mod api;
pub mod deliver;
pub mod message;
pub mod room;
pub mod settings;

use tidings_plugin::host::Sandbox;
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, config, manifest};

use settings::Settings;

/// The plugin.
pub struct Matrix;

impl Channel for Matrix {
    fn describe() -> Manifest {
        Manifest {
            address_label: "Matrix ID".into(),
            address_example: "@ralph:example.org".into(),
            config: settings::fields(),
            grants: settings::grants(),
            credentials: settings::credentials(),
            ..manifest::plugin(
                "matrix",
                env!("CARGO_PKG_VERSION"),
                "Sends notifications to users on Matrix, in a direct room for each.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        address::parse(&address).map_err(|error| Problem { message: error.to_string() })
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        match Settings::read(config::get) {
            Ok(settings) => deliver::deliver(&Sandbox, &room::HostState, &settings, &batch),
            Err(error) => vec![Outcome::trouble(None, error.to_string()); batch.len()],
        }
    }
}

tidings_plugin::export!(Matrix);
