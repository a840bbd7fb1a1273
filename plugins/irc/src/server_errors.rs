//! What a server's errors mean: for the connection (ERROR, refusals), and for one line (numerics).

use tidings_plugin::text::HeaderSafe;

use crate::message::Message;

/// The least wait after a throttled connection, a kill by an operator, or a login that is unavailable, in milliseconds.
const THROTTLED_MS: u64 = 5 * 60 * 1000;
/// The least wait after a ban, or a refusal that an administrator must resolve, in milliseconds.
const REFUSED_MS: u64 = 60 * 60 * 1000;
/// How much of a server's text is quoted, in characters.
const QUOTE_CHARS: usize = 200;

/// How long to wait before the next connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconnectDelay {
    /// The backoff.
    Backoff,
    /// The backoff. Later lines are sent at half the rate.
    SlowDown,
    /// At least this long, in milliseconds.
    AtLeast(u64),
}

/// Why a connection is unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionError {
    pub reason: String,
    pub delay: ReconnectDelay,
}

impl ConnectionError {
    /// An error after which the backoff decides.
    pub fn temporary(reason: impl Into<String>) -> Self {
        ConnectionError { reason: reason.into(), delay: ReconnectDelay::Backoff }
    }

    /// An error that may end soon, and that an early attempt would prolong.
    pub fn throttled(reason: impl Into<String>) -> Self {
        ConnectionError { reason: reason.into(), delay: ReconnectDelay::AtLeast(THROTTLED_MS) }
    }

    /// An error that an administrator must resolve.
    pub fn refused(reason: impl Into<String>) -> Self {
        ConnectionError { reason: reason.into(), delay: ReconnectDelay::AtLeast(REFUSED_MS) }
    }

    /// Classifies the text of ERROR or 465.
    pub fn from_text(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let delay = if names_ban_list(&lower) || has(&["banned", "akill", "not welcome"]) {
            ReconnectDelay::AtLeast(REFUSED_MS)
        } else if has(&["killed", "throttl", "too fast", "too many", "no more connections", "try again later"]) {
            ReconnectDelay::AtLeast(THROTTLED_MS)
        } else if has(&["flood", "sendq", "recvq"]) {
            ReconnectDelay::SlowDown
        } else {
            ReconnectDelay::Backoff
        };
        ConnectionError { reason: format!("the server closed the connection: {}", quote(text)), delay }
    }
}

/// Whether a text in lower case has the word K-line, G-line, Z-line or D-line. "deadline" does not count.
fn names_ban_list(lower: &str) -> bool {
    lower.match_indices("line").any(|(at, _)| {
        let mut before = lower[..at].trim_end_matches(['-', ':']).chars().rev();
        before.next().is_some_and(|list| "kgzd".contains(list)) && !before.next().is_some_and(char::is_alphanumeric)
    })
}

/// A server's text as one short line, for a reason or a log.
pub fn quote(text: &str) -> String {
    HeaderSafe::flatten(text).truncate(QUOTE_CHARS).into()
}

/// Returns the target and the reason where a numeric says that a line to this target was not delivered.
pub fn undelivered(message: &Message) -> Option<(String, String)> {
    // No such nick or channel, cannot send, too many or other targets, flood of targets, not joined, registered only,
    // caller-id; from RFC 2812 and the lists of several networks.
    const REFUSALS: [&str; 14] =
        ["401", "402", "403", "404", "407", "408", "415", "439", "442", "477", "486", "492", "531", "716"];
    let refused = REFUSALS.contains(&message.command.as_str()) && message.params.len() >= 3;
    refused.then(|| (message.param(1).to_owned(), quote(message.text())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_follows_the_text_of_the_server() {
        let refused = ReconnectDelay::AtLeast(REFUSED_MS);
        let throttled = ReconnectDelay::AtLeast(THROTTLED_MS);
        for (text, delay) in [
            ("Closing Link: h (K-Lined)", refused),
            ("Closing Link: h (G:Lined: spam)", refused),
            ("AKILL ID: 4711", refused),
            ("*** You are banned (dline)", refused),
            ("D-line active", refused),
            ("Closing Link: h (Connection deadline exceeded)", ReconnectDelay::Backoff),
            ("Closing Link: h (Killed (oper (flooding)))", throttled),
            ("You are not welcome on this network", refused),
            ("Trying to reconnect too fast.", throttled),
            ("Closing Link: 127.0.0.1 (Throttled)", throttled),
            ("Too many user connections (local)", throttled),
            ("Closing Link: h (Excess Flood)", ReconnectDelay::SlowDown),
            ("Closing Link: h (Max SendQ exceeded)", ReconnectDelay::SlowDown),
            ("Closing Link: h (Server going offline)", ReconnectDelay::Backoff),
            ("Closing Link: h (Ping timeout)", ReconnectDelay::Backoff),
        ] {
            assert_eq!(ConnectionError::from_text(text).delay, delay, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_its_target() {
        let target_of = |line: &str| undelivered(&Message::parse(line.as_bytes()).unwrap());
        let some = |target: &str, reason: &str| Some((target.to_owned(), reason.to_owned()));
        assert_eq!(target_of(":s 401 me Ralph :No such nick"), some("Ralph", "No such nick"));
        assert_eq!(target_of(":s 404 me #c :Cannot send to channel"), some("#c", "Cannot send to channel"));
        for line in [":s 301 me ralph :away", ":s 401 me", ":s 433 me x :Nickname is already in use", "PING :401"] {
            assert_eq!(target_of(line), None, "{line}");
        }
    }
}
