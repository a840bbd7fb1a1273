//! From deliveries to requests, and from answers to outcomes.

use std::collections::BTreeSet;

use tidings_plugin::batch::{self, EXCHANGE_MS};
use tidings_plugin::host::Host;
use tidings_plugin::http::{Error, Request, Response};
use tidings_plugin::web::{self, Server};
use tidings_plugin::{Delivery, Outcome};

use crate::settings::{Settings, Target};
use crate::{payload, template};

/// Delivers them in order. A server that does not answer in time is not asked again in this batch: others wait behind it.
pub fn deliver(host: &impl Host, settings: &Settings, deliveries: &[Delivery]) -> Vec<Outcome> {
    let mut silent = BTreeSet::new();
    batch::one_by_one(host, deliveries, |delivery| {
        let request = request(settings, delivery, host.now_ms() / 1000);
        let origin = origin(&request.url).to_owned();
        if silent.contains(&origin) {
            return Outcome::retry("the server did not answer in time just before");
        }
        let answer = host.send(&request);
        if matches!(answer, Err(Error::Timeout)) {
            silent.insert(origin);
        }
        match answer {
            Ok(response) => judge(settings, &response, host.now_ms()),
            Err(error) => web::failure(&error, server(settings)),
        }
    })
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let path = url.find("://").and_then(|at| url[at + 3..].find(['/', '?']).map(|path| at + 3 + path));
    &url[..path.unwrap_or(url.len())]
}

fn server(settings: &Settings) -> Server {
    match settings.target {
        Target::Users { .. } => Server::Recipient,
        Target::One { .. } => Server::Channel,
    }
}

/// The request of a delivery at this time: the same in every attempt but for its time and signature.
pub fn request(settings: &Settings, delivery: &Delivery, now_s: u64) -> Request {
    let field = |name: &str| payload::field(delivery, name);
    let body = match &settings.body {
        None => payload::json(delivery),
        Some(template) => template.fill(field),
    };
    let url = match &settings.target {
        Target::Users { .. } => delivery.recipient.address.clone(),
        Target::One { url, .. } => template::url(url, field),
    };
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("webhook-id", delivery.id.clone()),
        ("webhook-timestamp", now_s.to_string()),
        ("webhook-signature", settings.signer.sign(&delivery.id, now_s, &body)),
    ];
    Request {
        method: "POST".into(),
        url,
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body,
        credential: settings.credential.clone(),
        redirects: 0,
        timeout_ms: Some(EXCHANGE_MS),
    }
}

/// What the server's answer means. Where the server is the channel's, a refusal of who is asking is everybody's trouble.
fn judge(settings: &Settings, response: &Response, now_ms: u64) -> Outcome {
    let (said, channel) = (web::describe(response), server(settings) == Server::Channel);
    match response.status {
        200..=299 => Outcome::Delivered(Some(format!("HTTP {}", response.status))),
        410 if matches!(settings.target, Target::One { personal: false, .. }) => web::trouble(response, now_ms),
        410 => Outcome::gone(said),
        401 | 403 if channel => web::trouble(response, now_ms),
        429 if channel => web::trouble(response, now_ms),
        408 | 425 | 429 | 500..=599 => web::retry(response, now_ms),
        300..=399 => Outcome::Rejected(format!("{said} (redirects are not followed)")),
        _ => Outcome::Rejected(said),
    }
}

#[cfg(test)]
mod tests {
    use tidings_plugin::testing::{self, FakeHost, confirmation};

    use super::*;

    fn settings(url: Option<&str>) -> Settings {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let get = |name: &str| match name {
            "secret" => Some(secret.to_owned()),
            "url" => url.map(str::to_owned),
            _ => None,
        };
        Settings::read(get).unwrap()
    }

    fn delivery(address: &str) -> Delivery {
        testing::delivery(address, confirmation())
    }

    fn answer(status: u16, headers: &[(&str, &str)]) -> Result<Response, Error> {
        testing::answer(status, headers, "said so")
    }

    fn outcomes(
        url: Option<&str>,
        addresses: &[&str],
        answers: Vec<Result<Response, Error>>,
    ) -> (Vec<Outcome>, FakeHost) {
        let far = FakeHost::answering(answers);
        let batch: Vec<_> = addresses.iter().map(|address| delivery(address)).collect();
        (deliver(&far, &settings(url), &batch), far)
    }

    #[test]
    fn each_answer_has_its_outcome() {
        let after = |ms| Outcome::retry_after(ms, "x");
        let rejected = Outcome::Rejected("x".into());
        let trouble = |ms| Outcome::trouble(ms, "x");
        let seconds = [("retry-after", "120")];
        let date = [("retry-after", "Tue, 24 Nov 2026 12:01:00 GMT")];
        let (none, delivered) = (&[][..], Outcome::Delivered(None));
        for (status, headers, users, one) in [
            (200, none, delivered.clone(), delivered.clone()),
            (204, none, delivered.clone(), delivered.clone()),
            (301, &[("location", "https://b.example/")], rejected.clone(), rejected.clone()),
            (400, none, rejected.clone(), rejected.clone()),
            (401, none, rejected.clone(), trouble(None)),
            (403, none, rejected.clone(), trouble(None)),
            (404, none, rejected.clone(), rejected.clone()),
            (408, none, after(None), after(None)),
            (410, none, Outcome::gone("x"), trouble(None)),
            (413, none, rejected.clone(), rejected.clone()),
            (425, none, after(None), after(None)),
            (429, none, after(None), trouble(None)),
            (429, &seconds, after(Some(120_000)), trouble(Some(120_000))),
            (429, &date, after(Some(60_000)), trouble(Some(60_000))),
            (500, none, after(None), after(None)),
            (503, &seconds, after(Some(120_000)), after(Some(120_000))),
        ] {
            for (url, expected) in [(None, users), (Some("https://h.example/"), one)] {
                let (got, _) = outcomes(url, &["https://a.example/"], vec![answer(status, headers)]);
                assert_eq!(plain(&got[0]), plain(&expected), "{status} {url:?}");
            }
        }
        let (got, _) = outcomes(Some("https://h.example/{address}"), &["ralph"], vec![answer(410, &[])]);
        assert_eq!(plain(&got[0]), Outcome::gone(""));
    }

    /// Without the words.
    fn plain(outcome: &Outcome) -> Outcome {
        match outcome {
            Outcome::Delivered(_) => Outcome::Delivered(None),
            Outcome::Retry(retry) => Outcome::retry_after(retry.after_ms, ""),
            Outcome::Rejected(_) => Outcome::Rejected(String::new()),
            Outcome::AddressGone(_) => Outcome::gone(""),
            Outcome::ChannelTrouble(trouble) => Outcome::trouble(trouble.after_ms, ""),
        }
    }

    #[test]
    fn a_silent_server_is_asked_once_in_a_batch_and_others_are_served() {
        let addresses = ["https://a.example/1", "https://b.example/", "https://a.example?2", "https://a.example:8443/"];
        let (got, far) = outcomes(None, &addresses, vec![Err(Error::Timeout), answer(200, &[]), answer(200, &[])]);
        let letters: Vec<_> = got.iter().map(|outcome| matches!(outcome, Outcome::Delivered(_))).collect();
        assert_eq!(letters, [false, true, false, true]);
        assert!(matches!(got[2], Outcome::Retry(_)));
        let asked: Vec<_> = far.requests().into_iter().map(|request| request.url).collect();
        assert_eq!(asked, [addresses[0], addresses[1], addresses[3]]);
    }

    #[test]
    fn a_request_is_the_same_in_every_attempt_but_for_time_and_signature() {
        let settings = settings(Some("https://h.example/{address}"));
        let ask = |now_s| request(&settings, &delivery("../x"), now_s);
        let (one, two) = (ask(1), ask(2));
        assert_eq!(one.url, "https://h.example/%2E%2E%2Fx");
        assert_eq!((&one.url, &one.body, one.redirects), (&two.url, &two.body, 0));
        let differ: Vec<_> = one.headers.iter().zip(&two.headers).filter(|(a, b)| a != b).map(|(a, _)| &a.0).collect();
        assert_eq!(differ, ["webhook-timestamp", "webhook-signature"]);
        assert!(one.headers.contains(&("webhook-id".into(), "0123456789abcdef0123456789abcdef".into())));
        let body: serde_json::Value = serde_json::from_slice(&one.body).unwrap();
        assert_eq!(body["type"], "notification.confirmation");
        assert_eq!(body["data"]["code"], "K7QX");
    }
}
