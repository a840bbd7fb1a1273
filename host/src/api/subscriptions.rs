//! Subscriptions over HTTP. Path and body make one; what is stored is what its channel's plugin makes of the addresses and
//! what the catalogue understands. A change is stored, and in force when it is answered.

use axum::Json as Answer;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tidings_domain::subscription::{DigestOptions, Filter, Style, Subscription};
use tidings_domain::text::one_line;
use tidings_store::{StoreError, SubscriptionRow};

use super::deliveries::rows;
use super::read::{Json, Path, Query};
use super::{ApiState, FieldError, Problem, Turns, validate};
use crate::channels::ChannelError;
use crate::clock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionListQuery {
    user: Option<String>,
    /// Continue behind this user.
    after: Option<String>,
    limit: Option<usize>,
}

/// A subscription as `Subscription` writes it. Where a path says whose it is, `user` and `channel` may be there, and do not
/// count.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    digest: Option<DigestOptions>,
    #[serde(default)]
    style: Style,
    #[serde(default)]
    filters: Vec<Filter>,
}

const fn yes() -> bool {
    true
}

impl Body {
    /// The subscription that it names itself; none where `user` or `channel` is not there.
    pub fn named(mut self) -> Option<Subscription> {
        let (user, channel) = (self.user.take()?, self.channel.take()?);
        Some(self.of(user, channel))
    }

    fn of(self, user: String, channel: String) -> Subscription {
        let Body { enabled, addresses, digest, style, filters, .. } = self;
        Subscription { user, channel, enabled, addresses, digest, style, filters }
    }
}

/// All of a user's, or everybody's in the order of users. A page of everybody's ends with all of its last user's, so that
/// `after` can continue there; it may be that much longer than `limit`.
pub(super) async fn list(
    State(api): State<ApiState>,
    Query(query): Query<SubscriptionListQuery>,
) -> Result<Answer<Vec<Subscription>>, Problem> {
    if let Some(user) = &query.user {
        return Ok(Answer(api.store.subscriptions_of(user).await?));
    }
    let limit = rows(query.limit)?;
    let rows = api.store.subscription_page_of_users(query.after.as_deref(), limit as u32).await?;
    let all = rows.iter().map(SubscriptionRow::read).collect::<Result<_, _>>()?;
    Ok(Answer(all))
}

pub(super) async fn view(
    State(api): State<ApiState>,
    Path((user, channel)): Path<(String, String)>,
) -> Result<Answer<Subscription>, Problem> {
    let found = find(&api, &user, &channel).await?;
    found.map(Answer).ok_or_else(|| missing(&user, &channel))
}

/// Answers what was stored.
pub(super) async fn put(
    State(api): State<ApiState>,
    Extension(turns): Extension<Turns>,
    Path((user, channel)): Path<(String, String)>,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Answer<Subscription>), Problem> {
    let mut subscription = body.of(user, channel);
    let mistakes = validate::mistakes(&subscription, &api.knowledge.snapshot().static_data.catalogue);
    if !mistakes.is_empty() {
        return Err(Problem::invalid("the subscription is not good", mistakes));
    }
    subscription.addresses = check_addresses(&api, &subscription).await?;
    let _turn = turns.subscriptions.lock().await;
    let (user, channel) = (&subscription.user, &subscription.channel);
    let known = find(&api, user, channel).await?.is_some();
    api.store.put_subscription(&subscription, clock::now()).await?;
    api.knowledge.catch_up().await?;
    let status = if known { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Answer(subscription)))
}

pub(super) async fn delete(
    State(api): State<ApiState>,
    Extension(turns): Extension<Turns>,
    Path((user, channel)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let _turn = turns.subscriptions.lock().await;
    if !api.store.delete_subscription(&user, &channel, clock::now()).await? {
        return Err(missing(&user, &channel));
    }
    api.knowledge.catch_up().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(api: &ApiState, user: &str, channel: &str) -> Result<Option<Subscription>, StoreError> {
    let subscriptions = api.store.subscriptions_of(user).await?;
    Ok(subscriptions.into_iter().find(|one| one.channel == channel))
}

/// The addresses as the channel's plugin normalises them, each once. Where there is no such channel (yet) they are taken
/// as they are.
async fn check_addresses(api: &ApiState, subscription: &Subscription) -> Result<Vec<String>, Problem> {
    let (mut addresses, mut mistakes) = (Vec::new(), Vec::new());
    for (n, address) in subscription.addresses.iter().enumerate() {
        let checked = match api.channels.check_address_of(&subscription.user, &subscription.channel, address).await {
            Ok(normalised) => normalised,
            Err(ChannelError::Store(StoreError::Missing { .. })) => address.clone(),
            Err(ChannelError::Address(reason)) => {
                mistakes.push(FieldError::new(format!("addresses[{n}]"), reason));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if !addresses.contains(&checked) {
            addresses.push(checked);
        }
    }
    if mistakes.is_empty() { Ok(addresses) } else { Err(Problem::invalid("the channel refuses an address", mistakes)) }
}

fn missing(user: &str, channel: &str) -> Problem {
    Problem::missing("subscription", &one_line(&format!("{user}/{channel}"), 100))
}
