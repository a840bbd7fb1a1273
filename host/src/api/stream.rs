//! Event streams for browsers: a page, and Server-Sent Events (<https://html.spec.whatwg.org/#server-sent-events>) for it and
//! for other front ends. The signed link names the stream and lets its holder read it, as long as the address is in its
//! user's subscription. What is in an entry, the channel's plugin decides.

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

/// What the page may do: its own script and style, and its own stream.
const PAGE_POLICY: (HeaderName, &str) = (
    header::CONTENT_SECURITY_POLICY,
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// The link is what gives access, so a front end of another origin may read what it leads to.
const ANY_ORIGIN: (HeaderName, &str) = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
/// Where a browser that lost its connection says to go on.
const LAST_EVENT_ID: &str = "last-event-id";

/// Where to continue.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// The id of the last entry that the client has; `Last-Event-ID` overrides it.
    after: Option<u64>,
}

/// Where the streams of a subscription are.
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

/// The entries behind the last one that was seen, all that are kept where none was, and then each as it comes.
pub(super) async fn events(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let what = destination(&api, &token).await?;
    let behind = match headers.get(LAST_EVENT_ID) {
        Some(id) => {
            let number = id.to_str().ok().and_then(|id| id.parse().ok());
            number.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "`Last-Event-ID` is no id of an entry"))?
        }
        None => query.after.unwrap_or(0),
    };
    let follower = api.streams.follow(&what.channel, &what.address);
    let follower = follower.map_err(|crowded| Problem::new(StatusCode::SERVICE_UNAVAILABLE, crowded.to_string()))?;
    let walk = Walk { api, what, follower, behind, read: VecDeque::new(), look_at: Instant::now() + STREAM_LOOK };
    let entries = stream::unfold(walk, |mut walk| async move {
        let entry = walk.next().await?;
        Some((Ok::<_, Infallible>(event(&entry)), walk))
    });
    Ok(([ANY_ORIGIN], Sse::new(entries).keep_alive(KeepAlive::new().interval(STREAM_SIGN))).into_response())
}

/// JSON has line breaks between its parts only, and the protocol ends a line with one.
fn event(entry: &StreamEntry) -> Event {
    Event::default().id(entry.seq.to_string()).data(entry.data.replace(['\r', '\n'], " "))
}

/// Whose stream a link leads to, if it still leads somewhere.
async fn destination(api: &ApiState, token: &str) -> Result<LinkSubject, Problem> {
    let gone = || Problem::new(StatusCode::NOT_FOUND, "there is no such stream, or none any more");
    let what = api.links.read_token(Purpose::Follow, token).ok_or_else(gone)?;
    if is_subscribed(api, &what).await? { Ok(what) } else { Err(gone()) }
}

async fn is_subscribed(api: &ApiState, what: &LinkSubject) -> Result<bool, StoreError> {
    let subscriptions = api.store.subscriptions_of(&what.user).await?;
    let here = |one: &&tidings_domain::subscription::Subscription| one.channel == what.channel;
    Ok(subscriptions.iter().find(here).is_some_and(|one| one.addresses.contains(&what.address)))
}

/// Somebody's walk along a stream.
struct Walk {
    api: ApiState,
    what: LinkSubject,
    follower: Follower,
    /// The last entry that was handed on.
    behind: u64,
    /// Read, and not handed on yet.
    read: VecDeque<StreamEntry>,
    /// When to see whether the stream is still the user's.
    look_at: Instant,
}

impl Walk {
    /// The next entry, once it is there; none at the end. Browsers then come again, and hear whether it is over for good.
    async fn next(&mut self) -> Option<StreamEntry> {
        loop {
            if let Some(entry) = self.read.pop_front() {
                self.behind = entry.seq;
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
                    () = tokio::time::sleep_until(self.look_at) => {}
                }
            }
        }
    }

    /// Reads on; false where the stream is not the user's any more.
    async fn read(&mut self) -> Result<bool, StoreError> {
        if Instant::now() >= self.look_at {
            self.look_at = Instant::now() + STREAM_LOOK;
            if !is_subscribed(&self.api, &self.what).await? {
                return Ok(false);
            }
        }
        let entries = self.api.store.entries(&self.what.channel, &self.what.address, self.behind).await?;
        self.read.extend(entries);
        Ok(true)
    }
}
