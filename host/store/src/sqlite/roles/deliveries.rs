//! The role `DeliveryStore`. The SQL is in `queue`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tidings_domain::delivery::DeliveryId;
use tidings_domain::time::Timestamp;

use crate::error::Result;
use crate::roles::{Books, DeliveryQuery, DeliveryRow, DeliveryStore};
use crate::sqlite::queue::failure_policy::FailureFilter;
use crate::sqlite::queue::{books, listing};
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::millis;

#[async_trait]
impl DeliveryStore for SqliteStore {
    async fn books(&self) -> Result<BTreeMap<String, Books>> {
        let doing = "counts deliveries";
        let mut connection = self.reader(doing).await?;
        books::books(&mut connection).await.map_err(|failure| failure.into_error(doing))
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRow>> {
        let doing = "lists deliveries";
        let mut connection = self.reader(doing).await?;
        listing::deliveries(&mut connection, &query).await.map_err(|failure| failure.into_error(doing))
    }

    async fn retry_dead(&self, channel: Option<&str>, id: Option<&DeliveryId>, now: Timestamp) -> Result<u64> {
        let (channel, id) = (channel.map(str::to_owned), id.cloned());
        let work = self.writer.write("retries deliveries", move |connection| {
            Box::pin(async move { listing::retry_dead(connection, channel.as_deref(), id.as_ref(), millis(now)).await })
        });
        work.await
    }

    async fn drop_late(&self, channel: &str, accepted_before: Timestamp, reason: &str, now: Timestamp) -> Result<u64> {
        self.apply_policy(FailureFilter::new(channel, accepted_before, reason, now), None).await
    }

    async fn move_late(
        &self,
        channel: &str,
        to: &str,
        accepted_before: Timestamp,
        reason: &str,
        now: Timestamp,
    ) -> Result<u64> {
        self.apply_policy(FailureFilter::new(channel, accepted_before, reason, now), Some(to.to_owned())).await
    }
}

impl SqliteStore {
    /// Drops late deliveries, or moves them, in transactions of a bounded size until none is left.
    async fn apply_policy(&self, late: FailureFilter, to: Option<String>) -> Result<u64> {
        let doing = "applies a failure policy";
        let (mut done, late) = (0, Arc::new(late));
        // Most calls find nothing: they neither wait for the writer nor cost a commit.
        loop {
            let found = late.any(&mut *self.reader(doing).await?, to.as_deref()).await;
            if !found.map_err(|failure| failure.into_error(doing))? {
                break;
            }
            let (late, to) = (Arc::clone(&late), to.clone());
            let step = self.writer.write(doing, move |connection| {
                Box::pin(async move {
                    match &to {
                        Some(to) => late.move_to(connection, to).await,
                        None => late.give_up(connection).await,
                    }
                })
            });
            let step = step.await?;
            done += step;
            if step == 0 {
                break;
            }
        }
        Ok(done)
    }
}
