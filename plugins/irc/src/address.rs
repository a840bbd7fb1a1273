//! Whom one can write to: a channel or a nick (RFC 2812, 2.3.1, with the lengths that networks of today have).

use thiserror::Error;

/// The longest nick in use on a large network, in octets; RFC 2812 allowed 9.
const NICK_OCTETS: usize = 32;
/// RFC 2812, 1.3: the longest name of a channel, in octets.
const CHANNEL_OCTETS: usize = 50;

/// Why a text is no address.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    #[error("a nick has 1 to {NICK_OCTETS} letters, digits and []\\`_^{{|}}-, and does not begin with a digit or `-`")]
    Nick,
    #[error(
        "the name of a channel has 2 to {CHANNEL_OCTETS} octets, without spaces, commas, colons and control characters"
    )]
    Channel,
    #[error("that is one of the network's services, not a person")]
    Service,
}

/// The address in its normal form, with small ASCII letters: servers do not tell capitals apart.
pub fn parse(text: &str) -> Result<String, AddressError> {
    let text = text.trim();
    if is_channel(text) {
        let whole = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, ',' | ':');
        let fits = (2..=CHANNEL_OCTETS).contains(&text.len());
        return if fits && text.chars().all(whole) {
            Ok(text.to_ascii_lowercase())
        } else {
            Err(AddressError::Channel)
        };
    }
    let special = |byte: u8| b"[]\\`_^{|}".contains(&byte);
    let begins = |byte: &u8| byte.is_ascii_alphabetic() || special(*byte);
    let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || special(byte) || byte == b'-';
    let nick = text.len() <= NICK_OCTETS && text.as_bytes().first().is_some_and(begins) && text.bytes().all(goes_on);
    match nick {
        false => Err(AddressError::Nick),
        true if is_service(text) => Err(AddressError::Service),
        true => Ok(text.to_ascii_lowercase()),
    }
}

/// Whether a name is a channel's.
pub fn is_channel(name: &str) -> bool {
    name.starts_with(['#', '&', '+', '!'])
}

/// Whether a nick is one that networks give to their services, such as `NickServ`: what is written there are commands.
pub fn is_service(nick: &str) -> bool {
    let nick = nick.to_ascii_lowercase();
    nick.ends_with("serv") || nick == "global"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicks_and_channels_are_taken_in_small_letters() {
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
    fn what_could_be_more_than_one_name_is_refused() {
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
