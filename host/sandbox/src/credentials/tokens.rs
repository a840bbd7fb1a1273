//! Bearer tokens, kept for one channel until shortly before they expire. One request at a time asks for a token, the others
//! wait for what it gets; after a failure nobody asks again for a while, or for as long as the token server says. The
//! token's host is reached under the channel's grants and on the call's own account, as everything else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::limits;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use tidings_domain::grant::{Credential, Grants};
use tokio::time::timeout;

use super::{AuthHeader, ServiceAccount};
use crate::capabilities::http::{Unanswered, permit};
use crate::network::{Egress, HttpReply, HttpRequest, NetworkError};

/// The tokens of one channel: at most one for each of its credentials.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// Locked while it is being filled.
type Slot = tokio::sync::Mutex<Option<Known>>;

/// What the last exchange brought, and until when that counts.
struct Known {
    answer: Result<HeaderValue, Unanswered>,
    until: Instant,
}

/// Why an exchange brought no token, and for how long that is not asked again.
struct NoToken {
    why: Unanswered,
    rest: Duration,
}

impl<E: Into<Unanswered>> From<E> for NoToken {
    fn from(error: E) -> Self {
        NoToken { why: error.into(), rest: limits::TOKEN_FAILURE_REST }
    }
}

/// RFC 6749, 5.1.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// Seconds; a server may leave it out.
    expires_in: Option<u64>,
}

/// RFC 6749, 5.2.
#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

impl Tokens {
    /// The value of the header `authorization`, and whether it had been used before.
    pub(super) async fn bearer(
        &self,
        grants: &Grants,
        egress: &Egress,
        credential: &Credential,
    ) -> Result<(HeaderValue, bool), Unanswered> {
        let slot = self.slot(&credential.name);
        let mut known = slot.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.until) {
            return known.answer.clone().map(|value| (value, true));
        }
        // Bounded here: a request that gave up would leave nothing behind, and the next one would wait as long.
        let traded = timeout(limits::TOKEN_TIME, trade(grants, egress, credential)).await;
        let late =
            || format!("the credential `{}`: no token within {} s", credential.name, limits::TOKEN_TIME.as_secs());
        let (answer, lasts) = match traded.unwrap_or_else(|_| Err(Unanswered::NoProof(late()).into())) {
            Ok((value, lasts)) => (Ok(value), lasts),
            Err(none) => (Err(none.why), none.rest),
        };
        *known = Some(Known { answer: answer.clone(), until: Instant::now() + lasts });
        answer.map(|value| (value, false))
    }

    /// The far side refused this proof. Whether another one is worth a try: it was a token that had been good before. A
    /// token that was refused when it was new would be followed by another such.
    pub(crate) async fn refused(&self, credential: &Credential, proof: &AuthHeader) -> bool {
        if proof.reused {
            let slot = self.slot(&credential.name);
            let mut known = slot.lock().await;
            // Another request may have put a new one there meanwhile.
            known.take_if(|known| known.answer.as_ref().is_ok_and(|value| *value == proof.value));
        }
        proof.reused
    }

    fn slot(&self, name: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(name.to_owned()).or_default())
    }
}

/// A new token, and how long it is to be used.
async fn trade(grants: &Grants, egress: &Egress, credential: &Credential) -> Result<(HeaderValue, Duration), NoToken> {
    let useless = |why: String| Unanswered::NoProof(format!("the credential `{}`: {why}", credential.name));
    let account = ServiceAccount::read(credential.value.expose()).map_err(|problem| useless(problem.to_string()))?;
    let url = &account.token_uri;
    let permit = permit(grants, url)?;
    let now = SystemTime::now();
    let form = account.form(now.duration_since(UNIX_EPOCH).unwrap_or_default());
    let form = form.ok_or_else(|| useless("its key does not sign".to_owned()))?;
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, form_type)]);
    let request = HttpRequest { permit: &permit, url, method: Method::POST, headers, body: Bytes::from(form) };
    let reply = egress.http(request).await.map_err(|error| match error {
        NetworkError::Denied(_) => NoToken::from(error),
        // This call has used up what it may; the next one has not.
        NetworkError::Limit(_) => NoToken { why: error.into(), rest: Duration::ZERO },
        // Told apart from a failure of the request itself, which may be that one delivery's.
        other => useless(format!("no token from {}: {other}", permit.host())).into(),
    })?;
    let whence = format!("{} for the credential `{}`", permit.host(), credential.name);
    read(&reply, &whence).map_err(|why| NoToken { why: Unanswered::NoProof(why), rest: rest(&reply, now) })
}

/// What the token endpoint said, or why the credential is of no use for now. Its words are quoted only where they are an
/// error code: it saw the assertion.
fn read(reply: &HttpReply, whence: &str) -> Result<(HeaderValue, Duration), String> {
    if reply.status != 200 {
        let code = serde_json::from_slice::<ErrorAnswer>(&reply.body).ok().map(|answer| answer.error);
        let is_code = |code: &String| {
            (1..=tidings_domain::limits::NAME_BYTES).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        let code = code.filter(is_code).map(|code| format!(" ({code})")).unwrap_or_default();
        return Err(format!("HTTP {}{code} instead of a token from {whence}", reply.status));
    }
    let nonsense = || format!("no token in the answer from {whence}");
    let answer: TokenAnswer = serde_json::from_slice(&reply.body).map_err(|_| nonsense())?;
    let good = (1..=limits::TOKEN_BYTES).contains(&answer.access_token.len());
    let value = HeaderValue::from_str(&format!("Bearer {}", answer.access_token));
    let mut value = value.ok().filter(|_| good).ok_or_else(nonsense)?;
    value.set_sensitive(true);
    let age = answer.expires_in.map_or(limits::TOKEN_AGE, Duration::from_secs).min(limits::TOKEN_AGE);
    Ok((value, age.saturating_sub(limits::TOKEN_EARLY)))
}

/// How long the token endpoint is left alone after this refusal: what it asks for in either form of `Retry-After`
/// (RFC 9110, 10.2.3), within bounds.
fn rest(reply: &HttpReply, now: SystemTime) -> Duration {
    let asked = reply.headers.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value.trim());
    let seconds = |value: &str| value.parse().ok().map(Duration::from_secs);
    let date = |value: &str| httpdate::parse_http_date(value).ok()?.duration_since(now).ok();
    let asked = asked.and_then(|value| seconds(value).or_else(|| date(value))).unwrap_or_default();
    asked.clamp(limits::TOKEN_FAILURE_REST, limits::TOKEN_FAILURE_REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> HttpReply {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HttpReply { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_token_server_that_wants_to_be_left_alone_is_within_bounds() {
        let noon = UNIX_EPOCH + Duration::from_secs(1_795_521_600);
        for (value, expected) in [
            (None, 10),
            (Some("120"), 120),
            (Some(" 120 "), 120),
            (Some("3"), 10),
            (Some("86400"), 3600),
            (Some("18446744073709551615"), 3600),
            (Some("Tue, 24 Nov 2026 12:02:00 GMT"), 120),
            (Some("Tue, 24 Nov 2026 11:00:00 GMT"), 10),
            (Some("Fri, 31 Dec 9999 23:59:59 GMT"), 3600),
            (Some("-1"), 10),
            (Some("soon"), 10),
        ] {
            let headers: Vec<_> = value.map(|value| ("retry-after", value)).into_iter().collect();
            assert_eq!(rest(&reply(503, &headers, ""), noon), Duration::from_secs(expected), "{value:?}");
        }
    }

    #[test]
    fn a_token_is_used_for_as_long_as_it_is_good_and_an_hour_where_nothing_is_said() {
        for (lasts, expected) in [(r#","expires_in":600"#, 540), ("", 3540), (r#","expires_in":99999"#, 3540)] {
            let body = format!(r#"{{"access_token":"t1"{lasts}}}"#);
            let (value, lasts) = read(&reply(200, &[], &body), "here").expect("a token");
            assert_eq!((value.as_bytes(), lasts), (b"Bearer t1".as_slice(), Duration::from_secs(expected)));
        }
    }
}
