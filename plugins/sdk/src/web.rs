//! The outcome of an HTTP response, or of its absence, as far as all protocols agree.

use crate::Outcome;
use crate::http::{Error, Response};
use crate::text::HeaderSafe;
use crate::time;

/// How much of a response's body a reason quotes, in characters.
const QUOTE_CHARS: usize = 200;

/// Who uses the server, and so which deliveries fail with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// All users of the channel.
    Channel,
    /// This recipient alone.
    Recipient,
}

/// The value of the header of this name, without regard to case.
pub fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The wait that the server asks for, in milliseconds: `Retry-After` as seconds or as a date (RFC 9110, 10.2.3).
pub fn retry_after_ms(response: &Response, now_ms: u64) -> Option<u64> {
    let value = header(response, "retry-after")?;
    match value.parse::<u64>() {
        Ok(seconds) => Some(seconds.saturating_mul(1000)),
        Err(_) => time::http_date(value).map(|at| at.saturating_sub(now_ms)),
    }
}

/// Describes a response in one line: its status and the beginning of its body.
pub fn describe(response: &Response) -> String {
    // A character has at most four bytes. This avoids a copy of a large body.
    let start = &response.body[..response.body.len().min(QUOTE_CHARS * 4)];
    let quote = HeaderSafe::flatten(&String::from_utf8_lossy(start)).truncate(QUOTE_CHARS);
    match quote.is_empty() {
        true => format!("HTTP {}", response.status),
        false => format!("HTTP {}: {quote}", response.status),
    }
}

/// A temporary failure of this delivery, with the wait that the server asks for.
pub fn retry(response: &Response, now_ms: u64) -> Outcome {
    Outcome::retry_after(retry_after_ms(response, now_ms), describe(response))
}

/// A failure of the channel, with the pause that the server asks for.
pub fn trouble(response: &Response, now_ms: u64) -> Outcome {
    Outcome::trouble(retry_after_ms(response, now_ms), describe(response))
}

/// The outcome of a request without a response.
pub fn failure(error: &Error, server: Server) -> Outcome {
    let (temporary, reason) = match error {
        Error::Denied(why) => (false, format!("not granted: {why}")),
        Error::Invalid(why) => (false, format!("invalid request: {why}")),
        Error::Unresolved(why) => (true, format!("the name of the server does not resolve: {why}")),
        Error::Failed(why) => (true, format!("no response: {why}")),
        Error::Timeout => (true, "no response in time; the request may have arrived".to_owned()),
        Error::Tls(why) => (true, format!("no TLS: {why}")),
        Error::Limit(why) => (true, format!("the response exceeds a limit: {why}")),
    };
    match (server, error) {
        (Server::Recipient, _) if temporary => Outcome::retry(reason),
        (Server::Recipient, _) => Outcome::Rejected(reason),
        // This delivery may have caused a broken connection. Other errors concern all deliveries.
        (Server::Channel, Error::Failed(_) | Error::Limit(_)) => Outcome::retry(reason),
        (Server::Channel, _) => Outcome::trouble(None, reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 12:00:00 UTC.
    const NOON_MS: u64 = 1_795_521_600_000;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Response { status, headers, body: body.into() }
    }

    #[test]
    fn both_forms_of_retry_after_are_understood() {
        for (value, expected) in [
            ("120", Some(120_000)),
            (" 7 ", Some(7_000)),
            ("Tue, 24 Nov 2026 12:02:00 GMT", Some(120_000)),
            ("Tue, 24 Nov 2026 11:00:00 GMT", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("-1", None),
            ("soon", None),
        ] {
            let response = response(429, &[("x", "1"), ("Retry-After", value)], "");
            assert_eq!(retry_after_ms(&response, NOON_MS), expected, "{value}");
        }
        assert_eq!(retry_after_ms(&response(429, &[], ""), NOON_MS), None);
    }

    #[test]
    fn a_described_response_is_one_short_line() {
        assert_eq!(describe(&response(500, &[], "")), "HTTP 500");
        assert_eq!(describe(&response(403, &[], "<b>no\r\n\u{1b}[2J\n")), "HTTP 403: <b>no [2J");
        assert!(describe(&response(403, &[], &"ü".repeat(100_000))).chars().count() <= QUOTE_CHARS + 10);
    }

    #[test]
    fn a_failure_concerns_the_recipient_or_the_channel() {
        let word = |outcome| match outcome {
            Outcome::Retry(_) => "retry",
            Outcome::Rejected(_) => "rejected",
            Outcome::ChannelTrouble(_) => "trouble",
            other => panic!("{other:?}"),
        };
        for (error, recipient, channel) in [
            (Error::Denied("x".into()), "rejected", "trouble"),
            (Error::Invalid("x".into()), "rejected", "trouble"),
            (Error::Unresolved("x".into()), "retry", "trouble"),
            (Error::Failed("x".into()), "retry", "retry"),
            (Error::Timeout, "retry", "trouble"),
            (Error::Tls("x".into()), "retry", "trouble"),
            (Error::Limit("x".into()), "retry", "retry"),
        ] {
            assert_eq!(word(failure(&error, Server::Recipient)), recipient, "{error:?}");
            assert_eq!(word(failure(&error, Server::Channel)), channel, "{error:?}");
        }
    }
}
