//! The Android channel of Tidings: sends each delivery to a phone, through Firebase Cloud Messaging (HTTP v1) if the address
//! is a registration token, or to a UnifiedPush endpoint (RFC 8030, RFC 8291) if it is a URL.
//!
//! [`address`] parses both kinds of address, [`fcm`] and [`push`] implement one protocol each, [`content`] fits the content
//! into 4096 octets for both, and [`deliver`] processes a batch. This file must only connect them to the contract.

pub mod address;
pub mod content;
pub mod deliver;
pub mod fcm;
pub mod push;
pub mod settings;

use tidings_plugin::host::Sandbox;
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, config, manifest};

use settings::Settings;

/// The plugin.
pub struct Android;

impl Channel for Android {
    fn describe() -> Manifest {
        Manifest {
            address_label: "registration token or UnifiedPush endpoint".into(),
            address_example: "https://push.example.org/ZkV3vQ8?up=1".into(),
            config: settings::fields(),
            grants: settings::grants(),
            credentials: settings::credentials(),
            ..manifest::plugin(
                "android",
                env!("CARGO_PKG_VERSION"),
                "Sends notifications to Android phones, through Firebase Cloud Messaging or UnifiedPush.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        let problem = |message: String| Problem { message };
        let settings = Settings::read(config::get).map_err(|error| problem(error.to_string()))?;
        settings.check_address(&address).map(|address| address.to_string()).map_err(|error| problem(error.to_string()))
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        match Settings::read(config::get) {
            Ok(settings) => deliver::deliver(&Sandbox, &settings, &batch),
            Err(error) => vec![Outcome::trouble(None, error.to_string()); batch.len()],
        }
    }
}

tidings_plugin::export!(Android);

/// Random bytes for the encryption, from the host: the target has no source of its own.
#[cfg(target_arch = "wasm32")]
mod entropy {
    /// The most bytes that one call of `random.bytes` returns.
    const BYTES_PER_CALL: usize = 4096;

    fn fill(buffer: &mut [u8]) -> Result<(), getrandom::Error> {
        for part in buffer.chunks_mut(BYTES_PER_CALL) {
            part.copy_from_slice(&tidings_plugin::random::bytes(part.len() as u32));
        }
        Ok(())
    }

    getrandom::register_custom_getrandom!(fill);
}
