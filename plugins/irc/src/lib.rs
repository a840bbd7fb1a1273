//! The IRC channel: keeps one connection to a network while the channel is enabled, writes to users and channels there,
//! and accepts commands.
//!
//! [`session`] is the protocol without I/O, [`connection`] runs it over a stream, [`engine`] connects, delivers and
//! answers commands, within the [`rate_limit`] and the [`backoff`]. [`compose`] writes the text, [`line`] splits it,
//! and [`server_errors`] classifies the server's errors. The host is known by a trait only, so the tests need none.

pub mod address;
pub mod backoff;
pub mod compose;
pub mod connection;
pub mod engine;
pub mod line;
pub mod message;
pub mod rate_limit;
pub mod server_errors;
pub mod session;
pub mod settings;

use std::cell::RefCell;

use tidings_plugin::host::Sandbox;
use tidings_plugin::{
    Channel, Delivery, Lifetime, Manifest, Outcome, Problem, Reason, Resident, config, manifest, progress,
};

use engine::Engine;
use settings::{Settings, SettingsError};

pub struct Irc;

thread_local! {
    /// The channel's one connection. A component has one thread, and the host calls one function at a time.
    static ENGINE: RefCell<Option<Engine<Sandbox>>> = const { RefCell::new(None) };
}

/// Runs `call` on the channel. The first call of an instance reads the settings; a change of them starts a new
/// instance.
fn with<T>(call: impl FnOnce(&mut Engine<Sandbox>) -> T) -> Result<T, SettingsError> {
    ENGINE.with_borrow_mut(|slot| {
        let engine = match slot.take() {
            Some(engine) => engine,
            None => Engine::new(Sandbox, Settings::read(config::get)?),
        };
        Ok(call(slot.insert(engine)))
    })
}

impl Channel for Irc {
    fn describe() -> Manifest {
        Manifest {
            address_label: "nick or channel".into(),
            address_example: "ralph".into(),
            config: settings::fields(),
            grants: settings::grants(),
            credentials: settings::credentials(),
            lifetime: Lifetime::Resident,
            ..manifest::plugin(
                "irc",
                env!("CARGO_PKG_VERSION"),
                "Sends notifications to users and channels on an IRC network, and accepts commands from there.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        address::parse(&address).map_err(|error| Problem { message: error.to_string() })
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        let settled = |index, outcome: &Outcome| progress::settled(index as u32, outcome);
        with(|engine| engine.deliver(&batch, settled))
            .unwrap_or_else(|error| vec![Outcome::trouble(None, error.to_string()); batch.len()])
    }
}

impl Resident for Irc {
    fn wake(reason: Reason) -> Option<u64> {
        // An invalid setting is reported by the next delivery.
        with(|engine| engine.wake(reason)).unwrap_or(None)
    }
}

tidings_plugin::export_resident!(Irc);
