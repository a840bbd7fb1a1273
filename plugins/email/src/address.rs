//! Email addresses: their syntax and normal form. A valid address may still have no mailbox.
//!
//! Stricter than RFC 5321, as most mail software is: no quoted local part, no address literal, no source route in any
//! notation. Wider by RFC 6531: either part may be in any script.

use std::fmt;

use thiserror::Error;
use tidings_plugin::text::{HeaderSafe, Unsafe};

/// RFC 5321, 4.5.3.1.3: a path of 256 octets with its angle brackets.
const ADDRESS_OCTETS: usize = 254;
/// RFC 5321, 4.5.3.1.1.
const LOCAL_OCTETS: usize = 64;
/// RFC 1035, 2.3.4.
const LABEL_OCTETS: usize = 63;

/// An address in normal form: the local part unchanged, the domain in lower case. Every character was checked, so none
/// ends a command or a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    whole: HeaderSafe,
    at: usize,
}

/// Why an address is invalid, in one line for the user.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("an email address has a name, an @ and a domain, like ralph@example.org")]
    Shape,
    #[error("an email address has only one @")]
    TwoAts,
    #[error("an email address has at most {ADDRESS_OCTETS} octets")]
    TooLong,
    #[error("the part before the @ is longer than {LOCAL_OCTETS} octets")]
    LocalTooLong,
    #[error("{0:?} is not allowed before the @")]
    LocalCharacter(char),
    #[error("the part before the @ may not begin or end with a dot or have two in a row")]
    LocalDots,
    #[error("{0:?} is not a valid domain name")]
    Domain(String),
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
}

impl Address {
    /// Parses an address. Spaces around it are removed.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim_matches(' ');
        HeaderSafe::refuse(text)?;
        let (local, domain) = text.split_once('@').ok_or(AddressError::Shape)?;
        if domain.contains('@') {
            return Err(AddressError::TwoAts);
        }
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Shape);
        }
        check_local(local)?;
        let domain = domain.to_lowercase();
        check_domain(&domain)?;
        if local.len() + 1 + domain.len() > ADDRESS_OCTETS {
            return Err(AddressError::TooLong);
        }
        Ok(Address { whole: HeaderSafe::refuse(&format!("{local}@{domain}"))?, at: local.len() })
    }

    pub fn as_str(&self) -> &str {
        self.whole.as_str()
    }

    pub fn domain(&self) -> &str {
        &self.as_str()[self.at + 1..]
    }

    /// Whether SMTP carries it without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.as_str().is_ascii()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn check_local(local: &str) -> Result<(), AddressError> {
    if local.len() > LOCAL_OCTETS {
        return Err(AddressError::LocalTooLong);
    }
    if let Some(character) = local.chars().find(|c| !is_local(*c)) {
        return Err(AddressError::LocalCharacter(character));
    }
    if local.split('.').any(str::is_empty) { Err(AddressError::LocalDots) } else { Ok(()) }
}

/// Whether a character is allowed in a local part: `atext` of RFC 5322 and the dot, without `%` and `!`, which some old
/// software uses for routing; beyond ASCII anything except white space.
fn is_local(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' => true,
        '#' | '$' | '&' | '\'' | '*' | '+' | '-' | '/' | '=' | '?' | '^' | '_' | '`' | '{' | '|' | '}' | '~' => true,
        _ => !c.is_ascii() && !c.is_whitespace(),
    }
}

/// Checks that the domain consists of labels of letters, digits and inner hyphens. The last label is not a number, so
/// an IP address is invalid.
fn check_domain(domain: &str) -> Result<(), AddressError> {
    let label_ok = |label: &str| {
        (1..=LABEL_OCTETS).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| if c.is_ascii() { c.is_ascii_alphanumeric() || c == '-' } else { is_local(c) })
    };
    let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    if domain.split('.').all(label_ok) && !domain.rsplit('.').next().is_some_and(numeric) {
        Ok(())
    } else {
        Err(AddressError::Domain(domain.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_parsed_into_its_normal_form() {
        for (text, normal) in [
            ("ralph@example.org", "ralph@example.org"),
            ("  Ralph@Example.ORG ", "Ralph@example.org"),
            ("a.b+c_d-e=f@x-y.example", "a.b+c_d-e=f@x-y.example"),
            ("o'brien@example.org", "o'brien@example.org"),
            ("ralph@localhost", "ralph@localhost"),
            ("ralph@3com.example", "ralph@3com.example"),
            ("żółw@BÜCHER.example", "żółw@bücher.example"),
        ] {
            assert_eq!(Address::parse(text).map(|a| a.to_string()), Ok(normal.to_owned()), "{text}");
        }
        assert_eq!(Address::parse("ralph@example.org").unwrap().domain(), "example.org");
    }

    #[test]
    fn an_invalid_address_is_refused() {
        let long_local = format!("{}@example.org", "x".repeat(65));
        let long_label = format!("ralph@{}.org", "x".repeat(64));
        let long = format!("ralph@{}org", "example.".repeat(40));
        for text in [
            "",
            "ralph",
            "@example.org",
            "ralph@",
            "ralph@@example.org",
            "ralph@example.org@example.com",
            "ralph example@example.org",
            "\"ralph\"@example.org",
            "Ralph <ralph@example.org>",
            "@relay.example,@other.example:ralph@example.org",
            "relay!ralph@example.org",
            "ralph%example.org@relay.example",
            ".ralph@example.org",
            "ralph.@example.org",
            "ra..lph@example.org",
            "ralph@example..org",
            "ralph@-example.org",
            "ralph@example-.org",
            "ralph@exam_ple.org",
            "ralph@[127.0.0.1]",
            "ralph@127.0.0.1",
            "ralph@example.org\r\nRCPT TO:<x@example.org>",
            "ralph\n@example.org",
            "ralph@example.org\0",
            "ralph\u{2028}@example.org",
            "ra\u{a0}lph@example.org",
            "ralph@exa\u{3000}mple.org",
            "ralph>@example.org",
            &long_local,
            &long_label,
            &long,
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }
}
