//! The logic of the channel: builds requests, and maps responses to outcomes. It must use the host only through a trait, so
//! that the tests need no host.

use tidings_plugin::batch::{self, EXCHANGE_MS};
use tidings_plugin::host::Host;
use tidings_plugin::http::{Request, Response};
use tidings_plugin::text::HeaderSafe;
use tidings_plugin::web::{self, Server};
use tidings_plugin::{Content, Delivery, Event, Gone, Outcome};

/// The longest line, in characters; a longer one is cut.
const LINE_CHARS: usize = 400;
/// The longest name of a pager, in characters.
const NAME_CHARS: usize = 64;

/// Parses the name of a pager and returns its normal form: one pager has one name.
pub fn check_address(text: &str) -> Result<String, &'static str> {
    let name = text.trim().to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let valid_start = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if valid_start && name.len() <= NAME_CHARS && name.chars().all(allowed) {
        return Ok(name);
    }
    Err("a pager's name has up to 64 letters, digits, dots, dashes and underscores")
}

/// Returns one outcome for each delivery, in order. Each is reported to the host at once, so that after a crash nothing is
/// sent twice.
pub fn deliver(host: &impl Host, url: &str, batch: &[Delivery]) -> Vec<Outcome> {
    batch::one_by_one(host, batch, |delivery| match host.send(&request(url, delivery)) {
        Ok(response) => outcome(&response, host.now_ms()),
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
            // The same in every attempt, so that the server can drop a duplicate.
            ("idempotency-key".into(), delivery.id.clone()),
        ],
        body: text(&delivery.content).into_bytes(),
        credential: None,
        redirects: 0,
        timeout_ms: Some(EXCHANGE_MS),
    }
}

/// The text of a delivery, in a few lines.
fn text(content: &Content) -> String {
    match content {
        Content::Single(event) => message(event),
        Content::Digest(digest) => {
            let count = digest.events.len() + digest.omitted as usize;
            let updates = if count == 1 { "1 update".to_owned() } else { format!("{count} updates") };
            let summary = digest.summary.join("; ");
            line(&if summary.is_empty() { updates } else { format!("{updates}: {summary}") })
        }
        // The reader of the pager confirms that it may get notifications.
        Content::Confirmation(confirmation) => line(&format!(
            "Notifications here? Yes: {} (code {}) No: {}",
            confirmation.accept_link, confirmation.code, confirmation.reject_link
        )),
    }
}

/// The subject, the text and the link of an event, one line each.
fn message(event: &Event) -> String {
    let subject = [&event.subtitle, &event.title, &event.topic].map(|text| line(text));
    let subject = subject.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let text = Some(line(&event.long_form)).filter(|text| *text != subject);
    let link = event.link.as_deref().map(line);
    let lines = [Some(subject), text, link].into_iter().flatten().filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// The text as one printable line. Text from the bus may contain any character.
fn line(text: &str) -> String {
    HeaderSafe::flatten(text).truncate(LINE_CHARS).into()
}

/// The outcome of a response. `Rejected` and `AddressGone` are final: use them only if another attempt cannot succeed.
fn outcome(response: &Response, now_ms: u64) -> Outcome {
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
    fn the_name_of_a_pager_has_one_normal_form() {
        assert_eq!(check_address(" Ralph "), Ok("ralph".into()));
        for invalid in ["", "two words", "-x", &"x".repeat(65)] {
            assert!(check_address(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn each_kind_of_delivery_is_sent_as_a_few_lines_to_its_pager() {
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
    fn each_response_maps_to_its_outcome() {
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
