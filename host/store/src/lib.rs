//! What Tidings keeps: messages seen, deliveries and their states, subscriptions, channels, components, tokens. One
//! interface; SQLite behind it (PostgreSQL later). The only crate that knows sqlx. It decides nothing: which state follows
//! is `domain::outcome`'s word, here it is made durable.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tidings_domain::delivery::{Acceptance, Accepted, Delivery, DeliveryId, State};
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Manifest;
use tidings_domain::outcome::Settlement;
use tidings_domain::subscription::Subscription;
use tidings_domain::time::Timestamp;

/// Why the store could not do it. Nothing was written, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("another daemon uses the database {path}")]
    Locked { path: String },
    #[error("the database {path} is damaged: {detail}. Nothing was changed; see docs/runbook.md")]
    Corrupt { path: String, detail: String },
    #[error("the database {path} was written by a newer version (schema {found}, this program knows {known})")]
    Newer { path: String, found: i64, known: i64 },
    #[error("no {what} named {name}")]
    Missing { what: &'static str, name: String },
    #[error("{what} {name} exists already")]
    Exists { what: &'static str, name: String },
    /// Full disk, I/O error, a closed pool: try again later.
    #[error("the store is unavailable while it {doing}")]
    Unavailable {
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row does not hold what this program writes.
    #[error("a stored {what} cannot be read: {detail}")]
    Damaged { what: &'static str, detail: String },
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The right to send one delivery until `until`. Only the store makes one; it is used up by `settle` or `release`.
#[derive(Debug)]
pub struct Lease {
    delivery: Delivery,
    until: Timestamp,
    token: i64,
}

impl Lease {
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    pub fn until(&self) -> Timestamp {
        self.until
    }
}

/// A request for work of one channel.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    pub channel: String,
    pub now: Timestamp,
    /// How long the leases live; longer than a call's deadline.
    pub lifetime: Duration,
    pub max: usize,
    /// Events that one digest shows; the rest of its group is counted as omitted.
    pub digest_events: usize,
}

/// A channel as an administrator set it up.
#[derive(Clone, Debug)]
pub struct Channel {
    pub name: String,
    /// SHA-256 of its component, in hexadecimal.
    pub component: String,
    /// Values by the manifest's field names, secrets included.
    pub config: BTreeMap<String, String>,
    pub grants: Grants,
    pub limits: PluginLimits,
    pub enabled: bool,
}

/// A component, known by the SHA-256 of its file.
#[derive(Clone, Debug)]
pub struct ComponentInfo {
    pub digest: String,
    pub manifest: Manifest,
    pub bytes: u64,
    pub installed_at: Timestamp,
}

/// A token of the API: only its hash is kept.
#[derive(Clone, Debug)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// A delivery as an administrator sees it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DeliveryRow {
    pub id: DeliveryId,
    pub channel: String,
    pub user: String,
    pub address: String,
    pub filter: Option<String>,
    pub state: State,
    pub attempts: u32,
    pub accepted_at: Timestamp,
    /// When it is due, for a pending one.
    pub not_before: Timestamp,
    /// When it reached its present state or was last tried.
    pub updated_at: Timestamp,
    /// The last reason or receipt.
    pub note: Option<String>,
    pub message_id: String,
    pub topic: String,
    pub subtitle: String,
}

/// Which deliveries to list; none of the options: all. Newest first.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    pub state: Option<State>,
    pub channel: Option<String>,
    pub user: Option<String>,
    /// Continue after this row's id (paging).
    pub after: Option<DeliveryId>,
    pub limit: usize,
}

/// How many deliveries are in each state, for one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Books {
    /// Deliveries ever accepted; counted apart, so that a lost row shows.
    pub accepted: u64,
    pub delivered: u64,
    pub dead: u64,
    pub cancelled: u64,
    pub pending: u64,
}

impl Books {
    /// `accepted = delivered + dead + cancelled + pending`.
    pub fn balance(&self) -> bool {
        self.accepted == self.delivered + self.dead + self.cancelled + self.pending
    }
}

/// Everything that outlives a restart. Each method that writes returns after its commit; `accept` and `settle` share
/// transactions with the calls beside them (group commit).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Intake: the message and all its deliveries, or neither. Unique by message id and by (message, channel, address). A
    /// recipient of a one-shot filter that already fired is left out; the filter is deactivated in the same transaction.
    async fn accept(&self, message: Accepted, now: Timestamp) -> Result<Acceptance>;

    /// Dispatch: due deliveries of a channel, oldest due first and fair among users, each leased to the caller. An
    /// expired lease is due again. Digest groups whose time or count has come are one delivery each, and keep their
    /// members and id over retries.
    async fn lease(&self, request: LeaseRequest) -> Result<Vec<Lease>>;
    /// When the earliest pending, unleased delivery of the channel (or an expiring lease) is due; none if none is pending.
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
    /// Dead deliveries become pending and due now, with their age and attempts starting anew; returns how many.
    async fn retry_dead(&self, channel: Option<&str>, id: Option<&DeliveryId>, now: Timestamp) -> Result<u64>;
    /// Forgets messages seen before `seen_before` that have no pending or dead delivery, with their settled deliveries
    /// (whose counts stay in the books); returns how many messages.
    async fn prune(&self, seen_before: Timestamp) -> Result<u64>;

    async fn subscriptions(&self) -> Result<Vec<Subscription>>;
    async fn subscriptions_of(&self, user: &str) -> Result<Vec<Subscription>>;
    /// Replaces the user's subscription for that channel. Pending deliveries to addresses that it no longer has, or all
    /// of them where it is disabled, are cancelled.
    async fn put_subscription(&self, subscription: &Subscription, now: Timestamp) -> Result<()>;
    /// Returns whether there was one. Its pending deliveries are cancelled.
    async fn delete_subscription(&self, user: &str, channel: &str, now: Timestamp) -> Result<bool>;

    async fn channels(&self) -> Result<Vec<Channel>>;
    async fn channel(&self, name: &str) -> Result<Channel>;
    /// Creates the channel or replaces it as a whole.
    async fn put_channel(&self, channel: &Channel, now: Timestamp) -> Result<()>;

    async fn put_component(&self, info: &ComponentInfo, file: &[u8]) -> Result<()>;
    async fn components(&self) -> Result<Vec<ComponentInfo>>;
    async fn component(&self, digest: &str) -> Result<(ComponentInfo, Vec<u8>)>;

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

    async fn put_token(&self, token: &Token) -> Result<()>;
    async fn token(&self, id: &str) -> Result<Option<Token>>;
    async fn tokens(&self) -> Result<Vec<Token>>;
    async fn delete_token(&self, id: &str) -> Result<bool>;

    /// A write and a read-back that changes nothing: what `/-/ready` asks.
    async fn check(&self) -> Result<()>;
    /// Waits for what is under way, then closes the files.
    async fn close(&self);
}
