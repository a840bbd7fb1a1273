//! Publishes a batch, and maps the responses of the server to outcomes. It must not know the content of a message.

use serde_json::Value;
use tidings_plugin::batch::{self, EXCHANGE_MS};
use tidings_plugin::host::Host;
use tidings_plugin::http::{Request, Response};
use tidings_plugin::web::{self, Server};
use tidings_plugin::{Delivery, Outcome};

use crate::message::{MESSAGE_OCTETS, SHORT_OCTETS, message};
use crate::settings::Settings;

/// The wait after the server forbids a topic, in milliseconds. It is long because the access rights must be changed first.
const FORBIDDEN_WAIT_MS: u64 = 3_600_000;

/// Publishes the deliveries in order.
pub fn deliver(host: &impl Host, settings: &Settings, deliveries: &[Delivery]) -> Vec<Outcome> {
    batch::one_by_one(host, deliveries, |delivery| {
        let publish = |octets| host.send(&request(settings, message(settings, delivery, octets)));
        let result = match publish(MESSAGE_OCTETS) {
            // The server has a smaller limit than usual. A second refusal is trouble of the channel.
            Ok(response) if response.status == 413 => publish(SHORT_OCTETS),
            result => result,
        };
        match result {
            Ok(response) => outcome(&response, host.now_ms()),
            Err(error) => web::failure(&error, Server::Channel),
        }
    })
}

fn request(settings: &Settings, body: Vec<u8>) -> Request {
    Request {
        method: "POST".into(),
        url: settings.server.clone(),
        headers: vec![("content-type".into(), "application/json".into())],
        body,
        credential: settings.credential.clone(),
        redirects: 0,
        timeout_ms: Some(EXCHANGE_MS),
    }
}

/// The outcome of a response. ntfy limits requests, messages and bytes for each publisher, which is the channel, so 429 is
/// trouble of the channel, and so is a refused token (401). 403 concerns one topic, which another user may have reserved.
fn outcome(response: &Response, now_ms: u64) -> Outcome {
    match response.status {
        200..=299 => Outcome::Delivered(receipt(response)),
        401 | 413 | 429 => web::trouble(response, now_ms),
        403 => Outcome::retry_after(
            Some(FORBIDDEN_WAIT_MS),
            format!("the server forbids this channel to publish to the topic: {}", web::describe(response)),
        ),
        408 | 425 | 500..=599 => web::retry(response, now_ms),
        // An ntfy server does not respond so at its root.
        300..=399 | 404 | 405 => {
            Outcome::trouble(None, format!("the URL is not that of an ntfy server: {}", web::describe(response)))
        }
        _ => Outcome::Rejected(web::describe(response)),
    }
}

/// The id that the server gave the message.
fn receipt(response: &Response) -> Option<String> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    Some(body["id"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use tidings_plugin::http::Error;
    use tidings_plugin::testing::{FakeHost, answer, confirmation, delivery, parts};

    use super::*;

    /// Publishes one delivery; returns the kind of its outcome, its wait, and its text.
    fn publish(answers: Vec<Result<Response, Error>>) -> (&'static str, Option<u64>, String) {
        let host = FakeHost::answering(answers);
        let delivery = delivery("ralph-topic", confirmation());
        let outcome = deliver(&host, &Settings::read(|_| None).unwrap(), &[delivery]).remove(0);
        assert_eq!(host.answers_left(), 0);
        assert!(host.requests().iter().all(|request| request.method == "POST" && request.url == "https://ntfy.sh/"));
        let (kind, after, text) = parts(&outcome);
        (kind, after, text.to_owned())
    }

    #[test]
    fn each_response_maps_to_its_outcome() {
        let date = Some("Tue, 24 Nov 2026 12:01:00 GMT");
        for (status, retry_after, kind, wait) in [
            (200, None, "delivered", None),
            (301, None, "trouble", None),
            (400, None, "rejected", None),
            (401, None, "trouble", None),
            (403, None, "retry", Some(FORBIDDEN_WAIT_MS)),
            (404, None, "trouble", None),
            (429, None, "trouble", None),
            (429, Some("30"), "trouble", Some(30_000)),
            (429, date, "trouble", Some(60_000)),
            (500, None, "retry", None),
            (503, Some("30"), "retry", Some(30_000)),
            (507, None, "retry", None),
        ] {
            let headers: Vec<_> = retry_after.map(|value| ("retry-after", value)).into_iter().collect();
            let (got, after, _) = publish(vec![answer(status, &headers, "{}")]);
            assert_eq!((got, after), (kind, wait), "{status} {retry_after:?}");
        }
        assert_eq!(publish(vec![Err(Error::Failed("reset".into()))]).0, "retry");
        assert_eq!(publish(vec![Err(Error::Denied("no grant".into()))]).0, "trouble");
    }

    #[test]
    fn the_id_of_the_message_is_the_receipt() {
        assert_eq!(publish(vec![answer(200, &[], r#"{"id": "xE73Iyuabi", "event": "message"}"#)]).2, "xE73Iyuabi");
    }

    #[test]
    fn a_message_that_is_too_large_is_sent_again_in_short_and_only_a_second_413_is_trouble() {
        assert_eq!(publish(vec![answer(413, &[], ""), answer(200, &[], "{}")]).0, "delivered");
        assert_eq!(publish(vec![answer(413, &[], ""), answer(413, &[], "")]).0, "trouble");
    }
}
