//! From deliveries to requests, and from ntfy's answers to outcomes.

use serde_json::Value;
use tidings_plugin::batch::{self, EXCHANGE_MS};
use tidings_plugin::host::Host;
use tidings_plugin::http::{Request, Response};
use tidings_plugin::web::{self, Server};
use tidings_plugin::{Delivery, Outcome};

use crate::message::{MESSAGE_OCTETS, SHORT_OCTETS, message};
use crate::settings::Settings;

/// When a topic that is closed to the channel is tried again, in milliseconds: a person has to act first.
const CLOSED_MS: u64 = 3_600_000;

/// Publishes them in order.
pub fn deliver(host: &impl Host, settings: &Settings, deliveries: &[Delivery]) -> Vec<Outcome> {
    batch::one_by_one(host, deliveries, |delivery| {
        let publish = |octets| host.send(&request(settings, message(settings, delivery, octets)));
        let answer = match publish(MESSAGE_OCTETS) {
            // The server's limit is lower than usual: shortly, before the whole channel is troubled.
            Ok(response) if response.status == 413 => publish(SHORT_OCTETS),
            answer => answer,
        };
        match answer {
            Ok(response) => judge(&response, host.now_ms()),
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

/// What the answer means. ntfy counts requests, messages and bytes by who publishes, which is the channel: any 429 is its
/// trouble. A refused token (401) is too; 403 is about the topic, which may be reserved by somebody, and says nothing
/// about the others.
fn judge(response: &Response, now_ms: u64) -> Outcome {
    match response.status {
        200..=299 => Outcome::Delivered(receipt(response)),
        401 | 413 | 429 => web::trouble(response, now_ms),
        403 => Outcome::retry_after(
            Some(CLOSED_MS),
            format!("the topic is closed to this channel: {}", web::describe(response)),
        ),
        408 | 425 | 500..=599 => web::retry(response, now_ms),
        // Nothing but a message of its own comes from an ntfy server: this is none, or not at its root.
        300..=399 | 404 | 405 => Outcome::trouble(None, format!("no ntfy server: {}", web::describe(response))),
        _ => Outcome::Rejected(web::describe(response)),
    }
}

/// The server's id of the message.
fn receipt(response: &Response) -> Option<String> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    Some(answer["id"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use tidings_plugin::http::Error;
    use tidings_plugin::testing::{FakeHost, answer, confirmation, delivery, parts};

    use super::*;

    /// The outcome's kind, its wait, and its words.
    fn sent(answers: Vec<Result<Response, Error>>) -> (&'static str, Option<u64>, String) {
        let far = FakeHost::answering(answers);
        let delivery = delivery("ralph-topic", confirmation());
        let outcome = deliver(&far, &Settings::read(|_| None).unwrap(), &[delivery]).remove(0);
        assert_eq!(far.answers_left(), 0);
        assert!(far.requests().iter().all(|request| request.method == "POST" && request.url == "https://ntfy.sh/"));
        let (kind, after, words) = parts(&outcome);
        (kind, after, words.to_owned())
    }

    #[test]
    fn each_answer_has_its_outcome() {
        let date = Some("Tue, 24 Nov 2026 12:01:00 GMT");
        for (status, retry_after, kind, wait) in [
            (200, None, "delivered", None),
            (301, None, "trouble", None),
            (400, None, "rejected", None),
            (401, None, "trouble", None),
            (403, None, "retry", Some(CLOSED_MS)),
            (404, None, "trouble", None),
            (429, None, "trouble", None),
            (429, Some("30"), "trouble", Some(30_000)),
            (429, date, "trouble", Some(60_000)),
            (500, None, "retry", None),
            (503, Some("30"), "retry", Some(30_000)),
            (507, None, "retry", None),
        ] {
            let headers: Vec<_> = retry_after.map(|value| ("retry-after", value)).into_iter().collect();
            let (got, after, _) = sent(vec![answer(status, &headers, "{}")]);
            assert_eq!((got, after), (kind, wait), "{status} {retry_after:?}");
        }
        assert_eq!(sent(vec![Err(Error::Failed("reset".into()))]).0, "retry");
        assert_eq!(sent(vec![Err(Error::Denied("no grant".into()))]).0, "trouble");
    }

    #[test]
    fn the_servers_id_is_the_receipt() {
        assert_eq!(sent(vec![answer(200, &[], r#"{"id": "xE73Iyuabi", "event": "message"}"#)]).2, "xE73Iyuabi");
    }

    #[test]
    fn what_is_too_large_is_tried_shortly_before_it_is_trouble() {
        assert_eq!(sent(vec![answer(413, &[], ""), answer(200, &[], "{}")]).0, "delivered");
        assert_eq!(sent(vec![answer(413, &[], ""), answer(413, &[], "")]).0, "trouble");
    }
}
