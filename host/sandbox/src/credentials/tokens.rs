//! Bearer tokens, kept for one channel until shortly before they expire. One request at a time asks for a token, the others
//! wait for what it gets; after a failure nobody asks again for a while. The token's host is reached under the channel's
//! grants and on the call's own account, as everything else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use tidings_domain::grant::{Credential, Grants};
use tidings_domain::limits;

use super::{Proof, ServiceAccount};
use crate::capabilities::http::{HttpError, permit};
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
    answer: Result<HeaderValue, HttpError>,
    until: Instant,
}

/// RFC 6749, 5.1.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// Seconds.
    expires_in: u64,
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
    ) -> Result<(HeaderValue, bool), HttpError> {
        let slot = self.slot(&credential.name);
        let mut known = slot.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.until) {
            return known.answer.clone().map(|value| (value, true));
        }
        let (answer, lasts) = match trade(grants, egress, credential).await {
            Ok((value, lasts)) => (Ok(value), lasts),
            Err(error) => (Err(error), limits::TOKEN_FAILURE_REST),
        };
        *known = Some(Known { answer: answer.clone(), until: Instant::now() + lasts });
        answer.map(|value| (value, false))
    }

    /// The far side refused this proof. Whether another one is worth a try: it was a token that had been good before. A
    /// token that was refused when it was new would be followed by another such.
    pub(crate) async fn refused(&self, credential: &Credential, proof: &Proof) -> bool {
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
async fn trade(
    grants: &Grants,
    egress: &Egress,
    credential: &Credential,
) -> Result<(HeaderValue, Duration), HttpError> {
    let denied = |why: String| NetworkError::Denied(format!("the credential `{}`: {why}", credential.name));
    let account = ServiceAccount::read(credential.value.expose()).map_err(|problem| denied(problem.to_string()))?;
    let url = &account.token_uri;
    let permit = permit(grants, url)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let form = account.form(now).ok_or_else(|| denied("its key does not sign".to_owned()))?;
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, form_type)]);
    let request = HttpRequest { permit: &permit, url, method: Method::POST, headers, body: Bytes::from(form) };
    let reply = egress.http(request).await.map_err(|error| match error {
        // Told apart from a failure of the request itself, which may be that one delivery's.
        NetworkError::Failed(why) | NetworkError::Limit(why) => {
            denied(format!("no token from {}: {why}", permit.host()))
        }
        other => other,
    })?;
    let whence = format!("{} for the credential `{}`", permit.host(), credential.name);
    Ok(read(&reply, &whence)?)
}

/// What the token endpoint said. Whatever is not a token leaves the credential unusable for now. Its words are quoted only where they are an error code: it saw the assertion.
fn read(reply: &HttpReply, whence: &str) -> Result<(HeaderValue, Duration), NetworkError> {
    if reply.status != 200 {
        let code = serde_json::from_slice::<ErrorAnswer>(&reply.body).ok().map(|answer| answer.error);
        let is_code = |code: &String| {
            (1..=limits::NAME_BYTES).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        let code = code.filter(is_code).map(|code| format!(" ({code})")).unwrap_or_default();
        return Err(NetworkError::Denied(format!("HTTP {}{code} instead of a token from {whence}", reply.status)));
    }
    let nonsense = || NetworkError::Denied(format!("no token in the answer from {whence}"));
    let answer: TokenAnswer = serde_json::from_slice(&reply.body).map_err(|_| nonsense())?;
    let good = (1..=limits::TOKEN_BYTES).contains(&answer.access_token.len());
    let value = HeaderValue::from_str(&format!("Bearer {}", answer.access_token));
    let mut value = value.ok().filter(|_| good).ok_or_else(nonsense)?;
    value.set_sensitive(true);
    let lasts = Duration::from_secs(answer.expires_in).min(limits::TOKEN_AGE).saturating_sub(limits::TOKEN_EARLY);
    Ok((value, lasts))
}
