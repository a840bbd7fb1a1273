//! SQLite behind the store's interface. All writes pass through one connection (`writer`), reads through a few others. Each
//! module has one transaction's SQL; this one ties them to the trait.

mod accept;
mod access;
mod address;
mod admin;
mod component;
mod confirmation;
mod content;
mod digest_assembly;
mod failure;
mod failure_policy;
mod fair_queue;
mod feed;
mod lease;
mod oneshot;
mod open;
mod plugin_state;
mod registry;
mod seal;
mod settle;
mod stream;
mod subscriptions;
#[cfg(test)]
mod tests;
mod value;
mod versions;
mod write_connection;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::{STORE_BUSY, STORE_READERS};
use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqlitePool, SqlitePoolOptions};
use tidings_domain::delivery::{Acceptance, DeliveryId, NewMessage};
use tidings_domain::outcome::Settlement;
use tidings_domain::subscription::{Edit, Subscription};
use tidings_domain::time::Timestamp;
use tokio::sync::watch;

use self::failure::WriteFailure;
use self::subscriptions::Behind;
use self::value::{count, millis, timestamp};
use self::write_connection::WriteConnection;
use self::writer::Writer;
use crate::keys::{KeyFile, Keys};
use crate::{
    Books, Channel, ComponentInfo, DeliveryQuery, DeliveryRow, Lease, LeaseRequest, Result, Revision, Store,
    StoreError, SubscriptionRow, Token,
};

pub use self::open::{Mode, schema_version};
pub use self::seal::rotate_key;

/// How far the times of concurrent callers may lie apart without meaning that the clock went back.
const CLOCK_TOLERANCE_MS: u64 = 1000;

/// Opens the database file `path`, and makes it and the directories above it where they are missing. Refuses one that is
/// locked, damaged or of a newer version; migrates an older one.
pub async fn open(path: &Path, mode: Mode) -> Result<Arc<dyn Store>> {
    open_with(path, mode, &KeyFile::Beside).await
}

/// The same with the keys of channels' secrets from that file.
pub async fn open_with(path: &Path, mode: Mode, keys: &KeyFile) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(SqliteStore::open(path, mode, keys).await?))
}

struct SqliteStore {
    writer: Writer,
    keys: Arc<Keys>,
    readers: SqlitePool,
    /// The latest time at which deliveries were leased: notices a clock that goes back.
    latest: AtomicU64,
    changed: watch::Receiver<Revision>,
}

impl SqliteStore {
    async fn open(path: &Path, mode: Mode, keys: &KeyFile) -> Result<SqliteStore> {
        let mut opened = open::open(path, mode).await?;
        let keys = Arc::new(seal::prepare(&mut opened.connection, path, keys, mode).await?);
        let latest = feed::revision(&mut opened.connection).await;
        let latest = latest.map_err(|failure| failure.into_error("reads the feed of changes"))?;
        let (sender, changed) = watch::channel(latest);
        let readers = SqlitePoolOptions::new()
            .max_connections(STORE_READERS)
            .acquire_timeout(STORE_BUSY)
            // A file does not go away as a server does: connections need no replacing.
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(open::reading(path));
        let link = WriteConnection::new(opened.options, opened.connection, sender);
        let writer = Writer::start(link, opened.lock);
        Ok(SqliteStore { writer, keys, readers, latest: AtomicU64::new(0), changed })
    }

    async fn reader(&self, doing: &'static str) -> Result<PoolConnection<Sqlite>> {
        self.readers.acquire().await.map_err(|error| WriteFailure::Sql(error).into_error(doing))
    }

    async fn page_of_subscriptions(&self, behind: Behind<'_>, limit: u32) -> Result<Vec<SubscriptionRow>> {
        let doing = "reads subscriptions";
        let mut connection = self.reader(doing).await?;
        let page = subscriptions::page(&mut connection, behind, limit).await;
        page.map_err(|failure| failure.into_error(doing))
    }

    /// Whether `now` lies well before a time seen earlier. From then on it is the latest.
    fn clock_went_back(&self, now: Timestamp) -> bool {
        let now = now.as_millis();
        let latest = self.latest.fetch_max(now, Ordering::Relaxed);
        let went_back = now.saturating_add(CLOCK_TOLERANCE_MS) < latest;
        if went_back {
            self.latest.store(now, Ordering::Relaxed);
        }
        went_back
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(&self, message: NewMessage, now: Timestamp) -> Result<Acceptance> {
        self.writer.accept(message, now).await
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Vec<Lease>> {
        let went_back = self.clock_went_back(request.now);
        // Most calls find nothing: they shall not wait for the writer, nor cost a commit.
        let next = self.next_due(&request.channel).await?;
        if !went_back && next.is_none_or(|next| next > request.now) {
            return Ok(Vec::new());
        }
        let work = self.writer.write("leases deliveries", move |connection| {
            Box::pin(async move { lease::lease(connection, &request, went_back).await })
        });
        work.await
    }

    async fn next_due(&self, channel: &str) -> Result<Option<Timestamp>> {
        let doing = "looks for the next delivery";
        let mut connection = self.reader(doing).await?;
        let next = fair_queue::next_due(&mut connection, channel).await.map_err(|failure| failure.into_error(doing))?;
        Ok(next.map(timestamp))
    }

    async fn settle(&self, settled: Vec<(Lease, Settlement)>, now: Timestamp) -> Result<usize> {
        if settled.is_empty() {
            return Ok(0);
        }
        self.writer.settle(settled, now).await
    }

    async fn release(&self, leases: Vec<Lease>) -> Result<()> {
        if leases.is_empty() {
            return Ok(());
        }
        let work = self.writer.write("releases deliveries", move |connection| {
            Box::pin(async move { settle::release(connection, &leases).await })
        });
        work.await
    }

    async fn release_all(&self) -> Result<u64> {
        let work = self.writer.write("releases deliveries", |connection| Box::pin(lease::release_all(connection)));
        work.await.map(count)
    }

    async fn prune(&self, seen_before: Timestamp) -> Result<u64> {
        let before = millis(seen_before);
        let (mut pruned, mut from) = (0, Some((i64::MIN, 0)));
        while let Some(place) = from {
            let step = self.writer.write("forgets messages", move |connection| {
                Box::pin(async move { admin::prune(connection, before, place).await })
            });
            let (messages, next) = step.await?;
            pruned += messages;
            from = next;
        }
        let sweep = self.writer.write("forgets messages", move |connection| Box::pin(admin::sweep(connection, before)));
        sweep.await?;
        Ok(pruned)
    }

    async fn books(&self) -> Result<BTreeMap<String, Books>> {
        let doing = "counts deliveries";
        let mut connection = self.reader(doing).await?;
        admin::books(&mut connection).await.map_err(|failure| failure.into_error(doing))
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRow>> {
        let doing = "lists deliveries";
        let mut connection = self.reader(doing).await?;
        admin::deliveries(&mut connection, &query).await.map_err(|failure| failure.into_error(doing))
    }

    async fn retry_dead(&self, channel: Option<&str>, id: Option<&DeliveryId>, now: Timestamp) -> Result<u64> {
        let (channel, id) = (channel.map(str::to_owned), id.cloned());
        let work = self.writer.write("revives deliveries", move |connection| {
            Box::pin(async move { admin::retry_dead(connection, channel.as_deref(), id.as_ref(), millis(now)).await })
        });
        work.await
    }

    async fn subscription_page(&self, after: Option<(&str, &str)>, limit: u32) -> Result<Vec<SubscriptionRow>> {
        let (user, channel) = after.unwrap_or_default();
        self.page_of_subscriptions(Behind::Row(user, channel), limit).await
    }

    async fn subscription_page_of_users(&self, after: Option<&str>, limit: u32) -> Result<Vec<SubscriptionRow>> {
        self.page_of_subscriptions(Behind::User(after.unwrap_or_default()), limit).await
    }

    async fn subscription_rows_of(&self, user: &str) -> Result<Vec<SubscriptionRow>> {
        let doing = "reads subscriptions";
        let mut connection = self.reader(doing).await?;
        subscriptions::rows_of(&mut connection, user).await.map_err(|failure| failure.into_error(doing))
    }

    async fn subscriptions_of(&self, user: &str) -> Result<Vec<Subscription>> {
        self.subscription_rows_of(user).await?.iter().map(SubscriptionRow::read).collect()
    }

    async fn owner_of(&self, channel: &str, address: &str) -> Result<Option<String>> {
        let doing = "looks for the owner of an address";
        let mut connection = self.reader(doing).await?;
        subscriptions::owner(&mut connection, channel, address).await.map_err(|failure| failure.into_error(doing))
    }

    async fn put_subscription(&self, subscription: &Subscription, now: Timestamp) -> Result<()> {
        self.put_subscriptions(std::slice::from_ref(subscription), now).await
    }

    async fn put_subscriptions(&self, subscriptions: &[Subscription], now: Timestamp) -> Result<()> {
        let rows = subscriptions.iter().map(SubscriptionRow::write).collect::<Result<Vec<_>>>()?;
        let work = self.writer.write("writes subscriptions", move |connection| {
            Box::pin(subscriptions::put(connection, rows, millis(now)))
        });
        work.await
    }

    async fn edit_subscription(&self, user: &str, channel: &str, edit: &Edit, now: Timestamp) -> Result<bool> {
        let (user, channel, edit) = (user.to_owned(), channel.to_owned(), edit.clone());
        let work = self.writer.write("edits a subscription", move |connection| {
            Box::pin(async move { subscriptions::edit(connection, &user, &channel, &edit, millis(now)).await })
        });
        work.await
    }

    async fn delete_subscription(&self, user: &str, channel: &str, now: Timestamp) -> Result<bool> {
        let (user, channel) = (user.to_owned(), channel.to_owned());
        let work = self.writer.write("deletes a subscription", move |connection| {
            Box::pin(async move { subscriptions::delete(connection, &user, &channel, millis(now)).await })
        });
        work.await
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        let doing = "reads channels";
        let mut connection = self.reader(doing).await?;
        registry::channels(&mut connection, &self.keys).await.map_err(|failure| failure.into_error(doing))
    }

    async fn channel(&self, name: &str) -> Result<Channel> {
        let doing = "reads a channel";
        let mut connection = self.reader(doing).await?;
        registry::channel(&mut connection, &self.keys, name).await.map_err(|failure| failure.into_error(doing))
    }

    async fn delete_channel(&self, name: &str, now: Timestamp) -> Result<()> {
        let name = name.to_owned();
        let work = self.writer.write("deletes a channel", move |connection| {
            Box::pin(async move { registry::delete_channel(connection, &name, millis(now)).await })
        });
        work.await
    }

    async fn put_component(&self, info: &ComponentInfo, file: &[u8]) -> Result<()> {
        let doing = "keeps a component";
        let signed = info.clone();
        let known = self
            .writer
            .write(doing, move |connection| Box::pin(async move { component::sign(connection, &signed).await }));
        if known.await? {
            return Ok(());
        }
        for (part, bytes) in component::parts(file) {
            let (digest, bytes) = (info.digest.clone(), bytes.to_vec());
            let work = self.writer.write(doing, move |connection| {
                Box::pin(async move { component::put_part(connection, &digest, part, &bytes).await })
            });
            work.await?;
        }
        let info = info.clone();
        let work = self
            .writer
            .write(doing, move |connection| Box::pin(async move { component::put(connection, &info).await }));
        work.await
    }

    async fn components(&self) -> Result<Vec<ComponentInfo>> {
        let doing = "reads components";
        let mut connection = self.reader(doing).await?;
        component::all(&mut connection).await.map_err(|failure| failure.into_error(doing))
    }

    async fn component(&self, digest: &str) -> Result<ComponentInfo> {
        let doing = "reads a component";
        let mut connection = self.reader(doing).await?;
        component::get(&mut connection, digest).await.map_err(|failure| failure.into_error(doing))
    }

    async fn component_file(&self, digest: &str) -> Result<Vec<u8>> {
        let doing = "reads a component";
        let mut connection = self.reader(doing).await?;
        component::file(&mut connection, digest).await.map_err(|failure| failure.into_error(doing))
    }

    async fn delete_component(&self, digest: &str) -> Result<()> {
        let digest = digest.to_owned();
        let work = self.writer.write("deletes a component", move |connection| {
            Box::pin(async move { component::delete(connection, &digest).await })
        });
        work.await
    }

    async fn plugin_state_get(&self, channel: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let doing = "reads a plugin's state";
        let mut connection = self.reader(doing).await?;
        plugin_state::get(&mut connection, channel, key).await.map_err(|failure| failure.into_error(doing))
    }

    async fn plugin_state_set(
        &self,
        channel: &str,
        key: &str,
        value: &[u8],
        max_keys: u32,
        max_bytes: u64,
    ) -> Result<bool> {
        let (channel, key, value) = (channel.to_owned(), key.to_owned(), value.to_vec());
        let room = plugin_state::StateQuota { keys: max_keys, bytes: max_bytes };
        let work = self.writer.write("writes a plugin's state", move |connection| {
            Box::pin(async move { plugin_state::set(connection, &channel, &key, &value, &room).await })
        });
        work.await
    }

    async fn plugin_state_delete(&self, channel: &str, key: &str) -> Result<()> {
        let (channel, key) = (channel.to_owned(), key.to_owned());
        let work = self.writer.write("writes a plugin's state", move |connection| {
            Box::pin(async move { plugin_state::delete(connection, &channel, &key).await })
        });
        work.await
    }

    async fn plugin_state_keys(&self, channel: &str, prefix: &str) -> Result<Vec<String>> {
        let doing = "reads a plugin's state";
        let mut connection = self.reader(doing).await?;
        plugin_state::keys(&mut connection, channel, prefix).await.map_err(|failure| failure.into_error(doing))
    }

    async fn put_token(&self, token: &Token) -> Result<()> {
        let token = token.clone();
        let work = self.writer.write("writes a token", move |connection| {
            Box::pin(async move { registry::put_token(connection, &token).await })
        });
        work.await
    }

    async fn token(&self, id: &str) -> Result<Option<Token>> {
        let doing = "reads a token";
        let mut connection = self.reader(doing).await?;
        registry::token(&mut connection, id).await.map_err(|failure| failure.into_error(doing))
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let doing = "reads tokens";
        let mut connection = self.reader(doing).await?;
        registry::tokens(&mut connection).await.map_err(|failure| failure.into_error(doing))
    }

    async fn delete_token(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        let work = self.writer.write("deletes a token", move |connection| {
            Box::pin(async move { registry::delete_token(connection, &id).await })
        });
        work.await
    }

    async fn check(&self) -> Result<()> {
        let work = self.writer.write("is checked", |connection| Box::pin(admin::bump(connection)));
        let written = work.await?;
        let doing = "is checked";
        let mut connection = self.reader(doing).await?;
        let read = admin::bumped(&mut connection).await.map_err(|failure| failure.into_error(doing))?;
        if read < written {
            let detail = format!("{written} was written and {read} is read");
            return Err(StoreError::Damaged { what: "counter", detail });
        }
        Ok(())
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}
