//! Addresses: a channel or a nick (RFC 2812, 2.3.1, with the lengths that current networks allow).

use thiserror::Error;

/// The longest nick on large networks, in octets. RFC 2812 allows 9.
const NICK_OCTETS: usize = 32;
/// The longest name of a channel, in octets (RFC 2812, 1.3).
const CHANNEL_OCTETS: usize = 50;

/// Why an address is invalid.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    #[error("a nick has 1 to {NICK_OCTETS} letters, digits and []\\`_^{{|}}-, and does not begin with a digit or `-`")]
    Nick,
    #[error(
        "the name of a channel has 2 to {CHANNEL_OCTETS} octets, without spaces, commas, colons and control characters"
    )]
    Channel,
    #[error("this nick belongs to a service of the network, not to a user")]
    Service,
}

/// Parses an address into its normal form, with ASCII letters in lower case: servers ignore case.
pub fn parse(text: &str) -> Result<String, AddressError> {
    let text = text.trim();
    if is_channel(text) {
        let allowed = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, ',' | ':');
        let fits = (2..=CHANNEL_OCTETS).contains(&text.len());
        return if fits && text.chars().all(allowed) {
            Ok(text.to_ascii_lowercase())
        } else {
            Err(AddressError::Channel)
        };
    }
    let special = |byte: u8| b"[]\\`_^{|}".contains(&byte);
    let starts = |byte: &u8| byte.is_ascii_alphabetic() || special(*byte);
    let continues = |byte: u8| byte.is_ascii_alphanumeric() || special(byte) || byte == b'-';
    let nick = text.len() <= NICK_OCTETS && text.as_bytes().first().is_some_and(starts) && text.bytes().all(continues);
    match nick {
        false => Err(AddressError::Nick),
        true if is_service(text) => Err(AddressError::Service),
        true => Ok(text.to_ascii_lowercase()),
    }
}

/// Whether a name is the name of a channel.
pub fn is_channel(name: &str) -> bool {
    name.starts_with(['#', '&', '+', '!'])
}

/// Whether a nick is reserved for a service of the network, such as `NickServ`, which takes messages as commands.
pub fn is_service(nick: &str) -> bool {
    let nick = nick.to_ascii_lowercase();
    nick.ends_with("serv") || nick == "global"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicks_and_channels_are_parsed_into_lower_case() {
        for (text, address) in [
            (" Ralph ", "ralph"),
            ("[Away]^_|`{}-9", "[away]^_|`{}-9"),
            ("#Fedora-Devel", "#fedora-devel"),
            ("&local", "&local"),
            ("##c++", "##c++"),
            ("#żółw", "#żółw"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(address), "{text}");
        }
    }

    #[test]
    fn an_invalid_or_ambiguous_name_is_refused() {
        let long = "x".repeat(NICK_OCTETS + 1);
        let long_channel = format!("#{}", "x".repeat(CHANNEL_OCTETS));
        for (text, error) in [
            ("", AddressError::Nick),
            ("9lives", AddressError::Nick),
            ("-x", AddressError::Nick),
            ("two words", AddressError::Nick),
            ("a,b", AddressError::Nick),
            ("a\r\nQUIT", AddressError::Nick),
            ("$*.org", AddressError::Nick),
            ("ralph@host", AddressError::Nick),
            ("żółw", AddressError::Nick),
            (long.as_str(), AddressError::Nick),
            ("#", AddressError::Channel),
            ("#a,#b", AddressError::Channel),
            ("#a b", AddressError::Channel),
            ("#a:b", AddressError::Channel),
            ("#a\u{7}", AddressError::Channel),
            (long_channel.as_str(), AddressError::Channel),
            ("NickServ", AddressError::Service),
            ("chanserv", AddressError::Service),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
    }
}
