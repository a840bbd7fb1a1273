//! The webhook channel of Tidings: POSTs each delivery as JSON, signed as Standard Webhooks.
//!
//! [`payload`] builds the standard body, [`template`] fills the template of an administrator, [`signature`] signs the body,
//! [`address`] parses addresses, and [`deliver`] sends. Only `deliver` may use the host, through a trait.

pub mod address;
pub mod deliver;
pub mod payload;
pub mod settings;
pub mod signature;
pub mod template;

use tidings_plugin::host::Sandbox;
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, config, manifest};

use settings::{Settings, Target};

/// The plugin.
pub struct Webhook;

impl Channel for Webhook {
    fn describe() -> Manifest {
        Manifest {
            address_label: "URL (or a name, if the channel has one URL for all users)".into(),
            address_example: "https://hooks.example.org/tidings".into(),
            config: settings::fields(),
            grants: settings::grants(),
            ..manifest::plugin(
                "webhook",
                env!("CARGO_PKG_VERSION"),
                "POSTs notifications to URLs, signed as Standard Webhooks.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        let problem = |error: &dyn std::error::Error| Problem { message: error.to_string() };
        // Reads only the target: the check must work while the secret is missing or invalid.
        let target = Target::read(config::get).map_err(|error| problem(&error))?;
        target.check_address(&address).map_err(|error| problem(&error))
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        match Settings::read(config::get) {
            Ok(settings) => deliver::deliver(&Sandbox, &settings, &batch),
            Err(error) => vec![Outcome::trouble(None, error.to_string()); batch.len()],
        }
    }
}

tidings_plugin::export!(Webhook);
