//! Addresses enter a subscription by their owners' word: the question is sent through the channel itself, and its links lead
//! here. Opening a link only asks, since mail scanners open links; posting answers.

use crate::channels::limits::CONFIRMATION_REST;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use serde::{Deserialize, Serialize};
use tidings_domain::limits::{ADDRESSES_PER_SUBSCRIPTION, USER_CHARS};
use tidings_domain::text::is_one_line;
use tidings_domain::time::Timestamp;
use tidings_store::Answered;

use super::channels::TestSent;
use super::page::{escape, page};
use super::read::{Json, Path};
use super::{ApiState, FieldError, Problem};
use crate::channels::ConfirmationRequest;
use crate::clock;
use crate::link_signer::{LinkSubject, Purpose};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskBody {
    address: String,
}

/// What became of the question. It stands until it expires, also where it could not be sent.
#[derive(Serialize)]
pub(super) struct AskedOwner {
    /// In the channel's normal form.
    address: String,
    expires_at: Timestamp,
    #[serde(flatten)]
    sent: TestSent,
}

/// Asks the owner of an address whether this user's notifications are wanted there.
pub(super) async fn ask(
    State(api): State<ApiState>,
    Path((user, channel)): Path<(String, String)>,
    Json(body): Json<AskBody>,
) -> Result<Answer<AskedOwner>, Problem> {
    if user.is_empty() || user.chars().count() > USER_CHARS || !is_one_line(&user) {
        let mistake = FieldError::new("user", format!("not 1 to {USER_CHARS} characters of one line"));
        return Err(Problem::invalid("the user is not good", vec![mistake]));
    }
    let conflict = |detail: String| Err(Problem::new(StatusCode::CONFLICT, detail));
    match api.channels.ask_owner(&user, &channel, &body.address).await? {
        ConfirmationRequest::Sent { address, expires_at, outcome } => {
            Ok(Answer(AskedOwner { address, expires_at, sent: outcome.into() }))
        }
        ConfirmationRequest::There => conflict("the address is in the subscription already".into()),
        ConfirmationRequest::Full => {
            conflict(format!("a subscription has at most {ADDRESSES_PER_SUBSCRIPTION} addresses"))
        }
        ConfirmationRequest::TooSoon => {
            let seconds = CONFIRMATION_REST.as_secs();
            let detail = format!("this user was asked on this channel less than {seconds} s ago");
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail))
        }
    }
}

/// The page with the button to accept (`YES`) or to reject.
pub(super) async fn question<const YES: bool>(
    State(api): State<ApiState>,
    Path(token): Path<String>,
) -> Result<Html<String>, Problem> {
    let what = read_token(&api, &token)?;
    let button = if YES { "Yes, send them" } else { "No, send nothing" };
    let (user, channel, address) = (escape(&what.user), escape(&what.channel), escape(&what.address));
    let form = format!("<form method=\"post\"><button>{button}</button></form>");
    Ok(page(&format!("Shall notifications for {user} go by {channel} to {address}?"), &form))
}

/// What the button posts.
pub(super) async fn answer<const YES: bool>(
    State(api): State<ApiState>,
    Path(token): Path<String>,
) -> Result<Html<String>, Problem> {
    let LinkSubject { user, channel, address } = read_token(&api, &token)?;
    let shown = (escape(&channel), escape(&address));
    let answered = Answered::Link { user, channel, address };
    if api.store.answer(&answered, YES, clock::now()).await?.is_none() {
        return Err(gone());
    }
    api.knowledge.catch_up().await?;
    let (channel, address) = shown;
    Ok(if YES {
        page("Done", &format!("<p>Notifications go by {channel} to {address} from now on.</p>"))
    } else {
        page("Done", &format!("<p>Nothing is sent by {channel} to {address}.</p>"))
    })
}

fn read_token(api: &ApiState, token: &str) -> Result<LinkSubject, Problem> {
    api.links.read_token(Purpose::Confirm, token).ok_or_else(gone)
}

fn gone() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "nobody asks that, or not any more")
}
