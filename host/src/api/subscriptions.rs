//! Subscriptions over HTTP. The channel's plugin normalises the addresses, the catalogue checks the rules. A change is
//! stored, and in force when it is answered.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use tidings_api_types::{FieldError, ListPage, SubscriptionListQuery, SubscriptionRequest};
use tidings_domain::subscription::Subscription;
use tidings_domain::text::one_line;
use tidings_store::{StoreError, SubscriptionRow};

use super::deliveries::rows;
use super::etag::{IfMatch, TagHeader, etag, precondition_failed};
use super::extract::{Json, Path, Query};
use super::{ApiState, Problem, validate};
use crate::channels::ChannelError;
use crate::clock;
use crate::precondition::{Precondition, StateTag};

/// A subscription and its tag.
type Tagged = (TagHeader, Answer<Subscription>);

/// All of a user's, or everybody's in the order of users. A page ends with all subscriptions of its last user, who is the
/// cursor; it may be that much longer than `limit`.
pub(super) async fn list(
    State(api): State<ApiState>,
    Query(query): Query<SubscriptionListQuery>,
) -> Result<Answer<ListPage<Subscription>>, Problem> {
    if let Some(user) = &query.user {
        return Ok(Answer(ListPage::complete(api.store.subscriptions_of(user).await?)));
    }
    let limit = rows(query.limit)?;
    let rows = api.store.subscription_page_of_users(query.after.as_deref(), limit as u32).await?;
    let data: Vec<Subscription> = rows.iter().map(SubscriptionRow::read).collect::<Result<_, _>>()?;
    let last = data.last().filter(|_| data.len() >= limit).map(|last| last.user.clone());
    let next = match last {
        Some(last) => {
            let more = !api.store.subscription_page_of_users(Some(&last), 1).await?.is_empty();
            more.then_some(last)
        }
        None => None,
    };
    Ok(Answer(ListPage { data, next }))
}

pub(super) async fn view(
    State(api): State<ApiState>,
    Path((user, channel)): Path<(String, String)>,
) -> Result<Tagged, Problem> {
    let found = find(&api, &user, &channel).await?;
    found.map(tagged).ok_or_else(|| missing(&user, &channel))
}

/// Answers what was stored.
pub(super) async fn put(
    State(api): State<ApiState>,
    Path((user, channel)): Path<(String, String)>,
    IfMatch(precondition): IfMatch,
    Json(body): Json<SubscriptionRequest>,
) -> Result<(StatusCode, Tagged), Problem> {
    let mut subscription = body.of(user, channel);
    let errors = validate::errors(&subscription, &api.knowledge.snapshot().static_data.catalogue);
    if !errors.is_empty() {
        return Err(Problem::invalid("the subscription is invalid", errors));
    }
    subscription.addresses = check_addresses(&api, &subscription).await?;
    let present = find(&api, &subscription.user, &subscription.channel).await?;
    let status = if present.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    match precondition {
        Precondition::None => api.store.put_subscription(&subscription, clock::now()).await?,
        _ => replace(&api, &precondition, present, Some(&subscription)).await?,
    }
    api.knowledge.catch_up().await?;
    Ok((status, tagged(subscription)))
}

pub(super) async fn delete(
    State(api): State<ApiState>,
    Path((user, channel)): Path<(String, String)>,
    IfMatch(precondition): IfMatch,
) -> Result<StatusCode, Problem> {
    if precondition == Precondition::None {
        if !api.store.delete_subscription(&user, &channel, clock::now()).await? {
            return Err(missing(&user, &channel));
        }
    } else {
        let present = find(&api, &user, &channel).await?;
        replace(&api, &precondition, present, None).await?;
    }
    api.knowledge.catch_up().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stores a subscription in the place of the present one, or deletes that (`new` is none), if the condition holds. The store
/// compares again in its transaction: a change in between is not lost.
async fn replace(
    api: &ApiState,
    condition: &Precondition,
    present: Option<Subscription>,
    new: Option<&Subscription>,
) -> Result<(), Problem> {
    let present = present.filter(|present| condition.admits(Some(&StateTag::of(present))));
    let present = present.ok_or_else(precondition_failed)?;
    let replaced = api.store.replace_subscription(&present, new, clock::now()).await?;
    if replaced { Ok(()) } else { Err(precondition_failed()) }
}

fn tagged(subscription: Subscription) -> Tagged {
    (etag(&StateTag::of(&subscription)), Answer(subscription))
}

async fn find(api: &ApiState, user: &str, channel: &str) -> Result<Option<Subscription>, StoreError> {
    let subscriptions = api.store.subscriptions_of(user).await?;
    Ok(subscriptions.into_iter().find(|one| one.channel == channel))
}

/// The addresses as the channel's plugin normalises them, each once. Without such a channel they are taken unchanged.
async fn check_addresses(api: &ApiState, subscription: &Subscription) -> Result<Vec<String>, Problem> {
    let (mut addresses, mut errors) = (Vec::new(), Vec::new());
    for (n, address) in subscription.addresses.iter().enumerate() {
        let checked = match api.channels.check_address_of(&subscription.user, &subscription.channel, address).await {
            Ok(normalised) => normalised,
            Err(ChannelError::Store(StoreError::Missing { .. })) => address.clone(),
            Err(ChannelError::Address(reason)) => {
                errors.push(FieldError::new(format!("addresses[{n}]"), reason));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if !addresses.contains(&checked) {
            addresses.push(checked);
        }
    }
    if errors.is_empty() { Ok(addresses) } else { Err(Problem::invalid("the channel refuses an address", errors)) }
}

fn missing(user: &str, channel: &str) -> Problem {
    Problem::missing("subscription", &one_line(&format!("{user}/{channel}"), 100))
}
