//! A channel's versions and its history, updated in the transaction that changes the channel.

use sqlx::sqlite::SqliteConnection;
use tidings_domain::plugin_life::{ChannelEvent, EventKind, VersionState};

use crate::limits::CHANNEL_EVENTS;
use crate::roles::{Channel, ChannelVersion};
use crate::sqlite::failure::{WriteFailure, damaged};
use crate::sqlite::value::{millis, timestamp};

/// Updates the table of versions after a change of the channel. A version that is no longer in use is retired, or
/// failed where `event` is about its failure.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    channel: &Channel,
    event: Option<&ChannelEvent>,
    now: i64,
) -> Result<(), WriteFailure> {
    let life = &channel.life;
    let candidate = life.candidate.as_ref().map(|candidate| candidate.component.as_str());
    // A previous version that is tried again is the candidate.
    let previous = life.previous.as_deref().filter(|previous| candidate != Some(*previous));
    let in_use = [
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
        let use_now = in_use.iter().find(|(_, version)| *version == Some(component.as_str()));
        if use_now.is_some_and(|(use_now, _)| use_now.as_str() == state) {
            continue;
        }
        let failed = use_now.is_none() && failure.is_some_and(|event| event.component == *component);
        let next = if failed { VersionState::Failed } else { VersionState::Retired };
        if state == VersionState::Retired.as_str() && !failed {
            continue;
        }
        // It leaves its old state first: a unique index allows one version in each of them.
        set(connection, &channel.name, component, next, now).await?;
    }
    for (state, component) in in_use {
        let Some(component) = component else { continue };
        let known = before.iter().any(|(known, former)| known == component && former == state.as_str());
        if !known {
            set(connection, &channel.name, component, state, now).await?;
        }
    }
    match event {
        Some(event) => append_event(connection, &channel.name, event).await,
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

/// Adds to the channel's history, and deletes events beyond its length.
async fn append_event(
    connection: &mut SqliteConnection,
    channel: &str,
    event: &ChannelEvent,
) -> Result<(), WriteFailure> {
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

/// All versions of the channel, the latest change first.
pub(super) async fn versions(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Vec<ChannelVersion>, WriteFailure> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT component, state, since FROM channel_versions WHERE channel = ? ORDER BY since DESC, state, component",
    )
    .bind(name)
    .fetch_all(connection)
    .await?;
    let read = |(component, state, since): (String, String, i64)| {
        let parsed = VersionState::parse(&state);
        let state = parsed.ok_or_else(|| damaged("channel version", format!("unknown state {state:?}")))?;
        Ok(ChannelVersion { component, state, since: timestamp(since) })
    };
    rows.into_iter().map(read).collect()
}

/// The latest events of the channel, newest first.
pub(super) async fn events(
    connection: &mut SqliteConnection,
    name: &str,
    limit: u32,
) -> Result<Vec<ChannelEvent>, WriteFailure> {
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
        "SELECT at, event, component, detail FROM channel_events WHERE channel = ? ORDER BY seq DESC LIMIT ?",
    )
    .bind(name)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |(at, event, component, detail): (i64, String, String, String)| {
        let parsed = EventKind::parse(&event);
        let event = parsed.ok_or_else(|| damaged("channel event", format!("unknown event {event:?}")))?;
        Ok(ChannelEvent { at: timestamp(at), event, component, detail })
    };
    rows.into_iter().map(read).collect()
}
