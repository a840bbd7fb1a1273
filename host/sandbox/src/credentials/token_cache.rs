//! Bearer tokens of one channel, cached until shortly before they expire. One request at a time fetches a token; the
//! others wait for its result. After a failure no request follows for a while, or for as long as the token server asks.
//! The token's host is reached under the channel's grants and counts against the call's quotas, as every other host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use tidings_domain::grant::{Credential, Grants};
use tokio::time::timeout;

use super::{AuthHeader, ServiceAccount};
use crate::limits;
use crate::network::{Egress, ExchangeError, HttpReply, HttpRequest, NetworkError, http_permit};

/// The tokens of one channel: at most one for each of its credentials.
#[derive(Default)]
pub(crate) struct TokenCache {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// Locked while its token is being fetched.
type Slot = tokio::sync::Mutex<Option<CachedToken>>;

/// The result of the last request for a token, and until when it is used.
struct CachedToken {
    result: Result<HeaderValue, ExchangeError>,
    until: Instant,
}

/// Why a request for a token failed, and how long it is not repeated.
struct TokenFailure {
    error: ExchangeError,
    retry_after: Duration,
}

impl<E: Into<ExchangeError>> From<E> for TokenFailure {
    fn from(error: E) -> Self {
        TokenFailure { error: error.into(), retry_after: limits::TOKEN_RETRY_MIN }
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

impl TokenCache {
    /// Returns the value of the header `authorization`, and whether it was used before.
    pub(super) async fn bearer(
        &self,
        grants: &Grants,
        egress: &Egress,
        credential: &Credential,
    ) -> Result<(HeaderValue, bool), ExchangeError> {
        let slot = self.slot(&credential.name);
        let mut cached = slot.lock().await;
        if let Some(cached) = cached.as_ref().filter(|cached| Instant::now() < cached.until) {
            return cached.result.clone().map(|value| (value, true));
        }
        // Bounded here, so that the failure is cached: without it the next request would wait as long.
        let fetched = timeout(limits::TOKEN_TIME, fetch_token(grants, egress, credential)).await;
        let late =
            || format!("the credential `{}`: no token within {} s", credential.name, limits::TOKEN_TIME.as_secs());
        let (result, valid_for) = match fetched.unwrap_or_else(|_| Err(ExchangeError::Credential(late()).into())) {
            Ok((value, valid_for)) => (Ok(value), valid_for),
            Err(failure) => (Err(failure.error), failure.retry_after),
        };
        *cached = Some(CachedToken { result: result.clone(), until: Instant::now() + valid_for });
        result.map(|value| (value, false))
    }

    /// Removes a token that the server refused. Returns whether to try once more with a new one: only if the token was
    /// used before, since a server that refuses a new token would refuse the next one too.
    pub(crate) async fn invalidate(&self, credential: &Credential, header: &AuthHeader) -> bool {
        if header.reused {
            let slot = self.slot(&credential.name);
            let mut cached = slot.lock().await;
            // Another request may have stored a new token meanwhile.
            cached.take_if(|cached| cached.result.as_ref().is_ok_and(|value| *value == header.value));
        }
        header.reused
    }

    fn slot(&self, name: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(name.to_owned()).or_default())
    }
}

/// Fetches a token; returns it with the time that it is used.
async fn fetch_token(
    grants: &Grants,
    egress: &Egress,
    credential: &Credential,
) -> Result<(HeaderValue, Duration), TokenFailure> {
    let unusable = |why: String| ExchangeError::Credential(format!("the credential `{}`: {why}", credential.name));
    let account = ServiceAccount::read(credential.value.expose()).map_err(|problem| unusable(problem.to_string()))?;
    let url = &account.token_uri;
    let permit = http_permit(grants, url)?;
    let now = SystemTime::now();
    let form = account.form(now.duration_since(UNIX_EPOCH).unwrap_or_default());
    let form = form.ok_or_else(|| unusable("its key cannot sign".to_owned()))?;
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, form_type)]);
    let request = HttpRequest { permit: &permit, url, method: Method::POST, headers, body: Bytes::from(form) };
    let reply = egress.http(request).await.map_err(|error| match error {
        NetworkError::Denied(_) => TokenFailure::from(error),
        // This call has used up its quota; the next one has not.
        NetworkError::Limit(_) => TokenFailure { error: error.into(), retry_after: Duration::ZERO },
        // Distinct from a failure of the plugin's own request, which may concern that one delivery only.
        other => unusable(format!("no token from {}: {other}", permit.host())).into(),
    })?;
    let source = format!("{} for the credential `{}`", permit.host(), credential.name);
    parse_reply(&reply, &source)
        .map_err(|why| TokenFailure { error: ExchangeError::Credential(why), retry_after: retry_after(&reply, now) })
}

/// Reads the token endpoint's reply. Fails with the reason why the credential cannot be used for now. The reply is
/// quoted only if it is an error code, since the endpoint saw the assertion.
fn parse_reply(reply: &HttpReply, source: &str) -> Result<(HeaderValue, Duration), String> {
    if reply.status != 200 {
        let code = serde_json::from_slice::<ErrorAnswer>(&reply.body).ok().map(|answer| answer.error);
        let is_code = |code: &String| {
            (1..=tidings_domain::limits::NAME_BYTES).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        let code = code.filter(is_code).map(|code| format!(" ({code})")).unwrap_or_default();
        return Err(format!("HTTP {}{code} instead of a token from {source}", reply.status));
    }
    let invalid = || format!("no token in the answer from {source}");
    let answer: TokenAnswer = serde_json::from_slice(&reply.body).map_err(|_| invalid())?;
    let fits = (1..=limits::TOKEN_BYTES).contains(&answer.access_token.len());
    let value = HeaderValue::from_str(&format!("Bearer {}", answer.access_token));
    let mut value = value.ok().filter(|_| fits).ok_or_else(invalid)?;
    value.set_sensitive(true);
    let age = answer.expires_in.map_or(limits::TOKEN_AGE, Duration::from_secs).min(limits::TOKEN_AGE);
    Ok((value, age.saturating_sub(limits::TOKEN_EXPIRY_MARGIN)))
}

/// How long no request follows this refusal: the time in either form of `Retry-After` (RFC 9110, 10.2.3), within
/// limits.
fn retry_after(reply: &HttpReply, now: SystemTime) -> Duration {
    let asked = reply.headers.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value.trim());
    let seconds = |value: &str| value.parse().ok().map(Duration::from_secs);
    let date = |value: &str| httpdate::parse_http_date(value).ok()?.duration_since(now).ok();
    let asked = asked.and_then(|value| seconds(value).or_else(|| date(value))).unwrap_or_default();
    asked.clamp(limits::TOKEN_RETRY_MIN, limits::TOKEN_RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> HttpReply {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HttpReply { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn the_wait_that_a_token_server_asks_for_is_bounded() {
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
            assert_eq!(retry_after(&reply(503, &headers, ""), noon), Duration::from_secs(expected), "{value:?}");
        }
    }

    #[test]
    fn a_token_is_used_for_its_lifetime_and_an_hour_without_one() {
        for (lifetime, expected) in [(r#","expires_in":600"#, 540), ("", 3540), (r#","expires_in":99999"#, 3540)] {
            let body = format!(r#"{{"access_token":"t1"{lifetime}}}"#);
            let (value, valid_for) = parse_reply(&reply(200, &[], &body), "here").expect("a token");
            assert_eq!((value.as_bytes(), valid_for), (b"Bearer t1".as_slice(), Duration::from_secs(expected)));
        }
    }
}
