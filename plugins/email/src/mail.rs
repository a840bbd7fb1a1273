//! Mail as it is written: from a delivery to the octets between DATA and the final dot. Pure: the same delivery gives
//! the same mail in every attempt, so that a duplicate can be recognised.

mod body;
mod compose;
mod date;
mod header;
mod link;

pub use compose::compose;

use crate::address::Address;
use body::{Body, TransferEncoding};
use header::Headers;

/// A mail that is written but for the encoding of its body, which depends on the server.
pub struct Draft {
    pub to: Address,
    headers: Headers,
    body: Body,
    /// An address in its headers is not ASCII.
    utf8: bool,
}

/// A mail that is ready to be sent: every line ends with CRLF and is at most 998 octets long, and neither CR, LF nor NUL
/// stands alone in it.
pub struct Mail {
    text: String,
    /// It is not ASCII below its headers: the server must know 8BITMIME.
    pub eight_bit: bool,
    /// It is not ASCII in its headers: the server must know SMTPUTF8.
    pub utf8: bool,
}

impl Draft {
    /// With the body in 8 bits where that is allowed and useful.
    pub fn write(mut self, eight_bit: bool) -> Mail {
        let (encoding, body) = self.body.encode(eight_bit);
        self.headers.fixed("Content-Transfer-Encoding", encoding.name());
        Mail {
            text: self.headers.finish() + "\r\n" + &body,
            eight_bit: encoding == TransferEncoding::EightBit,
            utf8: self.utf8,
        }
    }
}

impl Mail {
    /// As it is stored by a receiver.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its length in octets, as SIZE counts (RFC 1870): with CRLF, without the stuffed dots.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// As it goes over the wire after 354: with stuffed dots (RFC 5321, 4.5.2) and the final one.
    pub fn stuffed(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.text.len() + 64);
        for line in self.text.split_inclusive("\r\n") {
            if line.starts_with('.') {
                octets.push(b'.');
            }
            octets.extend_from_slice(line.as_bytes());
        }
        octets.extend_from_slice(b".\r\n");
        octets
    }
}
