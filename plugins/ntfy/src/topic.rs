//! Addresses: topics. Every user who knows a topic can read its messages, so a topic must be treated like a password.

use thiserror::Error;

/// The longest topic, in characters.
const TOPIC_CHARS: usize = 64;
/// The topics that the server reserves.
const RESERVED: [&str; 10] =
    ["account", "app", "docs", "file", "login", "metrics", "settings", "signup", "static", "v1"];

/// Why a topic is invalid, in one line for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TopicError {
    #[error("a topic has 1 to {TOPIC_CHARS} letters, digits, hyphens and underscores")]
    Format,
    #[error("the server reserves this topic")]
    Reserved,
}

/// Parses a topic. Its normal form is the topic itself, since topics are case-sensitive.
pub fn parse(text: &str) -> Result<String, TopicError> {
    let topic = text.trim();
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=TOPIC_CHARS).contains(&topic.len()) || !topic.bytes().all(named) {
        return Err(TopicError::Format);
    }
    if RESERVED.contains(&topic) { Err(TopicError::Reserved) } else { Ok(topic.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_valid_if_the_server_accepts_it() {
        assert_eq!(parse(" Ralph-Zk3_vQ8 "), Ok("Ralph-Zk3_vQ8".into()));
        assert!(parse(&"x".repeat(64)).is_ok());
        for text in ["", " ", "a/b", "a b", "ü", "a,b", "a.b", "a\n", "https://ntfy.sh/a", &"x".repeat(65)] {
            assert_eq!(
                parse(text.trim_end_matches(' ')).err(),
                Some(TopicError::Format).filter(|_| text != "a\n"),
                "{text:?}"
            );
        }
        for text in RESERVED {
            assert_eq!(parse(text), Err(TopicError::Reserved));
        }
    }
}
