//! The browser channel of Tidings: appends each delivery to the event stream of its user, which the daemon serves.
//!
//! [`entry`] builds the JSON. This file connects it to the contract; it must not build content itself.

pub mod entry;

use tidings_plugin::event_stream::{self, Entry, Error};
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, manifest};

/// The longest name of an account, in characters.
const ACCOUNT_CHARS: usize = 100;

/// The plugin.
pub struct Browser;

impl Channel for Browser {
    fn describe() -> Manifest {
        Manifest {
            address_label: "account".into(),
            address_example: "ralph".into(),
            // The host accepts only the name of the user's own account: an address selects the stream.
            extra: vec![("address".into(), "account".into())],
            ..manifest::plugin(
                "browser",
                env!("CARGO_PKG_VERSION"),
                "Writes an event stream that the user reads in a browser.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        let valid = !address.is_empty()
            && address.chars().count() <= ACCOUNT_CHARS
            && !address.chars().any(|c| c.is_control() || c.is_whitespace());
        if valid {
            Ok(address)
        } else {
            Err(Problem {
                message: format!("the name of an account has 1 to {ACCOUNT_CHARS} characters and no spaces"),
            })
        }
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        let entry = |(index, delivery)| Entry { index, data: entry::of(delivery).to_string() };
        let entries: Vec<Entry> = (0..).zip(&batch).map(entry).collect();
        outcomes(event_stream::append(&entries), batch.len())
    }
}

/// The outcomes of a batch: the host writes all entries or none.
fn outcomes(result: Result<(), Error>, batch: usize) -> Vec<Outcome> {
    let outcome = match result {
        Ok(()) => Outcome::Delivered(None),
        Err(Error::Unavailable(reason)) => Outcome::retry(reason),
        // Entries are cut to the limits that this plugin knows, so the host has other limits.
        Err(Error::Limit(reason)) => Outcome::trouble(None, reason),
    };
    vec![outcome; batch]
}

tidings_plugin::export!(Browser);

#[cfg(test)]
mod tests {
    use tidings_plugin::testing::parts;

    use super::*;

    #[test]
    fn an_address_is_the_name_of_an_account() {
        for (text, valid) in [
            ("ralph", true),
            ("ralph@EXAMPLE.ORG", true),
            ("", false),
            (" ralph", false),
            ("ra\nlph", false),
            (&"x".repeat(101), false),
        ] {
            assert_eq!(Browser::check_address(text.into()).is_ok(), valid, "{text:?}");
        }
        let example = Browser::describe().address_example;
        assert_eq!(Browser::check_address(example.clone()), Ok(example));
    }

    #[test]
    fn all_deliveries_of_a_batch_have_the_same_outcome() {
        for (result, kind) in [
            (Ok(()), "delivered"),
            (Err(Error::Unavailable("the store is unavailable".into())), "retry"),
            (Err(Error::Limit("at most 9 bytes".into())), "trouble"),
        ] {
            let outcomes = outcomes(result, 3);
            assert_eq!(outcomes.iter().map(|outcome| parts(outcome).0).collect::<Vec<_>>(), [kind; 3]);
        }
    }
}
