//! A channel's versions and its history, kept in the transaction that changes the channel.

use std::sync::Arc;

use crate::limits::CHANNEL_EVENTS;
use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tidings_domain::plugin_life::{ChannelEvent, EventKind, VersionState};
use tidings_domain::time::Timestamp;

use super::SqliteStore;
use super::failure::{WriteFailure, damaged};
use super::failure_policy::FailureFilter;
use super::registry;
use super::value::{millis, timestamp};
use crate::{Channel, ChannelLife, ChannelVersion, Result as StoreResult};

#[async_trait]
impl ChannelLife for SqliteStore {
    async fn change_channel(&self, channel: &Channel, event: Option<ChannelEvent>, now: Timestamp) -> StoreResult<()> {
        let (channel, keys) = (channel.clone(), Arc::clone(&self.keys));
        let work = self.writer.write("writes a channel", move |connection| {
            Box::pin(
                async move { registry::put_channel(connection, &keys, &channel, event.as_ref(), millis(now)).await },
            )
        });
        work.await
    }

    async fn channel_versions(&self, name: &str) -> StoreResult<Vec<ChannelVersion>> {
        let doing = "reads a channel's versions";
        let mut connection = self.reader(doing).await?;
        versions(&mut connection, name).await.map_err(|failure| failure.into_error(doing))
    }

    async fn channel_events(&self, name: &str, limit: u32) -> StoreResult<Vec<ChannelEvent>> {
        let doing = "reads a channel's history";
        let mut connection = self.reader(doing).await?;
        events(&mut connection, name, limit).await.map_err(|failure| failure.into_error(doing))
    }

    async fn drop_late(
        &self,
        channel: &str,
        accepted_before: Timestamp,
        reason: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        self.sweep(FailureFilter::new(channel, accepted_before, reason, now), None).await
    }

    async fn move_late(
        &self,
        channel: &str,
        to: &str,
        accepted_before: Timestamp,
        reason: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        self.sweep(FailureFilter::new(channel, accepted_before, reason, now), Some(to.to_owned())).await
    }
}

impl SqliteStore {
    /// Drops what is late, or moves it, in transactions of a bounded size until nothing is left to do.
    async fn sweep(&self, late: FailureFilter, to: Option<String>) -> StoreResult<u64> {
        let doing = "carries out a failure policy";
        let (mut done, late) = (0, Arc::new(late));
        // Most sweeps find nothing: they shall not wait for the writer, nor cost a commit.
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

/// Makes the table of versions say what the channel says. A version that lost its place is retired, or failed where
/// `event` is about its failure.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    channel: &Channel,
    event: Option<&ChannelEvent>,
    now: i64,
) -> Result<(), WriteFailure> {
    let life = &channel.life;
    let candidate = life.candidate.as_ref().map(|candidate| candidate.component.as_str());
    // A version that is tried again is on trial, also where it is what rolling back leads to.
    let previous = life.previous.as_deref().filter(|previous| candidate != Some(*previous));
    let places = [
        (VersionState::Active, Some(channel.component.as_str())),
        (VersionState::Candidate, candidate),
        (VersionState::Previous, previous),
    ];
    let before: Vec<(String, String)> =
        sqlx::query_as("SELECT component, state FROM channel_versions WHERE channel = ? AND state <> 'failed'")
            .bind(&channel.name)
            .fetch_all(&mut *connection)
            .await?;
    let failure = event.filter(|event| matches!(event.event, EventKind::FellBack | EventKind::RolledBack));
    for (component, state) in &before {
        let place = places.iter().find(|(_, in_place)| *in_place == Some(component.as_str()));
        if place.is_some_and(|(place, _)| place.as_str() == state) {
            continue;
        }
        let failed = place.is_none() && failure.is_some_and(|event| event.component == *component);
        let next = if failed { VersionState::Failed } else { VersionState::Retired };
        if state == VersionState::Retired.as_str() && !failed {
            continue;
        }
        // Out of its old place first: two versions never share one, not even within the transaction.
        set(connection, &channel.name, component, next, now).await?;
    }
    for (state, component) in places {
        let Some(component) = component else { continue };
        let known = before.iter().any(|(known, place)| known == component && place == state.as_str());
        if !known {
            set(connection, &channel.name, component, state, now).await?;
        }
    }
    match event {
        Some(event) => tell(connection, &channel.name, event).await,
        None => Ok(()),
    }
}

async fn set(
    connection: &mut SqliteConnection,
    channel: &str,
    component: &str,
    state: VersionState,
    now: i64,
) -> Result<(), WriteFailure> {
    sqlx::query(
        "INSERT INTO channel_versions (channel, component, state, since) VALUES (?, ?, ?, ?) \
         ON CONFLICT (channel, component) DO UPDATE SET state = excluded.state, since = excluded.since",
    )
    .bind(channel)
    .bind(component)
    .bind(state.as_str())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds to the channel's history, and forgets what is beyond its length.
async fn tell(connection: &mut SqliteConnection, channel: &str, event: &ChannelEvent) -> Result<(), WriteFailure> {
    sqlx::query("INSERT INTO channel_events (channel, at, event, component, detail) VALUES (?, ?, ?, ?, ?)")
        .bind(channel)
        .bind(millis(event.at))
        .bind(event.event.as_str())
        .bind(&event.component)
        .bind(&event.detail)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM channel_events WHERE channel = ?1 AND seq <= \
         (SELECT seq FROM channel_events WHERE channel = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(channel)
    .bind(CHANNEL_EVENTS)
    .execute(connection)
    .await?;
    Ok(())
}

/// All versions of the channel, those that changed last first.
async fn versions(connection: &mut SqliteConnection, name: &str) -> Result<Vec<ChannelVersion>, WriteFailure> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT component, state, since FROM channel_versions WHERE channel = ? ORDER BY since DESC, state, component",
    )
    .bind(name)
    .fetch_all(connection)
    .await?;
    let read = |(component, word, since): (String, String, i64)| {
        let state = VersionState::parse(&word);
        let state = state.ok_or_else(|| damaged("channel version", format!("unknown state {word:?}")))?;
        Ok(ChannelVersion { component, state, since: timestamp(since) })
    };
    rows.into_iter().map(read).collect()
}

/// The latest events of the channel, newest first.
async fn events(connection: &mut SqliteConnection, name: &str, limit: u32) -> Result<Vec<ChannelEvent>, WriteFailure> {
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
        "SELECT at, event, component, detail FROM channel_events WHERE channel = ? ORDER BY seq DESC LIMIT ?",
    )
    .bind(name)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |(at, word, component, detail): (i64, String, String, String)| {
        let event = EventKind::parse(&word);
        let event = event.ok_or_else(|| damaged("channel event", format!("unknown event {word:?}")))?;
        Ok(ChannelEvent { at: timestamp(at), event, component, detail })
    };
    rows.into_iter().map(read).collect()
}
