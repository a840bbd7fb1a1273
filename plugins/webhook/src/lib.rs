//! Tidings' webhook channel: POSTs each delivery as JSON, signed as Standard Webhooks.
//!
//! [`payload`] makes the body, [`template`] what an administrator wants instead, [`signature`] the proof of where it
//! comes from, [`address`] says where it may go, and [`deliver`] sends. Only the last knows the host, by a trait.

pub mod address;
pub mod deliver;
pub mod payload;
pub mod settings;
pub mod signature;
pub mod template;

use tidings_plugin::host::Sandbox;
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, config, manifest};

use settings::{Settings, Target};

pub struct Webhook;

impl Channel for Webhook {
    fn describe() -> Manifest {
        Manifest {
            address_label: "web address (or, where the channel has one URL for all, a name)".into(),
            address_example: "https://hooks.example.org/tidings".into(),
            config: settings::fields(),
            grants: settings::grants(),
            ..manifest::plugin(
                "webhook",
                env!("CARGO_PKG_VERSION"),
                "POSTs notifications to web addresses, signed as Standard Webhooks.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        let fault = |error: &dyn std::error::Error| Problem { message: error.to_string() };
        // Also while a secret is missing or wrong: what an address is does not depend on it.
        let target = Target::read(config::get).map_err(|error| fault(&error))?;
        target.check_address(&address).map_err(|error| fault(&error))
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        match Settings::read(config::get) {
            Ok(settings) => deliver::deliver(&Sandbox, &settings, &batch),
            Err(error) => vec![Outcome::trouble(None, error.to_string()); batch.len()],
        }
    }
}

tidings_plugin::export!(Webhook);
