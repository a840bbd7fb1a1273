//! The email channel: writes a mail for each delivery and sends it to a relay by SMTP.
//!
//! [`mail`] writes a mail, [`smtp`] speaks with the server. Both know the host by a trait only, so their tests need
//! none.

pub mod address;
pub mod mail;
pub mod settings;
pub mod smtp;

use tidings_plugin::host::Sandbox;
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, config, manifest, progress};

use address::Address;
use settings::Settings;

pub struct Email;

impl Channel for Email {
    fn describe() -> Manifest {
        Manifest {
            address_label: "email address".into(),
            address_example: "ralph@example.org".into(),
            config: settings::fields(),
            grants: settings::grants(),
            ..manifest::plugin(
                "email",
                env!("CARGO_PKG_VERSION"),
                "Sends notifications as mail through an SMTP server.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        match Address::parse(&address) {
            Ok(address) => Ok(address.to_string()),
            Err(error) => Err(Problem { message: error.to_string() }),
        }
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        match Settings::read(config::get) {
            Ok(settings) => smtp::deliver(&Sandbox, &settings, &batch, |index, outcome| {
                progress::settled(index as u32, outcome);
            }),
            Err(error) => vec![Outcome::trouble(None, error.to_string()); batch.len()],
        }
    }
}

tidings_plugin::export!(Email);
