//! Deliveries over HTTP: what is in which state, the books, and another chance for the dead.

use std::collections::BTreeMap;

use crate::api::limits;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_domain::delivery::{DeliveryId, DeliveryState};
use tidings_store::{Books, DeliveryQuery, DeliveryRow};

use super::read::{Json, Query};
use super::{ApiState, FieldError, Problem};
use crate::clock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryListQuery {
    state: Option<DeliveryState>,
    channel: Option<String>,
    user: Option<String>,
    /// Continue behind the delivery with this id.
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryBody {
    channel: Option<String>,
    id: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Retried {
    /// How many dead deliveries are pending again.
    retried: u64,
}

/// Newest first.
pub(super) async fn list(
    State(api): State<ApiState>,
    Query(query): Query<DeliveryListQuery>,
) -> Result<Answer<Vec<DeliveryRow>>, Problem> {
    let bad = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, detail);
    let after = match query.after {
        Some(text) => Some(DeliveryId::parse(&text).ok_or_else(|| bad("`after` is not the id of a delivery"))?),
        None => None,
    };
    let query = DeliveryQuery {
        state: query.state,
        channel: query.channel,
        user: query.user,
        after,
        limit: rows(query.limit)?,
    };
    Ok(Answer(api.store.deliveries(query).await?))
}

/// Without a channel and an id: all dead deliveries. A channel that rests or sleeps takes them up in its own time.
pub(super) async fn retry(
    State(api): State<ApiState>,
    Json(body): Json<RetryBody>,
) -> Result<Answer<Retried>, Problem> {
    let id = match body.id {
        Some(text) => match DeliveryId::parse(&text) {
            Some(id) => Some(id),
            None => return Err(Problem::invalid("no such delivery", vec![FieldError::new("id", "not an id")])),
        },
        None => None,
    };
    let retried = api.store.retry_dead(body.channel.as_deref(), id.as_ref(), clock::now()).await?;
    api.channels.wake(body.channel.as_deref());
    Ok(Answer(Retried { retried }))
}

pub(super) async fn books(State(api): State<ApiState>) -> Result<Answer<BTreeMap<String, Books>>, Problem> {
    Ok(Answer(api.store.books().await?))
}

/// How many rows an answer may have.
pub(super) fn rows(limit: Option<usize>) -> Result<usize, Problem> {
    match limit.unwrap_or(limits::API_ROWS) {
        limit @ 1..=limits::API_ROWS_MAX => Ok(limit),
        _ => {
            let detail = format!("`limit` must be 1 to {}", limits::API_ROWS_MAX);
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}
