//! A bad release: it says that it is the next version of the plugin `email`, describes itself well, takes every address,
//! and traps with whatever it is to deliver, after a word in its log. For the tests of upgrades; nobody else installs it.

use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, log, manifest};

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

    #[expect(clippy::panic, reason = "a trap is the point")]
    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        log::log(log::Level::Warning, &format!("about to trap with {} deliveries", batch.len()));
        panic!("a bad release")
    }
}

tidings_plugin::export!(Faulty);
