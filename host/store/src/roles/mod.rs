//! The interface of the store, one trait for each role. A caller takes the roles that it uses; only the wiring of the
//! daemon and of commands takes `Store`, which is all of them. An implementation is written and tested role by role:
//! `tests/conformance` has one suite for each.

mod access_lists;
mod change_feed;
mod channels;
mod components;
mod confirmations;
mod deliveries;
mod event_streams;
mod maintenance;
mod outbox;
mod plugin_state;
mod subscriptions;
mod tokens;

pub use access_lists::{AccessListStore, GroupRow, ListRow, PackageRow};
pub use change_feed::{Change, ChangeFeed, Changes, Revision};
pub use channels::{Channel, ChannelStore, ChannelVersion};
pub use components::{ComponentInfo, ComponentStore, Signed};
pub use confirmations::{Answered, ConfirmationStore, Question};
pub use deliveries::{Books, DeliveryQuery, DeliveryRow, DeliveryStore};
pub use event_streams::{EventStreamStore, NewEntry, StreamEntry};
pub use maintenance::Maintenance;
pub use outbox::{Lease, LeaseRequest, Outbox};
pub use plugin_state::PluginStateStore;
pub(crate) use subscriptions::SettingsDocument;
pub use subscriptions::{SubscriptionOptions, SubscriptionRow, SubscriptionStore};
pub use tokens::{Token, TokenStore};

/// Everything that outlives a restart: all roles. Each method that writes returns after its commit.
pub trait Store:
    Outbox
    + DeliveryStore
    + SubscriptionStore
    + ChannelStore
    + ComponentStore
    + PluginStateStore
    + TokenStore
    + ConfirmationStore
    + AccessListStore
    + EventStreamStore
    + ChangeFeed
    + Maintenance
    + 'static
{
}

impl<T> Store for T where
    T: Outbox
        + DeliveryStore
        + SubscriptionStore
        + ChannelStore
        + ComponentStore
        + PluginStateStore
        + TokenStore
        + ConfirmationStore
        + AccessListStore
        + EventStreamStore
        + ChangeFeed
        + Maintenance
        + 'static
{
}
