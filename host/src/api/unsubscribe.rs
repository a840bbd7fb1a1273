//! One-click unsubscription (RFC 8058). The signed link in a notification names one address. A GET only shows a button,
//! since mail scanners open links; a POST removes the address. The subscription keeps its filters and its other addresses;
//! without an address it sends nothing until its user adds one.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Html;
use tidings_domain::subscription::Edit;

use super::extract::{self, Path};
use super::middleware::guard::RequestClass;
use super::page::{escape, page};
use super::{ApiState, Problem};
use crate::clock;
use crate::link_signer::{LinkSubject, Purpose};

/// The body that a mail client posts is a few dozen bytes.
const BODY_BYTES: usize = 4096;

/// The page with the button.
pub(super) async fn ask(State(api): State<ApiState>, Path(token): Path<String>) -> Result<Html<String>, Problem> {
    let what = read_token(&api, &token)?;
    let form = "<form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
                <button>Stop notifications</button></form>";
    Ok(page(&format!("Stop notifications by {} to {}?", escape(&what.channel), escape(&what.address)), form))
}

/// What mail clients and the button post. Doing it twice is as good as once.
pub(super) async fn act(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Html<String>, Problem> {
    let what = read_token(&api, &token)?;
    let body = extract::body(request, BODY_BYTES, RequestClass::Quick).await?;
    if !is_one_click(&String::from_utf8_lossy(&body)) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "the body is not `List-Unsubscribe=One-Click`"));
    }
    stop(&api, &what).await?;
    let (channel, address) = (escape(&what.channel), escape(&what.address));
    Ok(page("Done", &format!("<p>No more notifications go by {channel} to {address}.</p>")))
}

async fn stop(api: &ApiState, what: &LinkSubject) -> Result<(), Problem> {
    let edit = Edit::RemoveAddress(what.address.clone());
    if !api.store.edit_subscription(&what.user, &what.channel, &edit, clock::now()).await? {
        return Ok(());
    }
    api.knowledge.catch_up().await?;
    tracing::info!(user = what.user, channel = what.channel, "an address was unsubscribed by its link");
    Ok(())
}

fn read_token(api: &ApiState, token: &str) -> Result<LinkSubject, Problem> {
    let unknown = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "this link is invalid: it was not signed with the present key of this daemon",
        )
    };
    api.links.read_token(Purpose::Unsubscribe, token).ok_or_else(unknown)
}

/// RFC 8058 allows a form of either encoding.
fn is_one_click(body: &str) -> bool {
    let multipart = || body.contains("name=\"List-Unsubscribe\"") && body.contains("One-Click");
    body.split('&').any(|pair| pair.trim() == "List-Unsubscribe=One-Click") || multipart()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_of_the_one_click_are_read_and_nothing_else() {
        let multipart =
            "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
        for (body, good) in [
            ("List-Unsubscribe=One-Click", true),
            ("x=y&List-Unsubscribe=One-Click\r\n", true),
            (multipart, true),
            ("", false),
            ("List-Unsubscribe=No", false),
        ] {
            assert_eq!(is_one_click(body), good, "{body}");
        }
    }
}
