//! Tidings' Android channel: pushes each delivery to a phone, by Firebase Cloud Messaging (HTTP v1) where the address is a
//! registration token, and to a UnifiedPush endpoint (RFC 8030, RFC 8291) where it is a URL.
//!
//! [`address`] tells the two apart, [`fcm`] and [`push`] speak one protocol each, [`content`] makes what both send fit into
//! their 4096 octets, [`deliver`] goes through the batch.

pub mod address;
pub mod content;
pub mod deliver;
pub mod fcm;
pub mod push;
pub mod settings;

use tidings_plugin::host::Sandbox;
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, config, manifest};

use settings::Settings;

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
                "Pushes notifications to Android phones, by Firebase Cloud Messaging or UnifiedPush.",
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

/// Randomness for the encryption comes from the host: the target has none of its own.
#[cfg(target_arch = "wasm32")]
mod entropy {
    /// Of one call of `random.bytes`.
    const BYTES_AT_A_TIME: usize = 4096;

    fn fill(buffer: &mut [u8]) -> Result<(), getrandom::Error> {
        for part in buffer.chunks_mut(BYTES_AT_A_TIME) {
            part.copy_from_slice(&tidings_plugin::random::bytes(part.len() as u32));
        }
        Ok(())
    }

    getrandom::register_custom_getrandom!(fill);
}
