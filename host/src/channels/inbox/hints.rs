//! Which addresses got the hint lately. Each gets it once in a while: an address that answers by itself must not start an
//! exchange without end.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tidings_domain::time::Timestamp;

use crate::channels::limits;

/// Addresses of all channels, with when they got the hint.
#[derive(Default)]
pub struct Hints {
    given: Mutex<HashMap<(String, String), Timestamp>>,
}

impl Hints {
    /// Whether the address is to get the hint now; then it counts as given.
    pub(super) fn give(&self, channel: &str, address: &str, now: Timestamp) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: &Timestamp| now.since(*at) < limits::INBOX_HINT_REST;
        let key = (channel.to_owned(), address.to_owned());
        if given.get(&key).is_some_and(recent) {
            return false;
        }
        if given.len() >= limits::INBOX_HINTS {
            given.retain(|_, at| recent(at));
        }
        if given.len() >= limits::INBOX_HINTS {
            return false;
        }
        given.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_address_is_given_the_hint_once_in_a_while_and_the_list_is_bounded() {
        let hints = Hints::default();
        let now = Timestamp::from_millis(1_000_000);
        let later = now.after(limits::INBOX_HINT_REST + Duration::from_secs(1));
        assert!(hints.give("irc", "a", now));
        assert!(!hints.give("irc", "a", now.after(Duration::from_secs(1))));
        assert!(hints.give("irc", "b", now) && hints.give("mail", "a", now));
        assert!(hints.give("irc", "a", later));
        (0..limits::INBOX_HINTS).for_each(|number| {
            hints.give("irc", &number.to_string(), later);
        });
        assert!(!hints.give("irc", "one more", later), "the list is full: no hint");
        assert!(hints.give("irc", "one more", later.after(limits::INBOX_HINT_REST)));
    }
}
