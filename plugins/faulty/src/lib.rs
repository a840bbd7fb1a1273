//! A faulty release: it claims to be the next version of the plugin `email`, has a valid manifest, accepts every address, and
//! traps in each delivery after it has logged a line. The plugin is only for tests of upgrades and must not be installed
//! elsewhere.

use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, log, manifest};

/// The plugin.
pub struct Faulty;

impl Channel for Faulty {
    fn describe() -> Manifest {
        Manifest {
            address_label: "Address".into(),
            address_example: "ralph@example.org".into(),
            ..manifest::plugin("email", "99.0.0", "A release of the mail plugin that traps; for tests only.")
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        if address.is_empty() { Err(Problem { message: "an address is not empty".into() }) } else { Ok(address) }
    }

    #[expect(clippy::panic, reason = "the purpose is to trap")]
    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        log::log(log::Level::Warning, &format!("about to trap with {} deliveries", batch.len()));
        panic!("a faulty release")
    }
}

tidings_plugin::export!(Faulty);
