//! What a Tidings delivery plugin is written with: the contract `tidings:channel@1.0.0` as Rust types, the host's
//! functions under short names, text that is safe to put into a protocol line, and what channels over HTTP share.
//!
//! A plugin implements [`Channel`] on a unit struct and names it in [`export!`]. All types are plain data, so a plugin's
//! logic compiles and is tested on the machine at hand; only the host's functions need the host, and panic without it.
//!
//! This crate must not know any channel's protocol.

pub mod batch;
pub mod brief;
pub mod host;
pub mod manifest;
mod outcome;
pub mod text;
pub mod time;
pub mod web;

#[allow(missing_docs)]
pub mod bindings {
    //! Generated from `wit/v1/channel.wit`, where every item is documented.
    wit_bindgen::generate!({
        world: "channel",
        path: "../../wit/v1",
        pub_export_macro: true,
        export_macro_name: "export_channel",
        default_bindings_module: "tidings_plugin::bindings",
        additional_derives: [PartialEq],
        generate_unused_types: true,
    });
}

/// What a plugin implements: `describe`, `check_address` and `deliver`.
pub use bindings::exports::tidings::channel::plugin::Guest as Channel;
pub use bindings::tidings::channel::types::{
    Capability, Confirmation, Content, Delivery, Digest, Event, Field, FieldKind, Gone, GrantRequest, Manifest,
    Outcome, Problem, Recipient, Retry, Trouble,
};
/// The host's functions.
pub use bindings::tidings::channel::{clock, config, http, inbox, log, net, progress, random, state};

/// Makes a type that implements [`Channel`] the plugin of this component.
///
/// ```
/// use tidings_plugin::manifest::field;
/// use tidings_plugin::{Channel, Delivery, FieldKind, Manifest, Outcome, Problem, log};
///
/// struct Pager;
///
/// impl Channel for Pager {
///     fn describe() -> Manifest {
///         Manifest {
///             name: "pager".into(),
///             version: "0.1.0".into(),
///             summary: "Calls a pager.".into(),
///             address_label: "pager number".into(),
///             address_example: "4711".into(),
///             config: vec![field("tone", FieldKind::Text, "Tone", "What it plays.").default("beep")],
///             grants: vec![],
///         }
///     }
///
///     fn check_address(address: String) -> Result<String, Problem> {
///         match address.parse::<u32>() {
///             Ok(number) => Ok(number.to_string()),
///             Err(_) => Err(Problem { message: "a pager number has digits only".into() }),
///         }
///     }
///
///     fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
///         log::log(log::Level::Info, &format!("{} to call", batch.len()));
///         batch.iter().map(|_| Outcome::retry("the line is busy")).collect()
///     }
/// }
///
/// tidings_plugin::export!(Pager);
/// assert_eq!(Pager::check_address("007".into()), Ok("7".into()));
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ident) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
    $crate::bindings::export_channel!($plugin with_types_in $crate::bindings);
        };
    };
}
