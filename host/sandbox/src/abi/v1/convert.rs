//! Converts the contract's records to the domain's. A plugin's values become safe here: texts are escaped and cut,
//! waits are bounded. Later code need not know where a text came from.

use std::time::Duration;

use tidings_domain::limits::{ADDRESS_CHARS, REASON_CHARS};
use tidings_domain::manifest::{self, Capability, FieldKind, Lifetime};
use tidings_domain::outcome::Outcome;
use tidings_domain::text::{is_one_line, one_line};

use super::bindings::tidings::channel::types as wit;
use crate::limits;

pub(super) fn outcome(outcome: wit::Outcome) -> Outcome {
    match outcome {
        wit::Outcome::Delivered(receipt) => {
            Outcome::Delivered { receipt: receipt.map(|text| reason(&text)).filter(|text| !text.is_empty()) }
        }
        wit::Outcome::Retry(retry) => Outcome::Retry { after: wait(retry.after_ms), reason: reason(&retry.reason) },
        wit::Outcome::Rejected(text) => Outcome::Rejected { reason: reason(&text) },
        wit::Outcome::AddressGone(gone) => {
            Outcome::AddressGone { replacement: gone.replacement.and_then(address), reason: reason(&gone.reason) }
        }
        wit::Outcome::ChannelTrouble(trouble) => {
            Outcome::ChannelTrouble { after: wait(trouble.after_ms), reason: reason(&trouble.reason) }
        }
    }
}

/// An address as the plugin gave it, or none if it cannot be one.
pub(super) fn address(text: String) -> Option<String> {
    let valid = !text.is_empty() && text.chars().count() <= ADDRESS_CHARS && is_one_line(&text);
    valid.then_some(text)
}

fn reason(text: &str) -> String {
    one_line(text.trim(), REASON_CHARS)
}

fn wait(millis: Option<u64>) -> Option<Duration> {
    millis.map(|millis| Duration::from_millis(millis).min(limits::WAIT_MAX))
}

pub(super) fn manifest(manifest: wit::Manifest) -> manifest::Manifest {
    manifest::Manifest {
        name: manifest.name,
        version: manifest.version,
        summary: manifest.summary,
        address_label: manifest.address_label,
        address_example: manifest.address_example,
        config: manifest.config.into_iter().map(field).collect(),
        grants: manifest.grants.into_iter().map(request).collect(),
        credentials: manifest.credentials.into_iter().map(credential).collect(),
        lifetime: match manifest.lifetime {
            wit::Lifetime::PerCall => Lifetime::PerCall,
            wit::Lifetime::Resident => Lifetime::Resident,
        },
        address_is_account: manifest.extra.iter().any(|(key, value)| key == "address" && value == "account"),
    }
}

fn field(field: wit::Field) -> manifest::Field {
    manifest::Field {
        name: field.name,
        label: field.label,
        help: field.help,
        kind: match field.kind {
            wit::FieldKind::Text => FieldKind::Text,
            wit::FieldKind::Integer => FieldKind::Integer,
            wit::FieldKind::Boolean => FieldKind::Boolean,
            wit::FieldKind::Choice => FieldKind::Choice,
            wit::FieldKind::Host => FieldKind::Host,
            wit::FieldKind::Port => FieldKind::Port,
            wit::FieldKind::Url => FieldKind::Url,
        },
        default: field.default,
        required: field.required,
        secret: field.secret,
        min: field.min,
        max: field.max,
        choices: field.choices,
    }
}

fn credential(request: wit::CredentialRequest) -> manifest::CredentialRequest {
    manifest::CredentialRequest {
        name: request.name,
        kind: request.kind,
        host: request.host,
        required: request.required,
        why: request.why,
    }
}

fn request(request: wit::GrantRequest) -> manifest::GrantRequest {
    manifest::GrantRequest {
        capability: match request.capability {
            wit::Capability::Net => Capability::Net,
            wit::Capability::Http => Capability::Http,
        },
        host: request.host,
        port: request.port,
        why: request.why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_a_plugin_becomes_safe_and_bounded() {
        let retry = |after_ms, reason: &str| wit::Outcome::Retry(wit::Retry { after_ms, reason: reason.to_owned() });
        let gone = |replacement: &str| {
            wit::Outcome::AddressGone(wit::Gone { replacement: Some(replacement.to_owned()), reason: String::new() })
        };
        let is_gone = |replacement: Option<&str>| Outcome::AddressGone {
            replacement: replacement.map(str::to_owned),
            reason: String::new(),
        };
        let trouble = wit::Trouble { after_ms: Some(5), reason: "\u{1b}[2J".to_owned() };
        for (answer, expected) in [
            (wit::Outcome::Delivered(None), Outcome::Delivered { receipt: None }),
            (wit::Outcome::Delivered(Some(" \n".to_owned())), Outcome::Delivered { receipt: None }),
            (
                wit::Outcome::Delivered(Some("queued as 4F\r\nX: y\r\n".to_owned())),
                Outcome::Delivered { receipt: Some("queued as 4F\\r\\nX: y".to_owned()) },
            ),
            (retry(None, "busy"), Outcome::Retry { after: None, reason: "busy".to_owned() }),
            (retry(Some(0), ""), Outcome::Retry { after: Some(Duration::ZERO), reason: String::new() }),
            (retry(Some(u64::MAX), ""), Outcome::Retry { after: Some(limits::WAIT_MAX), reason: String::new() }),
            (wit::Outcome::Rejected("no\0".to_owned()), Outcome::Rejected { reason: "no\\u{0}".to_owned() }),
            (
                wit::Outcome::ChannelTrouble(trouble),
                Outcome::ChannelTrouble { after: Some(Duration::from_millis(5)), reason: "\\u{1b}[2J".to_owned() },
            ),
            (gone("new@example.org"), is_gone(Some("new@example.org"))),
            (gone("new@example.org\r\n"), is_gone(None)),
            (gone(""), is_gone(None)),
            (gone(&"x".repeat(ADDRESS_CHARS + 1)), is_gone(None)),
        ] {
            assert_eq!(outcome(answer), expected);
        }
        let Outcome::Rejected { reason } = outcome(wit::Outcome::Rejected("x".repeat(1_000_000))) else {
            panic!("a rejection stays one")
        };
        assert_eq!(reason.chars().count(), REASON_CHARS);
    }
}
