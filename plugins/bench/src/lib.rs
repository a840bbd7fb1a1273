//! A plugin that does the work of a mail channel without the network: it renders each delivery and returns the hash of the
//! text as the receipt. It is resident, so that a benchmark can measure calls of a running and of a new instance. The plugin
//! is only for benchmarks and must not be installed elsewhere.

pub mod work;

use tidings_plugin::{Channel, Content, Delivery, Lifetime, Manifest, Outcome, Problem, Reason, Resident, manifest};
use work::MailInput;

/// The plugin.
pub struct Bench;

impl Channel for Bench {
    fn describe() -> Manifest {
        Manifest {
            address_label: "address".into(),
            address_example: "ralph@example.org".into(),
            lifetime: Lifetime::Resident,
            ..manifest::plugin("bench", env!("CARGO_PKG_VERSION"), "Renders and hashes; for benchmarks only.")
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        if address.is_empty() { Err(Problem { message: "an address is not empty".into() }) } else { Ok(address) }
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        batch.iter().map(deliver).collect()
    }
}

impl Resident for Bench {
    fn wake(_: Reason) -> Option<u64> {
        None
    }
}

fn deliver(delivery: &Delivery) -> Outcome {
    let Content::Single(event) = &delivery.content else {
        return Outcome::Rejected("only single events are measured".into());
    };
    let input = MailInput {
        id: &delivery.id,
        address: &delivery.recipient.address,
        topic: &event.topic,
        subject: &event.subtitle,
        text: &event.long_form,
        link: event.link.as_deref(),
    };
    Outcome::Delivered(Some(work::receipt(&input)))
}

tidings_plugin::export_resident!(Bench);

#[cfg(test)]
mod tests {
    use super::work::{MailInput, hash, render};

    #[test]
    fn the_text_is_a_mail_with_doubled_dots() {
        let (text, link) = ("one\n.two\n", Some("https://example.org/"));
        let input = MailInput { id: "1", address: "a@x", topic: "t", subject: "s", text, link };
        let mail = render(&input);
        let (head, body) = mail.split_once("\r\n\r\n").unwrap_or_default();
        assert!(head.contains("\r\nTo: <a@x>\r\nSubject: s\r\n"), "{head}");
        assert_eq!(body, "one\r\n..two\r\nhttps://example.org/\r\n");
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
