//! Tidings' Matrix channel: writes to each user in a direct room, by the client-server API (v1.11).
//!
//! [`address`] says who is one, [`message`] what is written, [`api`] how the server is asked and what its errors mean,
//! [`room`] where it is written, and [`deliver`] puts them together. What is not encrypted end to end is readable on the
//! servers of both sides: so is everything here.

pub mod address;
pub mod api;
pub mod deliver;
pub mod message;
pub mod room;
pub mod settings;

use tidings_plugin::host::Sandbox;
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, config, manifest};

use settings::Settings;

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
                "Writes notifications to people on Matrix, in a direct room for each.",
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
