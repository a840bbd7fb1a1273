//! The role `Outbox`: each call is a job of the writer, or a read. The SQL is in `queue`.

use async_trait::async_trait;
use tidings_domain::delivery::{Acceptance, NewMessage};
use tidings_domain::outcome::Settlement;
use tidings_domain::time::Timestamp;

use crate::error::Result;
use crate::roles::{Lease, LeaseRequest, Outbox};
use crate::sqlite::queue::{fair_queue, lease, settle};
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::{count, timestamp};

#[async_trait]
impl Outbox for SqliteStore {
    async fn accept(&self, message: NewMessage, now: Timestamp) -> Result<Acceptance> {
        self.writer.accept(message, now).await
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Vec<Lease>> {
        let went_back = self.clock_went_back(request.now);
        // Most calls find nothing: they neither wait for the writer nor cost a commit.
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
}
