//! Event streams for browsers: a page, and Server-Sent Events (<https://html.spec.whatwg.org/#server-sent-events>) for it and
//! for other front ends. The signed link names the stream and lets its holder read it, as long as the address is in its
//! user's subscription. The channel's plugin decides what an entry contains.

use std::collections::VecDeque;
use std::convert::Infallible;

use crate::api::limits::{STREAM_LOOK, STREAM_SIGN};
use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use futures::stream;
use serde::Deserialize;
use tidings_api_types::{ListPage, StreamInfo};
use tidings_store::{StoreError, StreamEntry};
use tokio::time::Instant;

use super::extract::{Path, Query};
use super::{ApiState, Problem};
use crate::link_signer::{LinkSubject, Purpose};
use crate::streams::Follower;
use crate::telemetry::chain;

/// The page may use its own script and style, and its own stream.
const PAGE_POLICY: (HeaderName, &str) = (
    header::CONTENT_SECURITY_POLICY,
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// The link gives access, so a front end of another origin may read the stream.
const ANY_ORIGIN: (HeaderName, &str) = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
/// The header in which a browser that lost its connection names the last entry that it has.
const LAST_EVENT_ID: &str = "last-event-id";

/// The position to continue from.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// The id of the last entry that the client has; `Last-Event-ID` overrides it.
    after: Option<u64>,
}

/// The links of a subscription's streams.
pub(super) async fn links(
    State(api): State<ApiState>,
    Path((user, channel)): Path<(String, String)>,
) -> Result<Answer<ListPage<StreamInfo>>, Problem> {
    if !api.channels.writes_streams(&channel).await? {
        return Err(Problem::new(StatusCode::CONFLICT, "the channel's plugin writes no event streams"));
    }
    let subscriptions = api.store.subscriptions_of(&user).await?;
    let found = subscriptions.into_iter().find(|one| one.channel == channel);
    let subscription = found.ok_or_else(|| Problem::missing("subscription", "that of this user on this channel"))?;
    let link = |address: String| {
        let what = LinkSubject { user: user.clone(), channel: channel.clone(), address };
        let (path, url) = api.links.stream_link(&what)?;
        Some(StreamInfo { address: what.address, path, url })
    };
    Ok(Answer(ListPage::complete(subscription.addresses.into_iter().filter_map(link).collect())))
}

/// The page that shows a stream.
pub(super) async fn page(State(api): State<ApiState>, Path(token): Path<String>) -> Result<Response, Problem> {
    destination(&api, &token).await?;
    Ok(([PAGE_POLICY], Html(include_str!("stream/page.html"))).into_response())
}

pub(super) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("stream/page.js")).into_response()
}

pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("stream/page.css")).into_response()
}

/// The stored entries after the last one that the client has (all of them if it has none), and then each new entry.
pub(super) async fn events(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let what = destination(&api, &token).await?;
    let sent_up_to = match headers.get(LAST_EVENT_ID) {
        Some(id) => {
            let number = id.to_str().ok().and_then(|id| id.parse().ok());
            number.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "`Last-Event-ID` is not the id of an entry"))?
        }
        None => query.after.unwrap_or(0),
    };
    let follower = api.streams.follow(&what.channel, &what.address);
    let follower = follower.map_err(|crowded| Problem::new(StatusCode::SERVICE_UNAVAILABLE, crowded.to_string()))?;
    let check_at = Instant::now() + STREAM_LOOK;
    let reader = StreamReader { api, what, follower, sent_up_to, read: VecDeque::new(), check_at };
    let entries = stream::unfold(reader, |mut reader| async move {
        let entry = reader.next().await?;
        Some((Ok::<_, Infallible>(event(&entry)), reader))
    });
    Ok(([ANY_ORIGIN], Sse::new(entries).keep_alive(KeepAlive::new().interval(STREAM_SIGN))).into_response())
}

/// JSON has line breaks between its parts only, and the protocol ends a line with one.
fn event(entry: &StreamEntry) -> Event {
    Event::default().id(entry.seq.to_string()).data(entry.data.replace(['\r', '\n'], " "))
}

/// The subject of a link, if its stream still exists.
async fn destination(api: &ApiState, token: &str) -> Result<LinkSubject, Problem> {
    let gone = || Problem::new(StatusCode::NOT_FOUND, "there is no such stream, or it was removed");
    let what = api.links.read_token(Purpose::Follow, token).ok_or_else(gone)?;
    if is_subscribed(api, &what).await? { Ok(what) } else { Err(gone()) }
}

async fn is_subscribed(api: &ApiState, what: &LinkSubject) -> Result<bool, StoreError> {
    let subscriptions = api.store.subscriptions_of(&what.user).await?;
    let here = |one: &&tidings_domain::subscription::Subscription| one.channel == what.channel;
    Ok(subscriptions.iter().find(here).is_some_and(|one| one.addresses.contains(&what.address)))
}

/// The state of one client that reads a stream.
struct StreamReader {
    api: ApiState,
    what: LinkSubject,
    follower: Follower,
    /// The last entry that was sent.
    sent_up_to: u64,
    /// Entries that were read and not sent yet.
    read: VecDeque<StreamEntry>,
    /// When to check that the address still belongs to the subscription.
    check_at: Instant,
}

impl StreamReader {
    /// Waits for the next entry; none at the end. Browsers then reconnect, and learn whether the stream was removed.
    async fn next(&mut self) -> Option<StreamEntry> {
        loop {
            if let Some(entry) = self.read.pop_front() {
                self.sent_up_to = entry.seq;
                return Some(entry);
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    tracing::warn!(channel = self.what.channel, error = %chain(&error), "an event stream ends early");
                    return None;
                }
            }
            if self.read.is_empty() {
                tokio::select! {
                    () = self.api.stopping.cancelled() => return None,
                    () = self.follower.news() => {}
                    () = tokio::time::sleep_until(self.check_at) => {}
                }
            }
        }
    }

    /// Reads new entries; false if the address no longer belongs to the subscription.
    async fn read(&mut self) -> Result<bool, StoreError> {
        if Instant::now() >= self.check_at {
            self.check_at = Instant::now() + STREAM_LOOK;
            if !is_subscribed(&self.api, &self.what).await? {
                return Ok(false);
            }
        }
        let entries = self.api.store.entries(&self.what.channel, &self.what.address, self.sent_up_to).await?;
        self.read.extend(entries);
        Ok(true)
    }
}
