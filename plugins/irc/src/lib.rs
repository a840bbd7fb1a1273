//! Tidings' IRC channel: one connection to a network, kept as long as the channel is enabled, by which people and channels
//! are written to and commands come back.
//!
//! [`session`] is the dialogue without its bytes, [`link`] puts it on a stream, [`engine`] says when to connect, delivers
//! and answers; [`compose`] writes what a person reads and [`line`] cuts it; [`judge`] knows what complaints mean. The
//! host's functions appear in `host` alone, so everything else is tested on the machine at hand.

pub mod address;
pub mod compose;
pub mod engine;
pub mod judge;
pub mod line;
pub mod link;
pub mod message;
pub mod pace;
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

/// Runs `call` on the channel; the settings are those of the instance's first call, a change makes a new instance.
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
                "Writes notifications to people and channels on an IRC network, and takes commands from there.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        address::parse(&address).map_err(|error| Problem { message: error.to_string() })
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        let settled = |place, outcome: &Outcome| progress::settled(place as u32, outcome);
        with(|engine| engine.deliver(&batch, settled))
            .unwrap_or_else(|error| vec![Outcome::trouble(None, error.to_string()); batch.len()])
    }
}

impl Resident for Irc {
    fn wake(reason: Reason) -> Option<u64> {
        // A setting that makes no sense is told when something is to be delivered.
        with(|engine| engine.wake(reason)).unwrap_or(None)
    }
}

tidings_plugin::export_resident!(Irc);
