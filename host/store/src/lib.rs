//! What Tidings keeps: messages seen, deliveries and their states, subscriptions, channels, components, tokens. One
//! interface; SQLite behind it (PostgreSQL later). The only crate that knows sqlx. It decides nothing: which state follows
//! is `domain::outcome`'s word, here it is made durable.

mod access;
mod confirmation;
mod error;
mod feed;
mod keys;
mod life;
pub mod limits;
mod queue;
mod setup;
mod sqlite;
mod stream;
mod subscription;

use std::collections::BTreeMap;

use async_trait::async_trait;
use tidings_domain::delivery::{Acceptance, DeliveryId, NewMessage};
use tidings_domain::outcome::Settlement;
use tidings_domain::subscription::{Edit, Subscription};
use tidings_domain::time::Timestamp;

pub use access::{AccessLists, GroupRow, ListRow, PackageRow};
pub use confirmation::{Answered, Confirmations, Question};
pub use error::{Result, StoreError};
pub use feed::{Change, ChangeFeed, Changes, Revision};
pub use keys::KeyFile;
pub use life::ChannelLife;
pub use queue::{Books, DeliveryQuery, DeliveryRow, Lease, LeaseRequest};
pub use setup::{Channel, ChannelVersion, ComponentInfo, Signed, Token};
pub use sqlite::{Mode, open, open_with, rotate_key, schema_version};
pub use stream::{EventStreams, NewEntry, StreamEntry};
pub use subscription::{SubscriptionOptions, SubscriptionRow};

/// Everything that outlives a restart. Each method that writes returns after its commit; `accept` and `settle` share
/// transactions with the calls beside them (group commit).
#[async_trait]
pub trait Store: AccessLists + ChangeFeed + ChannelLife + Confirmations + EventStreams + 'static {
    /// Intake: the message and all its deliveries, or neither. Unique by message id and by (message, channel, address). A
    /// recipient of a one-shot filter that already fired is left out; the filter is deactivated in the same transaction.
    /// Left out too is a recipient whose subscription was deleted or disabled, or lost the address, after the match.
    async fn accept(&self, message: NewMessage, now: Timestamp) -> Result<Acceptance>;

    /// Dispatch: due deliveries of a channel, oldest due first and fair among users, each leased to the caller. An
    /// expired lease is due again. Digest groups whose time or count has come are one delivery each, and keep their
    /// members and id over retries.
    async fn lease(&self, request: LeaseRequest) -> Result<Vec<Lease>>;
    /// When the earliest pending, unleased delivery of the channel (or an expiring lease) is due; none if none is pending.
    /// A moment already past means now.
    async fn next_due(&self, channel: &str) -> Result<Option<Timestamp>>;
    /// Outcomes, in one transaction. A lease that expired and was taken over changes nothing any more (its count is
    /// returned), except that a delivered one is delivered.
    async fn settle(&self, settled: Vec<(Lease, Settlement)>, now: Timestamp) -> Result<usize>;
    /// Give leases back untried.
    async fn release(&self, leases: Vec<Lease>) -> Result<()>;
    /// The channel's leases that nobody holds any more: called at start, before dispatch, since a store has one daemon.
    async fn release_all(&self) -> Result<u64>;

    async fn books(&self) -> Result<BTreeMap<String, Books>>;
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRow>>;
    /// Dead deliveries become pending and due now, with their age and attempts starting anew; returns how many. Members of
    /// a digest come back together, and `id` may be theirs or the digest's.
    async fn retry_dead(&self, channel: Option<&str>, id: Option<&DeliveryId>, now: Timestamp) -> Result<u64>;
    /// Forgets messages seen before `seen_before` that have no pending or dead delivery, with their settled deliveries
    /// (whose counts stay in the books), and entries of event streams as old; returns how many messages.
    async fn prune(&self, seen_before: Timestamp) -> Result<u64>;

    /// Everybody's subscriptions in bounded memory: rows behind `after` (user and channel), by user and channel; `limit` of
    /// them, or fewer where they are large (`limits::SUBSCRIPTION_PAGE_BYTES`). An empty page is the end.
    async fn subscription_page(&self, after: Option<(&str, &str)>, limit: u32) -> Result<Vec<SubscriptionRow>>;
    /// The same by users: rows of the users behind `after`. A page ends with all of its last user's, and may be that much
    /// longer.
    async fn subscription_page_of_users(&self, after: Option<&str>, limit: u32) -> Result<Vec<SubscriptionRow>>;
    /// One user's, by channel, as they are stored.
    async fn subscription_rows_of(&self, user: &str) -> Result<Vec<SubscriptionRow>>;
    /// One user's, by channel; an error where one of them cannot be read.
    async fn subscriptions_of(&self, user: &str) -> Result<Vec<Subscription>>;
    /// The user who has this address on the channel; the first by name where several have. Looks through all of the
    /// channel's subscriptions: for a user's command, not for messages.
    async fn owner_of(&self, channel: &str, address: &str) -> Result<Option<String>>;
    /// Replaces the user's subscription for that channel. Pending deliveries to addresses that it no longer has, or all
    /// of them where it is disabled, are cancelled. A digest that gathers is due by the new options, and at once where
    /// there are none any more.
    async fn put_subscription(&self, subscription: &Subscription, now: Timestamp) -> Result<()>;
    /// The same for many, in one transaction; of several for one user and channel the last counts.
    async fn put_subscriptions(&self, subscriptions: &[Subscription], now: Timestamp) -> Result<()>;
    /// Changes the user's subscription for that channel as it is at that moment, so that no other change is lost; whether
    /// there was anything to change. What waits is cancelled as in `put_subscription`.
    async fn edit_subscription(&self, user: &str, channel: &str, edit: &Edit, now: Timestamp) -> Result<bool>;
    /// Returns whether there was one. Its pending deliveries are cancelled.
    async fn delete_subscription(&self, user: &str, channel: &str, now: Timestamp) -> Result<bool>;

    async fn channels(&self) -> Result<Vec<Channel>>;
    async fn channel(&self, name: &str) -> Result<Channel>;
    /// Creates the channel or replaces it as a whole, without a word in its history.
    async fn put_channel(&self, channel: &Channel, now: Timestamp) -> Result<()> {
        self.change_channel(channel, None, now).await
    }

    /// Forgets the channel with its history and what its plugin kept; `InUse` while it is enabled, holds deliveries, or
    /// another channel falls back to it. Books and subscriptions stay.
    async fn delete_channel(&self, name: &str, now: Timestamp) -> Result<()>;

    /// Keeps a component. One with the same digest is the same file and stays as it is, but for its signature where a new
    /// one comes with it.
    async fn put_component(&self, info: &ComponentInfo, file: &[u8]) -> Result<()>;
    async fn components(&self) -> Result<Vec<ComponentInfo>>;
    async fn component(&self, digest: &str) -> Result<ComponentInfo>;
    /// Its file, byte by byte what it was: `Damaged` where it has not the digest any more.
    async fn component_file(&self, digest: &str) -> Result<Vec<u8>>;
    /// Forgets a component; `InUse` where a channel has it active, on trial or to return to.
    async fn delete_component(&self, digest: &str) -> Result<()>;

    async fn plugin_state_get(&self, channel: &str, key: &str) -> Result<Option<Vec<u8>>>;
    /// Writes unless the channel would exceed `max_keys` keys or `max_bytes` bytes in all; returns whether it did.
    async fn plugin_state_set(
        &self,
        channel: &str,
        key: &str,
        value: &[u8],
        max_keys: u32,
        max_bytes: u64,
    ) -> Result<bool>;
    async fn plugin_state_delete(&self, channel: &str, key: &str) -> Result<()>;
    async fn plugin_state_keys(&self, channel: &str, prefix: &str) -> Result<Vec<String>>;

    /// `Exists` where the id is taken.
    async fn put_token(&self, token: &Token) -> Result<()>;
    async fn token(&self, id: &str) -> Result<Option<Token>>;
    async fn tokens(&self) -> Result<Vec<Token>>;
    async fn delete_token(&self, id: &str) -> Result<bool>;

    /// A write and a read-back that changes nothing: what `/-/ready` asks.
    async fn check(&self) -> Result<()>;
    /// Waits for what is under way, then closes the files.
    async fn close(&self);
}
