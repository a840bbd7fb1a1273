//! Confirmation of addresses: the owner of an address must agree before it joins a subscription. The question is sent
//! through the channel itself, and its links lead here. A GET only shows a button, since mail scanners open links; a POST
//! answers.

use crate::channels::limits::CONFIRMATION_REST;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use tidings_api_types::{AskConfirmationRequest, ConfirmationInfo, FieldError};
use tidings_domain::limits::{ADDRESSES_PER_SUBSCRIPTION, USER_CHARS};
use tidings_domain::text::is_one_line;
use tidings_store::Answered;

use super::extract::{Json, Path};
use super::page::{escape, page};
use super::{ApiState, Problem, convert};
use crate::channels::ConfirmationRequest;
use crate::clock;
use crate::link_signer::{LinkSubject, Purpose};

/// Asks the owner of an address whether this user's notifications are wanted there.
pub(super) async fn ask(
    State(api): State<ApiState>,
    Path((user, channel)): Path<(String, String)>,
    Json(body): Json<AskConfirmationRequest>,
) -> Result<Answer<ConfirmationInfo>, Problem> {
    if user.is_empty() || user.chars().count() > USER_CHARS || !is_one_line(&user) {
        let error = FieldError::new("user", format!("not 1 to {USER_CHARS} characters of one line"));
        return Err(Problem::invalid("the user is invalid", vec![error]));
    }
    let conflict = |detail: String| Err(Problem::new(StatusCode::CONFLICT, detail));
    match api.channels.ask_owner(&user, &channel, &body.address).await? {
        ConfirmationRequest::Sent { address, expires_at, outcome } => {
            Ok(Answer(ConfirmationInfo { address, expires_at, sent: convert::test_result(outcome) }))
        }
        ConfirmationRequest::There => conflict("the address is in the subscription already".into()),
        ConfirmationRequest::Full => {
            conflict(format!("a subscription has at most {ADDRESSES_PER_SUBSCRIPTION} addresses"))
        }
        ConfirmationRequest::TooSoon => {
            let seconds = CONFIRMATION_REST.as_secs();
            let detail = format!("this user was asked on this channel less than {seconds} s ago");
            Err(Problem::too_many(detail, CONFIRMATION_REST))
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
    Problem::new(StatusCode::NOT_FOUND, "the question was answered or has expired")
}
