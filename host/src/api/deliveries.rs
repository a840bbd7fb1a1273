//! Deliveries over HTTP: their list, the books, and retries of dead ones.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use tidings_api_types::{BooksInfo, DeliveryInfo, DeliveryListQuery, FieldError, ListPage, RetryRequest, RetryResult};
use tidings_domain::delivery::DeliveryId;
use tidings_store::DeliveryQuery;

use super::extract::{Json, Query};
use super::{ApiState, Problem, convert, limits};
use crate::clock;

/// Newest first. The cursor is the id of the last delivery of the page.
pub(super) async fn list(
    State(api): State<ApiState>,
    Query(query): Query<DeliveryListQuery>,
) -> Result<Answer<ListPage<DeliveryInfo>>, Problem> {
    let invalid = || Problem::new(StatusCode::BAD_REQUEST, "`after` is not the id of a delivery");
    let after = match query.after {
        Some(text) => Some(DeliveryId::parse(&text).ok_or_else(invalid)?),
        None => None,
    };
    let limit = rows(query.limit)?;
    // One more row tells whether there is another page.
    let query = DeliveryQuery { state: query.state, channel: query.channel, user: query.user, after, limit: limit + 1 };
    let data: Vec<DeliveryInfo> = api.store.deliveries(query).await?.into_iter().map(convert::delivery).collect();
    Ok(Answer(page(data, limit, |row| row.id.clone())))
}

/// Without a channel and an id: all dead deliveries. A channel that rests or waits takes them up in its own time.
pub(super) async fn retry(
    State(api): State<ApiState>,
    Json(body): Json<RetryRequest>,
) -> Result<Answer<RetryResult>, Problem> {
    let id = match body.id {
        Some(text) => match DeliveryId::parse(&text) {
            Some(id) => Some(id),
            None => {
                let error = FieldError::new("id", "not an id of a delivery");
                return Err(Problem::invalid("the id is invalid", vec![error]));
            }
        },
        None => None,
    };
    let retried = api.store.retry_dead(body.channel.as_deref(), id.as_ref(), clock::now()).await?;
    api.channels.wake(body.channel.as_deref());
    Ok(Answer(RetryResult { retried }))
}

/// The books of every channel that ever had a delivery.
pub(super) async fn books(State(api): State<ApiState>) -> Result<Answer<ListPage<BooksInfo>>, Problem> {
    let books = api.store.books().await?;
    Ok(Answer(ListPage::complete(books.into_iter().map(|(channel, books)| convert::books(channel, &books)).collect())))
}

/// The number of rows of a page.
pub(super) fn rows(limit: Option<usize>) -> Result<usize, Problem> {
    match limit.unwrap_or(limits::API_ROWS) {
        limit @ 1..=limits::API_ROWS_MAX => Ok(limit),
        _ => {
            let detail = format!("`limit` must be 1 to {}", limits::API_ROWS_MAX);
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}

/// A page of `limit` rows at most; of more rows, the last one of the page is the cursor.
pub(super) fn page<T>(mut data: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> ListPage<T> {
    let more = data.len() > limit;
    data.truncate(limit);
    let next = if more { data.last().map(cursor) } else { None };
    ListPage { data, next }
}
