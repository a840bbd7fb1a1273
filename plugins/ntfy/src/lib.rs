//! The ntfy channel of Tidings: publishes each delivery as JSON to a topic of an ntfy server
//! (<https://docs.ntfy.sh/publish/>).
//!
//! [`message`] builds the JSON, [`deliver`] sends it and maps responses to outcomes, [`topic`] parses addresses. This file
//! must only connect them to the contract.

pub mod deliver;
pub mod message;
pub mod settings;
pub mod topic;

use tidings_plugin::host::Sandbox;
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, config, manifest};

use settings::Settings;

/// The plugin.
pub struct Ntfy;

impl Channel for Ntfy {
    fn describe() -> Manifest {
        Manifest {
            address_label: "ntfy topic".into(),
            address_example: "ralph-Zk3vQ8".into(),
            config: settings::fields(),
            grants: settings::grants(),
            ..manifest::plugin(
                "ntfy",
                env!("CARGO_PKG_VERSION"),
                "Publishes notifications to topics of ntfy.sh or of your own server.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        topic::parse(&address).map_err(|error| Problem { message: error.to_string() })
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        match Settings::read(config::get) {
            Ok(settings) => deliver::deliver(&Sandbox, &settings, &batch),
            Err(error) => vec![Outcome::trouble(None, error.to_string()); batch.len()],
        }
    }
}

tidings_plugin::export!(Ntfy);
