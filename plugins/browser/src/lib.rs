//! Tidings' browser channel: each delivery becomes an entry of its user's event stream, which the daemon serves.
//!
//! [`entry`] makes the JSON; the rest is here.

pub mod entry;

use tidings_plugin::event_stream::{self, Entry, Error};
use tidings_plugin::{Channel, Delivery, Manifest, Outcome, Problem, manifest};

/// An account's name, in characters.
const ACCOUNT_CHARS: usize = 100;

pub struct Browser;

impl Channel for Browser {
    fn describe() -> Manifest {
        Manifest {
            address_label: "account".into(),
            address_example: "ralph".into(),
            // Nobody else's name: the stream would be theirs.
            extra: vec![("address".into(), "account".into())],
            ..manifest::plugin(
                "browser",
                env!("CARGO_PKG_VERSION"),
                "Writes a stream of notifications that a user follows in a browser.",
            )
        }
    }

    fn check_address(address: String) -> Result<String, Problem> {
        let good = !address.is_empty()
            && address.chars().count() <= ACCOUNT_CHARS
            && !address.chars().any(|c| c.is_control() || c.is_whitespace());
        if good {
            Ok(address)
        } else {
            Err(Problem { message: format!("an account's name has 1 to {ACCOUNT_CHARS} characters and no spaces") })
        }
    }

    fn deliver(batch: Vec<Delivery>) -> Vec<Outcome> {
        let entry = |(index, delivery)| Entry { index, data: entry::of(delivery).to_string() };
        let entries: Vec<Entry> = (0..).zip(&batch).map(entry).collect();
        outcomes(event_stream::append(&entries), batch.len())
    }
}

/// All entries were written, or none.
fn outcomes(written: Result<(), Error>, batch: usize) -> Vec<Outcome> {
    let outcome = match written {
        Ok(()) => Outcome::Delivered(None),
        Err(Error::Unavailable(why)) => Outcome::retry(why),
        // Entries are cut before: then the host has other bounds than this plugin knows.
        Err(Error::Limit(why)) => Outcome::trouble(None, why),
    };
    vec![outcome; batch]
}

tidings_plugin::export!(Browser);

#[cfg(test)]
mod tests {
    use tidings_plugin::testing::parts;

    use super::*;

    #[test]
    fn an_address_is_an_account() {
        for (text, good) in [
            ("ralph", true),
            ("ralph@EXAMPLE.ORG", true),
            ("", false),
            (" ralph", false),
            ("ra\nlph", false),
            (&"x".repeat(101), false),
        ] {
            assert_eq!(Browser::check_address(text.into()).is_ok(), good, "{text:?}");
        }
        let example = Browser::describe().address_example;
        assert_eq!(Browser::check_address(example.clone()), Ok(example));
    }

    #[test]
    fn a_batch_is_written_or_waits_as_a_whole() {
        for (written, kind) in [
            (Ok(()), "delivered"),
            (Err(Error::Unavailable("the store is unavailable".into())), "retry"),
            (Err(Error::Limit("at most 9 bytes".into())), "trouble"),
        ] {
            let outcomes = outcomes(written, 3);
            assert_eq!(outcomes.iter().map(|outcome| parts(outcome).0).collect::<Vec<_>>(), [kind; 3]);
        }
    }
}
