//! Writes a mail: from a delivery to the octets between DATA and the final dot. The same delivery gives the same mail
//! in every attempt, so a duplicate can be recognised.

mod body;
mod compose;
mod date;
mod header;
mod link;

pub use compose::compose;

use crate::address::Address;
use body::{Body, TransferEncoding};
use header::Headers;

/// A mail whose body is not encoded yet, because the encoding depends on the server.
pub struct Draft {
    pub to: Address,
    headers: Headers,
    body: Body,
    /// An address in the headers is not ASCII.
    utf8: bool,
}

/// A mail that is ready to be sent. Every line ends with CRLF and has at most 998 octets; it contains no NUL, and CR
/// and LF only as CRLF.
pub struct Mail {
    text: String,
    /// The body is not ASCII: the server must support 8BITMIME.
    pub eight_bit: bool,
    /// The headers are not ASCII: the server must support SMTPUTF8.
    pub utf8: bool,
}

impl Draft {
    /// Encodes the body, with `eight_bit` in 8 bits where that is useful.
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
    /// The mail as a receiver stores it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The length in octets as SIZE counts it (RFC 1870): with CRLF, without the stuffed dots.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// The octets to send after 354: with stuffed dots (RFC 5321, 4.5.2) and the final dot.
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
