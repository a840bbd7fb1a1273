//! What Tidings stores: messages seen, deliveries and their states, subscriptions, channels, components, tokens. The
//! interface is a set of roles (`roles`), implemented on SQLite (`sqlite`). The only crate that uses sqlx. It makes no
//! decisions: `domain::outcome` decides which state follows, this crate makes it durable.

mod error;
mod keys;
pub mod limits;
mod roles;
mod sqlite;

pub use error::{Result, StoreError};
pub use keys::KeyFile;
pub use roles::{
    AccessListStore, Answered, Books, Change, ChangeFeed, Changes, Channel, ChannelStore, ChannelVersion,
    ComponentInfo, ComponentStore, ConfirmationStore, DeliveryQuery, DeliveryRow, DeliveryStore, EventStreamStore,
    GroupRow, Lease, LeaseRequest, ListRow, Maintenance, NewEntry, Outbox, PackageRow, PluginStateStore, Question,
    Revision, Signed, Store, StreamEntry, SubscriptionOptions, SubscriptionRow, SubscriptionStore, Token, TokenStore,
};
pub use sqlite::{Mode, open, open_with, rotate_key, schema_version};
