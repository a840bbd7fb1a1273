//! Requests to the homeserver, and the classification of its errors ("Standard error response" of the specification). It
//! must not know what a request is for.

use serde_json::Value;
use tidings_plugin::Outcome;
use tidings_plugin::batch::EXCHANGE_MS;
use tidings_plugin::host::Host;
use tidings_plugin::http::{Request, Response};
use tidings_plugin::web::{self, Server};

use crate::settings::Settings;

/// Error codes that concern the account of the channel or the server, whatever the request was.
const ACCOUNT_CODES: [&str; 7] = [
    "M_UNKNOWN_TOKEN",
    "M_MISSING_TOKEN",
    "M_USER_DEACTIVATED",
    "M_USER_LOCKED",
    "M_USER_SUSPENDED",
    "M_CONSENT_NOT_GIVEN",
    "M_RESOURCE_LIMIT_EXCEEDED",
];

/// A client of the homeserver with the account of the channel.
pub struct Api<'a, H> {
    pub host: &'a H,
    pub settings: &'a Settings,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiError {
    /// The delivery gets this outcome, whatever the request was.
    Outcome(Outcome),
    /// The request is not allowed, or its object does not exist (403, 404). The outcome depends on the request.
    Refused { code: String, reason: String },
}

impl<H: Host> Api<'_, H> {
    /// Sends a request for a path below `/_matrix/client/v3`, given by its segments; returns the body of the response.
    pub fn request(&self, method: &str, segments: &[&str], body: Option<&Value>) -> Result<Value, ApiError> {
        let path: String = segments.iter().map(|segment| format!("/{}", encode(segment))).collect();
        let request = Request {
            method: method.to_owned(),
            url: format!("{}/_matrix/client/v3{path}", self.settings.homeserver),
            headers: body.iter().map(|_| ("content-type".to_owned(), "application/json".to_owned())).collect(),
            body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            credential: Some(self.settings.credential.clone()),
            redirects: 0,
            timeout_ms: Some(EXCHANGE_MS),
        };
        match self.host.send(&request) {
            Ok(response) => classify(&response, self.host.now_ms()),
            Err(error) => Err(ApiError::Outcome(web::failure(&error, Server::Channel))),
        }
    }
}

fn classify(response: &Response, now_ms: u64) -> Result<Value, ApiError> {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if (200..300).contains(&response.status) {
        return Ok(body);
    }
    let reason = web::describe(response);
    let code = body["errcode"].as_str().unwrap_or_default();
    let outcome = match response.status {
        _ if ACCOUNT_CODES.contains(&code) => web::trouble(response, now_ms),
        401 => web::trouble(response, now_ms),
        429 => {
            let wait_ms = web::retry_after_ms(response, now_ms).or(body["retry_after_ms"].as_u64());
            Outcome::trouble(wait_ms, reason)
        }
        403 | 404 if !code.is_empty() && code != "M_UNRECOGNIZED" => {
            return Err(ApiError::Refused { code: code.to_owned(), reason });
        }
        300..=399 | 403..=405 => Outcome::trouble(None, format!("the server is not a Matrix homeserver: {reason}")),
        408 | 500..=599 => web::retry(response, now_ms),
        _ => Outcome::Rejected(reason),
    };
    Err(ApiError::Outcome(outcome))
}

/// Percent-encodes a segment of a path, except for the unreserved characters of RFC 3986.
fn encode(segment: &str) -> String {
    let octet = |octet: u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(octet).to_string(),
        octet => format!("%{octet:02X}"),
    };
    segment.bytes().map(octet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_response_is_classified_by_its_status_and_error_code() {
        let date = ("retry-after", "Tue, 24 Nov 2026 12:01:00 GMT");
        for (status, code, header, expected) in [
            (200, "", None, "done"),
            (401, "M_UNKNOWN_TOKEN", None, "trouble None"),
            (401, "", None, "trouble None"),
            (403, "M_USER_DEACTIVATED", None, "trouble None"),
            (403, "M_RESOURCE_LIMIT_EXCEEDED", None, "trouble None"),
            (403, "M_FORBIDDEN", None, "refused M_FORBIDDEN"),
            (404, "M_NOT_FOUND", None, "refused M_NOT_FOUND"),
            (404, "M_UNRECOGNIZED", None, "trouble None"),
            (404, "", None, "trouble None"),
            (302, "", None, "trouble None"),
            (429, "M_LIMIT_EXCEEDED", None, "trouble Some(1500)"),
            (429, "M_LIMIT_EXCEEDED", Some(("retry-after", "30")), "trouble Some(30000)"),
            (429, "M_LIMIT_EXCEEDED", Some(date), "trouble Some(60000)"),
            (400, "M_BAD_JSON", None, "rejected"),
            (413, "M_TOO_LARGE", None, "rejected"),
            (500, "M_UNKNOWN", None, "retry None"),
            (502, "", Some(("retry-after", "30")), "retry Some(30000)"),
        ] {
            let body = serde_json::json!({"errcode": code, "error": "x", "retry_after_ms": 1500});
            let headers = header.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let response = Response {
                status,
                headers: headers.into_iter().collect(),
                body: if code.is_empty() { b"<html>".to_vec() } else { body.to_string().into_bytes() },
            };
            let got = match classify(&response, 1_795_521_600_000) {
                Ok(_) => "done".to_owned(),
                Err(ApiError::Refused { code, .. }) => format!("refused {code}"),
                Err(ApiError::Outcome(Outcome::ChannelTrouble(trouble))) => format!("trouble {:?}", trouble.after_ms),
                Err(ApiError::Outcome(Outcome::Retry(retry))) => format!("retry {:?}", retry.after_ms),
                Err(ApiError::Outcome(_)) => "rejected".to_owned(),
            };
            assert_eq!(got, expected, "{status} {code} {header:?}");
        }
    }

    #[test]
    fn a_value_with_slashes_stays_one_segment() {
        assert_eq!(encode("!a/../b?c:example.org"), "%21a%2F..%2Fb%3Fc%3Aexample.org");
    }
}
