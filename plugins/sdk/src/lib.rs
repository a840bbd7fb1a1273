//! The SDK for Tidings delivery plugins: the contract `tidings:channel@1.0.0` as Rust types, the host's functions under
//! short names, text that is safe in a protocol line, and what several channels share.
//!
//! A plugin implements [`Channel`] on a unit struct and names it in [`export!`]. All types are plain data, so a
//! plugin's logic compiles and is tested natively. Only the host's functions need the host; they panic without it.
//! Channels use them through the traits of [`host`] (HTTP) and [`stream`] (connections), which have fakes in `testing`.
//!
//! This crate must not know any channel's protocol.

#[cfg(feature = "url")]
pub mod address;
pub mod batch;
pub mod brief;
pub mod host;
pub mod manifest;
mod outcome;
pub mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
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

#[allow(missing_docs)]
pub mod residency {
    //! The additional export of a resident plugin, generated from the same file.
    wit_bindgen::generate!({
        world: "residency",
        path: "../../wit/v1",
        pub_export_macro: true,
        export_macro_name: "export_residency",
        default_bindings_module: "tidings_plugin::residency",
        additional_derives: [PartialEq],
    });
}

#[allow(missing_docs)]
pub mod streaming {
    //! The additional import of a plugin that writes event streams, generated from the same file.
    wit_bindgen::generate!({
        world: "streaming",
        path: "../../wit/v1",
        additional_derives: [PartialEq],
    });
}

/// What a plugin implements: `describe`, `check_address` and `deliver`.
pub use bindings::exports::tidings::channel::plugin::Guest as Channel;
pub use bindings::tidings::channel::types::{
    Capability, Confirmation, Content, CredentialRequest, Delivery, Digest, Event, Field, FieldKind, Gone,
    GrantRequest, Lifetime, Manifest, Outcome, Problem, Recipient, Retry, Trouble,
};
/// The host's functions.
pub use bindings::tidings::channel::{clock, config, http, inbox, log, net, progress, random, state};
/// What a resident plugin implements in addition to [`Channel`]: `wake`.
pub use residency::exports::tidings::channel::resident::{Guest as Resident, Reason};
/// The host's event streams, for plugins that write them.
pub use streaming::tidings::channel::event_stream;

/// Makes a type that implements [`Channel`] the plugin of this component.
///
/// ```
/// use tidings_plugin::manifest::{field, plugin};
/// use tidings_plugin::{Channel, Delivery, FieldKind, Manifest, Outcome, Problem, log};
///
/// struct Pager;
///
/// impl Channel for Pager {
///     fn describe() -> Manifest {
///         Manifest {
///             address_label: "pager number".into(),
///             address_example: "4711".into(),
///             config: vec![field("tone", FieldKind::Text, "Tone", "The sound of a call.").default("beep")],
///             ..plugin("pager", "0.1.0", "Calls a pager.")
///         }
///     }
///
///     fn check_address(address: String) -> Result<String, Problem> {
///         match address.parse::<u32>() {
///             Ok(number) => Ok(number.to_string()),
///             Err(_) => Err(Problem { message: "a pager number consists of digits".into() }),
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

/// Makes a type that implements [`Channel`] and [`Resident`] the resident plugin of this component.
#[macro_export]
macro_rules! export_resident {
    ($plugin:ident) => {
        $crate::export!($plugin);

        #[cfg(target_arch = "wasm32")]
        const _: () = {
    $crate::residency::export_residency!($plugin with_types_in $crate::residency);
        };
    };
}
