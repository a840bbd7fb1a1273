//! The role `ChangeFeed`.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::error::Result;
use crate::roles::{ChangeFeed, Changes, Revision};
use crate::sqlite::changes;
use crate::sqlite::store::SqliteStore;

#[async_trait]
impl ChangeFeed for SqliteStore {
    async fn revision(&self) -> Result<Revision> {
        let doing = "reads the feed of changes";
        let mut connection = self.reader(doing).await?;
        changes::revision(&mut connection).await.map_err(|failure| failure.into_error(doing))
    }

    async fn changes(&self, after: Revision) -> Result<Changes> {
        let doing = "reads the feed of changes";
        let mut connection = self.reader(doing).await?;
        changes::changes(&mut connection, after).await.map_err(|failure| failure.into_error(doing))
    }

    fn changed(&self) -> watch::Receiver<Revision> {
        self.changed.clone()
    }
}
