//! The statements that read subscriptions.

use futures::TryStreamExt as _;
use sqlx::sqlite::SqliteConnection;

use crate::limits::SUBSCRIPTION_PAGE_BYTES;
use crate::roles::SubscriptionRow;
use crate::sqlite::failure::WriteFailure;

/// The columns of a `SubscriptionRow`.
type Columns = (String, String, bool, Vec<u8>, Vec<u8>, Vec<u8>);

/// Where a page starts.
#[derive(Clone, Copy)]
pub(super) enum PageStart<'a> {
    /// After a user's channel. The page ends with any row.
    AfterRow(&'a str, &'a str),
    /// After all rows of a user. The page ends with all rows of its last user.
    AfterUser(&'a str),
}

/// The next rows, by user and channel: `limit` of them, or fewer where they are large, but at least one.
pub(super) async fn page(
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
pub(super) async fn owner(
    connection: &mut SqliteConnection,
    channel: &str,
    address: &str,
) -> Result<Option<String>, WriteFailure> {
    let query = "SELECT user FROM subscriptions WHERE channel = ? AND deleted_at IS NULL \
         AND EXISTS (SELECT 1 FROM json_each(addresses) WHERE value = ?) ORDER BY user LIMIT 1";
    Ok(sqlx::query_scalar(query).bind(channel).bind(address).fetch_optional(connection).await?)
}
