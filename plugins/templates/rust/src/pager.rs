//! From deliveries to requests, and from answers to outcomes. It knows the host by a trait only, so its tests need none.

use tidings_plugin::batch::{self, EXCHANGE_MS};
use tidings_plugin::host::Host;
use tidings_plugin::http::{Request, Response};
use tidings_plugin::text::HeaderSafe;
use tidings_plugin::web::{self, Server};
use tidings_plugin::{Content, Delivery, Event, Gone, Outcome};

/// A line beyond this is cut; in characters.
const LINE_CHARS: usize = 400;
/// The longest name of a pager, in characters.
const NAME_CHARS: usize = 64;

/// The pager's name in its normal form: the same pager always has the same name.
pub fn check_address(text: &str) -> Result<String, &'static str> {
    let name = text.trim().to_ascii_lowercase();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && name.len() <= NAME_CHARS && name.chars().all(good) {
        return Ok(name);
    }
    Err("a pager's name has up to 64 letters, digits, dots, dashes and underscores")
}

/// One outcome for each delivery, in order. The host hears of each at once, so that a crash later on repeats nothing.
pub fn deliver(host: &impl Host, url: &str, batch: &[Delivery]) -> Vec<Outcome> {
    batch::one_by_one(host, batch, |delivery| match host.send(&request(url, delivery)) {
        Ok(response) => judge(&response, host.now_ms()),
        Err(error) => web::failure(&error, Server::Channel),
    })
}

fn request(url: &str, delivery: &Delivery) -> Request {
    Request {
        method: "POST".into(),
        url: url.into(),
        headers: vec![
            ("content-type".into(), "text/plain; charset=utf-8".into()),
            ("x-pager".into(), delivery.recipient.address.clone()),
            // The same in every attempt: the far side can drop a duplicate by it.
            ("idempotency-key".into(), delivery.id.clone()),
        ],
        body: page(&delivery.content).into_bytes(),
        credential: None,
        redirects: 0,
        timeout_ms: Some(EXCHANGE_MS),
    }
}

/// What is said, in a few lines; of a message its subject, its text and its link.
fn page(content: &Content) -> String {
    match content {
        Content::Single(event) => message(event),
        Content::Digest(digest) => {
            let count = digest.events.len() + digest.omitted as usize;
            let updates = if count == 1 { "1 update".to_owned() } else { format!("{count} updates") };
            let summary = digest.summary.join("; ");
            line(&if summary.is_empty() { updates } else { format!("{updates}: {summary}") })
        }
        // Anyone who reads this pager says whether notifications are wanted there.
        Content::Confirmation(asked) => line(&format!(
            "Notifications here? Yes: {} (code {}) No: {}",
            asked.accept_link, asked.code, asked.reject_link
        )),
    }
}

fn message(event: &Event) -> String {
    let subject = [&event.subtitle, &event.title, &event.topic].map(|text| line(text));
    let subject = subject.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let text = Some(line(&event.long_form)).filter(|text| *text != subject);
    let link = event.link.as_deref().map(line);
    let lines = [Some(subject), text, link].into_iter().flatten().filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// One printable line. What comes over the bus may hold any character.
fn line(text: &str) -> String {
    HeaderSafe::flatten(text).truncate(LINE_CHARS).into()
}

/// What the server's answer means. Say the mildest thing that is true: `Rejected` and `AddressGone` are final.
fn judge(response: &Response, now_ms: u64) -> Outcome {
    match response.status {
        200..=299 => Outcome::Delivered(Some(format!("HTTP {}", response.status))),
        401 | 403 => web::trouble(response, now_ms),
        408 | 425 | 429 | 500..=599 => web::retry(response, now_ms),
        410 => Outcome::AddressGone(Gone { replacement: None, reason: web::describe(response) }),
        _ => Outcome::Rejected(web::describe(response)),
    }
}

#[cfg(test)]
mod tests {
    use tidings_plugin::testing::{self, FakeHost, answer, parts};

    use super::*;

    #[test]
    fn a_pager_has_one_name() {
        assert_eq!(check_address(" Ralph "), Ok("ralph".into()));
        for bad in ["", "two words", "-x", &"x".repeat(65)] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_kind_of_delivery_becomes_a_few_lines_for_its_pager() {
        let event = |subtitle: &str, text: &str, link: Option<&str>| {
            Content::Single(Event { link: link.map(str::to_owned), ..testing::event(subtitle, text) })
        };
        for (content, expected) in [
            (event("built\r\nX: y", "by ralph", Some("https://e.org/1")), "built X: y\nby ralph\nhttps://e.org/1"),
            (event("built", "built", None), "built"),
            (event(" ", "", None), "a.b"),
            (testing::digest(vec![testing::event("a", "")]), "1 update: a"),
            (
                testing::confirmation(),
                "Notifications here? Yes: https://t.example/yes (code K7QX) No: https://t.example/no",
            ),
        ] {
            let host = FakeHost::answering([answer(200, &[], "")]);
            deliver(&host, "https://pager.example/", &[testing::delivery("ralph", content)]);
            let request = &host.requests()[0];
            assert_eq!(String::from_utf8_lossy(&request.body), expected);
            assert!(request.headers.contains(&("x-pager".into(), "ralph".into())));
        }
    }

    #[test]
    fn each_answer_has_its_outcome() {
        for (status, expected) in
            [(204, "delivered"), (400, "rejected"), (401, "trouble"), (410, "gone"), (429, "retry"), (503, "retry")]
        {
            let host = FakeHost::answering([answer(status, &[], "")]);
            let delivery = testing::delivery("ralph", testing::confirmation());
            let outcomes = deliver(&host, "https://pager.example/", &[delivery]);
            assert_eq!(parts(&outcomes[0]).0, expected, "{status}");
        }
    }
}
