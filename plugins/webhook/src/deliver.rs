//! Sends a batch, and maps responses to outcomes. It must not know the content of a body.

use std::collections::BTreeSet;

use tidings_plugin::batch::{self, EXCHANGE_MS};
use tidings_plugin::host::Host;
use tidings_plugin::http::{Error, Request, Response};
use tidings_plugin::web::{self, Server};
use tidings_plugin::{Delivery, Outcome};

use crate::settings::{Settings, Target};
use crate::{payload, template};

/// Sends the deliveries in order. A server that times out gets no more requests in this batch, so that it does not delay
/// the other deliveries again.
pub fn deliver(host: &impl Host, settings: &Settings, deliveries: &[Delivery]) -> Vec<Outcome> {
    let mut timed_out = BTreeSet::new();
    batch::one_by_one(host, deliveries, |delivery| {
        let request = request(settings, delivery, host.now_ms() / 1000);
        let origin = origin(&request.url).to_owned();
        if timed_out.contains(&origin) {
            return Outcome::retry("not sent: the server timed out earlier in this batch");
        }
        let result = host.send(&request);
        if matches!(result, Err(Error::Timeout)) {
            timed_out.insert(origin);
        }
        match result {
            Ok(response) => outcome(settings, &response, host.now_ms()),
            Err(error) => web::failure(&error, server(settings)),
        }
    })
}

/// The scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let path = url.find("://").and_then(|at| url[at + 3..].find(['/', '?']).map(|path| at + 3 + path));
    &url[..path.unwrap_or(url.len())]
}

fn server(settings: &Settings) -> Server {
    match settings.target {
        Target::PerUser { .. } => Server::Recipient,
        Target::Shared { .. } => Server::Channel,
    }
}

/// The request of a delivery. It is the same in every attempt, except for its timestamp and signature.
pub fn request(settings: &Settings, delivery: &Delivery, now_s: u64) -> Request {
    let field = |name: &str| payload::field(delivery, name);
    let body = match &settings.body {
        None => payload::json(delivery),
        Some(template) => template.fill(field),
    };
    let url = match &settings.target {
        Target::PerUser { .. } => delivery.recipient.address.clone(),
        Target::Shared { url, .. } => template::url(url, field),
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

/// The outcome of a response. If all users share the server, an authentication error is trouble of the channel.
fn outcome(settings: &Settings, response: &Response, now_ms: u64) -> Outcome {
    let (reason, shared) = (web::describe(response), server(settings) == Server::Channel);
    match response.status {
        200..=299 => Outcome::Delivered(Some(format!("HTTP {}", response.status))),
        410 if matches!(settings.target, Target::Shared { personal: false, .. }) => web::trouble(response, now_ms),
        410 => Outcome::gone(reason),
        401 | 403 if shared => web::trouble(response, now_ms),
        429 if shared => web::trouble(response, now_ms),
        408 | 425 | 429 | 500..=599 => web::retry(response, now_ms),
        300..=399 => Outcome::Rejected(format!("{reason} (redirects are not followed)")),
        _ => Outcome::Rejected(reason),
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
        let host = FakeHost::answering(answers);
        let batch: Vec<_> = addresses.iter().map(|address| delivery(address)).collect();
        (deliver(&host, &settings(url), &batch), host)
    }

    #[test]
    fn each_response_maps_to_its_outcome() {
        let after = |ms| Outcome::retry_after(ms, "x");
        let rejected = Outcome::Rejected("x".into());
        let trouble = |ms| Outcome::trouble(ms, "x");
        let seconds = [("retry-after", "120")];
        let date = [("retry-after", "Tue, 24 Nov 2026 12:01:00 GMT")];
        let (none, delivered) = (&[][..], Outcome::Delivered(None));
        for (status, headers, per_user, shared) in [
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
            for (url, expected) in [(None, per_user), (Some("https://h.example/"), shared)] {
                let (got, _) = outcomes(url, &["https://a.example/"], vec![answer(status, headers)]);
                assert_eq!(without_texts(&got[0]), without_texts(&expected), "{status} {url:?}");
            }
        }
        let (got, _) = outcomes(Some("https://h.example/{address}"), &["ralph"], vec![answer(410, &[])]);
        assert_eq!(without_texts(&got[0]), Outcome::gone(""));
    }

    /// The outcome without receipt and reason.
    fn without_texts(outcome: &Outcome) -> Outcome {
        match outcome {
            Outcome::Delivered(_) => Outcome::Delivered(None),
            Outcome::Retry(retry) => Outcome::retry_after(retry.after_ms, ""),
            Outcome::Rejected(_) => Outcome::Rejected(String::new()),
            Outcome::AddressGone(_) => Outcome::gone(""),
            Outcome::ChannelTrouble(trouble) => Outcome::trouble(trouble.after_ms, ""),
        }
    }

    #[test]
    fn a_server_that_times_out_gets_one_request_of_a_batch_and_the_others_all() {
        let addresses = ["https://a.example/1", "https://b.example/", "https://a.example?2", "https://a.example:8443/"];
        let (got, host) = outcomes(None, &addresses, vec![Err(Error::Timeout), answer(200, &[]), answer(200, &[])]);
        let delivered: Vec<_> = got.iter().map(|outcome| matches!(outcome, Outcome::Delivered(_))).collect();
        assert_eq!(delivered, [false, true, false, true]);
        assert!(matches!(got[2], Outcome::Retry(_)));
        let urls: Vec<_> = host.requests().into_iter().map(|request| request.url).collect();
        assert_eq!(urls, [addresses[0], addresses[1], addresses[3]]);
    }

    #[test]
    fn attempts_differ_only_in_timestamp_and_signature() {
        let settings = settings(Some("https://h.example/{address}"));
        let attempt = |now_s| request(&settings, &delivery("../x"), now_s);
        let (first, second) = (attempt(1), attempt(2));
        assert_eq!(first.url, "https://h.example/%2E%2E%2Fx");
        assert_eq!((&first.url, &first.body, first.redirects), (&second.url, &second.body, 0));
        let differ = first.headers.iter().zip(&second.headers).filter(|(a, b)| a != b);
        let differ: Vec<_> = differ.map(|(header, _)| &header.0).collect();
        assert_eq!(differ, ["webhook-timestamp", "webhook-signature"]);
        assert!(first.headers.contains(&("webhook-id".into(), "0123456789abcdef0123456789abcdef".into())));
        let body: serde_json::Value = serde_json::from_slice(&first.body).unwrap();
        assert_eq!(body["type"], "notification.confirmation");
        assert_eq!(body["data"]["code"], "K7QX");
    }
}
