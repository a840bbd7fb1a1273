//! The role `ConfirmationStore`. An answer changes a subscription through the statements of that role.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tidings_domain::subscription::{Edit, Style, Subscription};
use tidings_domain::time::Timestamp;

use super::{subscription_edits, subscription_rows};
use crate::error::Result;
use crate::roles::{Answered, ConfirmationStore, Question, SubscriptionRow};
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::millis;

#[async_trait]
impl ConfirmationStore for SqliteStore {
    async fn ask(&self, question: &Question, since: Timestamp, now: Timestamp) -> Result<bool> {
        let question = question.clone();
        let work = self.writer.write("stores a question", move |connection| {
            Box::pin(async move { ask(connection, &question, millis(since), millis(now)).await })
        });
        work.await
    }

    async fn answer(&self, answered: &Answered, yes: bool, now: Timestamp) -> Result<Option<String>> {
        let answered = answered.clone();
        let work = self.writer.write("stores an answer", move |connection| {
            Box::pin(async move { answer(connection, &answered, yes, millis(now)).await })
        });
        work.await
    }
}

async fn ask(connection: &mut SqliteConnection, asked: &Question, since: i64, now: i64) -> Result<bool, WriteFailure> {
    let written = sqlx::query(
        "INSERT INTO confirmations (user, channel, address, code, asked_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (user, channel) DO UPDATE SET address = ?3, code = ?4, asked_at = ?5, expires_at = ?6 \
         WHERE asked_at <= ?7",
    )
    .bind(&asked.user)
    .bind(&asked.channel)
    .bind(&asked.address)
    .bind(&asked.code)
    .bind(now)
    .bind(millis(asked.expires_at))
    .bind(since)
    .execute(connection)
    .await?;
    Ok(written.rows_affected() > 0)
}

async fn answer(
    connection: &mut SqliteConnection,
    answered: &Answered,
    yes: bool,
    now: i64,
) -> Result<Option<String>, WriteFailure> {
    let (channel, address, user, code) = match answered {
        Answered::Message { channel, address, code } => (channel, address, None, Some(code)),
        Answered::Link { user, channel, address } => (channel, address, Some(user), None),
    };
    let user: Option<String> = sqlx::query_scalar(
        "DELETE FROM confirmations WHERE channel = ?1 AND address = ?2 AND (?3 IS NULL OR user = ?3) \
         AND (?4 IS NULL OR code = ?4) AND expires_at > ?5 RETURNING user",
    )
    .bind(channel)
    .bind(address)
    .bind(user)
    .bind(code)
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    if let (Some(user), true) = (&user, yes) {
        add_address(connection, user, channel, address, now).await?;
    }
    Ok(user)
}

/// Adds the address to the user's subscription.
async fn add_address(
    connection: &mut SqliteConnection,
    user: &str,
    channel: &str,
    address: &str,
    now: i64,
) -> Result<(), WriteFailure> {
    let rows = subscription_rows::rows_of(connection, user).await?;
    if rows.iter().any(|row| row.channel == channel) {
        let edit = Edit::AddAddress(address.to_owned());
        return subscription_edits::edit(connection, user, channel, &edit, now).await.map(drop);
    }
    let new = Subscription {
        user: user.to_owned(),
        channel: channel.to_owned(),
        enabled: true,
        addresses: vec![address.to_owned()],
        digest: None,
        style: Style::default(),
        filters: Vec::new(),
    };
    subscription_edits::put(connection, vec![SubscriptionRow::write(&new)?], now).await
}

/// Deletes questions that expired without an answer.
pub(crate) async fn expire(connection: &mut SqliteConnection, now: i64) -> Result<(), WriteFailure> {
    sqlx::query("DELETE FROM confirmations WHERE expires_at < ?").bind(now).execute(connection).await?;
    Ok(())
}
