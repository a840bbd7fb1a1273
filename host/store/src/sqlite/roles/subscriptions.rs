//! The role `SubscriptionStore`.

use async_trait::async_trait;
use tidings_domain::subscription::{Edit, Subscription};
use tidings_domain::time::Timestamp;

use super::subscription_edits;
use super::subscription_rows::{self, PageStart};
use crate::error::Result;
use crate::roles::{SubscriptionRow, SubscriptionStore};
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::millis;

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
        subscription_rows::rows_of(&mut connection, user).await.map_err(|failure| failure.into_error(doing))
    }

    async fn owner_of(&self, channel: &str, address: &str) -> Result<Option<String>> {
        let doing = "looks for the owner of an address";
        let mut connection = self.reader(doing).await?;
        subscription_rows::owner(&mut connection, channel, address).await.map_err(|failure| failure.into_error(doing))
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

    async fn replace_subscription(
        &self,
        present: &Subscription,
        new: Option<&Subscription>,
        now: Timestamp,
    ) -> Result<bool> {
        let (present, new) = (present.clone(), new.map(SubscriptionRow::write).transpose()?);
        let work = self.writer.write("replaces a subscription", move |connection| {
            Box::pin(async move { subscription_edits::replace(connection, &present, new, millis(now)).await })
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
        let page = subscription_rows::page(&mut connection, start, limit).await;
        page.map_err(|failure| failure.into_error(doing))
    }
}
