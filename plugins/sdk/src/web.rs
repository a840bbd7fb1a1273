//! What an HTTP answer, or the lack of one, means for a delivery, where protocols agree.

use crate::Outcome;
use crate::http::{Error, Response};
use crate::text::HeaderSafe;
use crate::time;

/// How much of an answer's body a reason quotes, in characters.
const QUOTE_CHARS: usize = 200;

/// Whose the server is, and so who is hurt when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The channel's, for all its users.
    Channel,
    /// The recipient's own; its failures are this delivery's.
    Recipient,
}

/// The value of a header of this (lower-case) name, if it is there.
pub fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// How long the server asks to be left alone, in milliseconds: `Retry-After` as seconds or as a date (RFC 9110, 10.2.3).
pub fn retry_after_ms(response: &Response, now_ms: u64) -> Option<u64> {
    let value = header(response, "retry-after")?;
    match value.parse::<u64>() {
        Ok(seconds) => Some(seconds.saturating_mul(1000)),
        Err(_) => time::http_date(value).map(|at| at.saturating_sub(now_ms)),
    }
}

/// The answer in one line: its status, and the beginning of what it said.
pub fn said(response: &Response) -> String {
    // Four bytes a character at most, so that a large body is not copied for a short quote.
    let start = &response.body[..response.body.len().min(QUOTE_CHARS * 4)];
    let quote = HeaderSafe::flatten(&String::from_utf8_lossy(start)).truncate(QUOTE_CHARS);
    match quote.is_empty() {
        true => format!("HTTP {}", response.status),
        false => format!("HTTP {}: {quote}", response.status),
    }
}

/// A passing failure of this delivery, with the wait that the server asked for.
pub fn retry(response: &Response, now_ms: u64) -> Outcome {
    Outcome::retry_after(retry_after_ms(response, now_ms), said(response))
}

/// The channel's trouble, with the rest that the server asked for.
pub fn trouble(response: &Response, now_ms: u64) -> Outcome {
    Outcome::trouble(retry_after_ms(response, now_ms), said(response))
}

/// There was no answer.
pub fn failure(error: &Error, server: Server) -> Outcome {
    let (passing, reason) = match error {
        Error::Denied(why) => (false, format!("not granted: {why}")),
        Error::Invalid(why) => (false, format!("no request: {why}")),
        Error::Unresolved(why) => (true, format!("the server's name does not resolve: {why}")),
        Error::Failed(why) => (true, format!("no answer: {why}")),
        Error::Timeout => (true, "no answer in time; it may have arrived".to_owned()),
        Error::Tls(why) => (true, format!("no TLS: {why}")),
        Error::Limit(why) => (true, format!("an answer beyond the limits: {why}")),
    };
    match (server, error) {
        (Server::Recipient, _) if passing => Outcome::retry(reason),
        (Server::Recipient, _) => Outcome::Rejected(reason),
        // A connection that breaks may be this delivery's doing; the rest is everybody's.
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
    fn a_quoted_answer_is_one_short_line() {
        assert_eq!(said(&response(500, &[], "")), "HTTP 500");
        assert_eq!(said(&response(403, &[], "<b>no\r\n\u{1b}[2J\n")), "HTTP 403: <b>no [2J");
        assert!(said(&response(403, &[], &"ü".repeat(100_000))).chars().count() <= QUOTE_CHARS + 10);
    }

    #[test]
    fn a_failure_is_the_recipients_or_everybodys() {
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
