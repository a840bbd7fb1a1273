//! Addresses: Matrix IDs of users (specification, appendices, "User Identifiers", including the historical grammar). It must
//! not ask a server.

use std::net::Ipv6Addr;

use thiserror::Error;

/// The longest ID, with the `@` and the server, in octets.
const ID_OCTETS: usize = 255;

/// Why a Matrix ID is invalid, in one line for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("a Matrix ID has an @, a name, a colon and a server, for example @ralph:example.org")]
    Format,
    #[error("this is longer than {ID_OCTETS} octets, the limit for a Matrix ID")]
    TooLong,
    #[error("the part before the colon may have only ASCII letters, digits and punctuation")]
    Name,
    #[error("the part after the colon is not a valid server name")]
    Server,
}

/// Parses an ID and returns its normal form: the server in lower case, the name unchanged, since it is case-sensitive.
pub fn parse(text: &str) -> Result<String, AddressError> {
    let text = text.trim();
    let (name, server) = text.strip_prefix('@').and_then(|id| id.split_once(':')).ok_or(AddressError::Format)?;
    if name.is_empty() || server.is_empty() {
        return Err(AddressError::Format);
    }
    if text.len() > ID_OCTETS {
        return Err(AddressError::TooLong);
    }
    if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(AddressError::Name);
    }
    if !is_server(server) {
        return Err(AddressError::Server);
    }
    Ok(format!("@{name}:{}", server.to_ascii_lowercase()))
}

/// Whether the text is a host name, an IPv4 address, or an IPv6 address in brackets, with or without a port.
fn is_server(server: &str) -> bool {
    if let Some((address, after)) = server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse::<Ipv6Addr>().is_ok()
            && (after.is_empty() || after.strip_prefix(':').is_some_and(is_port));
    }
    match server.split_once(':') {
        Some((host, port)) => host.split('.').all(is_label) && is_port(port),
        None => server.split('.').all(is_label),
    }
}

fn is_label(label: &str) -> bool {
    let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    !label.is_empty() && plain && !label.starts_with('-') && !label.ends_with('-')
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::AddressError::*;
    use super::*;

    #[test]
    fn a_valid_id_gets_its_normal_form_and_an_invalid_one_an_error() {
        let long = format!("@{}:example.org", "x".repeat(250));
        for (text, expected) in [
            ("@ralph:example.org", Ok("@ralph:example.org")),
            (" @Ralph:Example.ORG ", Ok("@Ralph:example.org")),
            ("@r.a_l=p-h/+1:example.org:8448", Ok("@r.a_l=p-h/+1:example.org:8448")),
            ("@ralph:127.0.0.1", Ok("@ralph:127.0.0.1")),
            ("@ralph:[::1]", Ok("@ralph:[::1]")),
            ("@ralph:[2001:DB8::1]:8448", Ok("@ralph:[2001:db8::1]:8448")),
            ("", Err(Format)),
            ("ralph", Err(Format)),
            ("ralph:example.org", Err(Format)),
            ("@ralph", Err(Format)),
            ("@:example.org", Err(Format)),
            ("@ralph:", Err(Format)),
            ("#room:example.org", Err(Format)),
            ("@ra lph:example.org", Err(Name)),
            ("@rälph:example.org", Err(Name)),
            ("@ra\nlph:example.org", Err(Name)),
            ("@ralph:exam ple.org", Err(Server)),
            ("@ralph:example.org/x", Err(Server)),
            ("@ralph:example..org", Err(Server)),
            ("@ralph:-example.org", Err(Server)),
            ("@ralph:example.org:", Err(Server)),
            ("@ralph:example.org:99999", Err(Server)),
            ("@ralph:example.org:1:2", Err(Server)),
            ("@ralph:[::g]", Err(Server)),
            ("@ralph:[::1]x", Err(Server)),
            ("@ralph:[::1]:", Err(Server)),
            ("@ralph:bücher.example", Err(Server)),
            (&long, Err(TooLong)),
        ] {
            assert_eq!(parse(text).as_deref(), expected.as_ref().copied(), "{text:?}");
        }
    }
}
