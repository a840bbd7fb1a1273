//! What a server's complaints mean: about the connection (ERROR, refusals), and about one line (numerics).

use tidings_plugin::text::HeaderSafe;

use crate::message::Message;

/// How long to stay away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The usual backoff.
    Usual,
    /// The usual backoff, and write at half the pace from then on.
    Slower,
    /// The server wants some time: milliseconds.
    AtLeast(u64),
}

/// Too many connections, or too many of them in a short time; an operator who sent us away; a login that is not to be had
/// now: milliseconds.
const THROTTLED_MS: u64 = 5 * 60 * 1000;
/// Banned, or refused for what an administrator must mend: milliseconds.
const REFUSED_MS: u64 = 60 * 60 * 1000;

/// Why a connection is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub reason: String,
    pub rest: Rest,
}

impl Fault {
    pub fn usual(reason: impl Into<String>) -> Self {
        Fault { reason: reason.into(), rest: Rest::Usual }
    }

    /// It may be over soon, and asking at once would make it worse.
    pub fn later(reason: impl Into<String>) -> Self {
        Fault { reason: reason.into(), rest: Rest::AtLeast(THROTTLED_MS) }
    }

    /// An administrator must change something.
    pub fn refused(reason: impl Into<String>) -> Self {
        Fault { reason: reason.into(), rest: Rest::AtLeast(REFUSED_MS) }
    }

    /// From the text of ERROR or 465.
    pub fn error(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let rest = if is_listed(&lower) || has(&["banned", "akill", "not welcome"]) {
            Rest::AtLeast(REFUSED_MS)
        } else if has(&["killed", "throttl", "too fast", "too many", "no more connections", "try again later"]) {
            Rest::AtLeast(THROTTLED_MS)
        } else if has(&["flood", "sendq", "recvq"]) {
            Rest::Slower
        } else {
            Rest::Usual
        };
        Fault { reason: format!("the server closed the connection: {}", shown(text)), rest }
    }
}

/// Whether a text in small letters names a K-line, G-line, Z-line or D-line as a word of its own: a deadline is none.
fn is_listed(lower: &str) -> bool {
    lower.match_indices("line").any(|(at, _)| {
        let mut before = lower[..at].trim_end_matches(['-', ':']).chars().rev();
        before.next().is_some_and(|list| "kgzd".contains(list)) && !before.next().is_some_and(char::is_alphanumeric)
    })
}

/// A server's text for a log.
pub fn shown(text: &str) -> String {
    HeaderSafe::flatten(text).truncate(200).into()
}

/// The target and the reason, if the line says that a line to somebody was not passed on.
pub fn not_passed(message: &Message) -> Option<(String, String)> {
    // No such nick or channel, cannot send, too many or other targets, flood of targets, not joined, registered only,
    // caller-id; by RFC 2812 and the networks' own lists.
    const REFUSALS: [&str; 14] =
        ["401", "402", "403", "404", "407", "408", "415", "439", "442", "477", "486", "492", "531", "716"];
    let refused = REFUSALS.contains(&message.command.as_str()) && message.params.len() >= 3;
    refused.then(|| (message.param(1).to_owned(), shown(message.text())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_as_long_as_the_server_has_reason_for() {
        let refused = Rest::AtLeast(REFUSED_MS);
        let throttled = Rest::AtLeast(THROTTLED_MS);
        for (text, rest) in [
            ("Closing Link: h (K-Lined)", refused),
            ("Closing Link: h (G:Lined: spam)", refused),
            ("AKILL ID: 4711", refused),
            ("*** You are banned (dline)", refused),
            ("D-line active", refused),
            ("Closing Link: h (Connection deadline exceeded)", Rest::Usual),
            ("Closing Link: h (Killed (oper (flooding)))", throttled),
            ("You are not welcome on this network", refused),
            ("Trying to reconnect too fast.", throttled),
            ("Closing Link: 127.0.0.1 (Throttled)", throttled),
            ("Too many user connections (local)", throttled),
            ("Closing Link: h (Excess Flood)", Rest::Slower),
            ("Closing Link: h (Max SendQ exceeded)", Rest::Slower),
            ("Closing Link: h (Server going offline)", Rest::Usual),
            ("Closing Link: h (Ping timeout)", Rest::Usual),
        ] {
            assert_eq!(Fault::error(text).rest, rest, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_its_target() {
        let judge = |line: &str| not_passed(&Message::parse(line.as_bytes()).unwrap());
        let some = |target: &str, reason: &str| Some((target.to_owned(), reason.to_owned()));
        assert_eq!(judge(":s 401 me Ralph :No such nick"), some("Ralph", "No such nick"));
        assert_eq!(judge(":s 404 me #c :Cannot send to channel"), some("#c", "Cannot send to channel"));
        for line in [":s 301 me ralph :away", ":s 401 me", ":s 433 me x :Nickname is already in use", "PING :401"] {
            assert_eq!(judge(line), None, "{line}");
        }
    }
}
