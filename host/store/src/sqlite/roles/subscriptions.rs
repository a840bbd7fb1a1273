//! The role `SubscriptionStore`, and the statements that read subscriptions.

use async_trait::async_trait;
use futures::TryStreamExt as _;
use sqlx::sqlite::SqliteConnection;
use tidings_domain::subscription::{Edit, Subscription};
use tidings_domain::time::Timestamp;

use super::subscription_edits;
use crate::limits::SUBSCRIPTION_PAGE_BYTES;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::millis;
use crate::{Result, SubscriptionRow, SubscriptionStore};

#[async_trait]
impl SubscriptionStore for SqliteStore {
    async fn subscription_page(&self, after: Option<(&str, &str)>, limit: u32) -> Result<Vec<SubscriptionRow>> {
        let (user, channel) = after.unwrap_or_default();
        self.page_of_subscriptions(PageStart::AfterRow(user, channel), limit).await
    }

    async fn subscription_page_of_users(&self, after: Option<&str>, limit: u32) -> Result<Vec<SubscriptionRow>> {
        self.page_of_subscriptions(PageStart::AfterUser(after.unwrap_or_default()), limit).await
    }

    async fn subscription_rows_of(&self, user: &str) -> Result<Vec<SubscriptionRow>> {
        let doing = "reads subscriptions";
        let mut connection = self.reader(doing).await?;
        rows_of(&mut connection, user).await.map_err(|failure| failure.into_error(doing))
    }

    async fn owner_of(&self, channel: &str, address: &str) -> Result<Option<String>> {
        let doing = "looks for the owner of an address";
        let mut connection = self.reader(doing).await?;
        owner(&mut connection, channel, address).await.map_err(|failure| failure.into_error(doing))
    }

    async fn put_subscriptions(&self, subscriptions: &[Subscription], now: Timestamp) -> Result<()> {
        let rows = subscriptions.iter().map(SubscriptionRow::write).collect::<Result<Vec<_>>>()?;
        let work = self.writer.write("writes subscriptions", move |connection| {
            Box::pin(subscription_edits::put(connection, rows, millis(now)))
        });
        work.await
    }

    async fn edit_subscription(&self, user: &str, channel: &str, edit: &Edit, now: Timestamp) -> Result<bool> {
        let (user, channel, edit) = (user.to_owned(), channel.to_owned(), edit.clone());
        let work = self.writer.write("edits a subscription", move |connection| {
            Box::pin(async move { subscription_edits::edit(connection, &user, &channel, &edit, millis(now)).await })
        });
        work.await
    }

    async fn delete_subscription(&self, user: &str, channel: &str, now: Timestamp) -> Result<bool> {
        let (user, channel) = (user.to_owned(), channel.to_owned());
        let work = self.writer.write("deletes a subscription", move |connection| {
            Box::pin(async move { subscription_edits::delete(connection, &user, &channel, millis(now)).await })
        });
        work.await
    }
}

impl SqliteStore {
    async fn page_of_subscriptions(&self, start: PageStart<'_>, limit: u32) -> Result<Vec<SubscriptionRow>> {
        let doing = "reads subscriptions";
        let mut connection = self.reader(doing).await?;
        let page = page(&mut connection, start, limit).await;
        page.map_err(|failure| failure.into_error(doing))
    }
}

/// The columns of a `SubscriptionRow`.
type Columns = (String, String, bool, Vec<u8>, Vec<u8>, Vec<u8>);

/// Where a page starts.
#[derive(Clone, Copy)]
enum PageStart<'a> {
    /// After a user's channel. The page ends with any row.
    AfterRow(&'a str, &'a str),
    /// After all rows of a user. The page ends with all rows of its last user.
    AfterUser(&'a str),
}

/// The next rows, by user and channel: `limit` of them, or fewer where they are large, but at least one.
async fn page(
    connection: &mut SqliteConnection,
    start: PageStart<'_>,
    limit: u32,
) -> Result<Vec<SubscriptionRow>, WriteFailure> {
    let query = match start {
        PageStart::AfterRow(user, channel) => sqlx::query_as::<_, Columns>(PAGE).bind(user).bind(channel),
        PageStart::AfterUser(user) => sqlx::query_as::<_, Columns>(PAGE_OF_USERS).bind(user),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
    let mut page: Vec<SubscriptionRow> = Vec::new();
    let mut bytes = 0;
    let mut rows = query.fetch(connection);
    while let Some(columns) = rows.try_next().await? {
        let row = SubscriptionRow::new(columns);
        let full = page.len() >= limit || bytes >= SUBSCRIPTION_PAGE_BYTES;
        let same_user = page.last().is_some_and(|last| last.user == row.user);
        if full && !(same_user && matches!(start, PageStart::AfterUser(_))) {
            break;
        }
        bytes += row.size();
        page.push(row);
    }
    Ok(page)
}

/// Rows after a user's channel. Without a limit: the reader stops.
pub(crate) const PAGE: &str = "SELECT user, channel, enabled, addresses, settings, filters FROM subscriptions \
     WHERE deleted_at IS NULL AND (user, channel) > (?, ?) ORDER BY user, channel";

/// Rows after all rows of a user.
pub(crate) const PAGE_OF_USERS: &str = "SELECT user, channel, enabled, addresses, settings, filters \
     FROM subscriptions WHERE deleted_at IS NULL AND user > ? ORDER BY user, channel";

/// One user's, by channel.
pub(crate) async fn rows_of(
    connection: &mut SqliteConnection,
    user: &str,
) -> Result<Vec<SubscriptionRow>, WriteFailure> {
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT user, channel, enabled, addresses, settings, filters FROM subscriptions \
         WHERE user = ? AND deleted_at IS NULL ORDER BY channel",
    )
    .bind(user)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(SubscriptionRow::new).collect())
}

/// The first user who has the address on the channel.
async fn owner(
    connection: &mut SqliteConnection,
    channel: &str,
    address: &str,
) -> Result<Option<String>, WriteFailure> {
    let query = "SELECT user FROM subscriptions WHERE channel = ? AND deleted_at IS NULL \
         AND EXISTS (SELECT 1 FROM json_each(addresses) WHERE value = ?) ORDER BY user LIMIT 1";
    Ok(sqlx::query_scalar(query).bind(channel).bind(address).fetch_optional(connection).await?)
}
