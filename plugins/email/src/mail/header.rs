//! The headers of a mail. A value is a [`HeaderSafe`] or a constant, so untrusted text cannot add a header. Lines are
//! folded near 76 octets.

use std::fmt::Write;

use email_encoding::headers::writer::EmailWriter;
use email_encoding::headers::{quoted_string, rfc2047};
use tidings_plugin::text::HeaderSafe;

use crate::settings::Mailbox;

/// The longest word that is not encoded. With the header's name, it stays below the 998 octets of RFC 5322, 2.1.1.
const WORD_OCTETS: usize = 900;

/// Headers in the order in which they were added.
#[derive(Default)]
pub struct Headers {
    text: String,
}

impl Headers {
    /// Adds text for people: unchanged if it is ASCII with short words, else in encoded words (RFC 2047).
    pub fn text(&mut self, name: &'static str, value: &HeaderSafe) {
        let plain = value.as_str().split(' ').all(|word| word.is_ascii() && word.len() <= WORD_OCTETS);
        self.add(name, |line| match value.as_str() {
            text if plain && !text.contains("=?") => line.folding().write_str(text),
            text => rfc2047::encode(text, line),
        });
    }

    /// Adds text for programs, which must not be encoded: ids, dates, links. Omits words that are too long for a line,
    /// and the header if no word is left.
    pub fn verbatim(&mut self, name: &'static str, value: &HeaderSafe) {
        let words: Vec<_> = value.as_str().split(' ').filter(|word| word.len() <= WORD_OCTETS).collect();
        if words.iter().any(|word| !word.is_empty()) {
            self.add(name, |line| line.folding().write_str(&words.join(" ")));
        }
    }

    /// Adds a constant.
    pub fn fixed(&mut self, name: &'static str, value: &'static str) {
        self.add(name, |line| line.write_str(value));
    }

    /// Adds an address with its display name.
    pub fn mailbox(&mut self, name: &'static str, mailbox: &Mailbox) {
        self.add(name, |line| {
            if mailbox.name.is_empty() {
                return line.write_str(mailbox.address.as_str());
            }
            quoted_string::encode(mailbox.name.as_str(), line)?;
            line.space();
            write!(line.folding(), "<{}>", mailbox.address)
        });
    }

    /// Returns all lines, each with its CRLF.
    pub fn finish(self) -> String {
        self.text
    }

    fn add(&mut self, name: &'static str, value: impl FnOnce(&mut EmailWriter<'_>) -> std::fmt::Result) {
        self.text.push_str(name);
        self.text.push(':');
        let mut line = EmailWriter::new(&mut self.text, name.len() + 1, 1, false);
        // Writing to a string cannot fail.
        let _ = value(&mut line);
        drop(line);
        self.text.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    fn written(add: impl FnOnce(&mut Headers)) -> String {
        let mut headers = Headers::default();
        add(&mut headers);
        headers.finish()
    }

    fn text(value: &str) -> String {
        written(|headers| headers.text("Subject", &HeaderSafe::flatten(value)))
    }

    #[test]
    fn short_ascii_is_unchanged_and_other_text_is_encoded() {
        assert_eq!(text("koji build started"), "Subject: koji build started\r\n");
        assert_eq!(text("zażółć"), "Subject: =?utf-8?b?emHFvMOzxYLEhw==?=\r\n");
        assert_eq!(text("=?utf-8?b?eA==?="), "Subject: =?utf-8?b?PT91dGYtOD9iP2VBPT0/PQ==?=\r\n");
    }

    #[test]
    fn long_text_is_folded_and_no_line_is_too_long() {
        for value in ["word ".repeat(100), "ü".repeat(500), "x".repeat(5000), format!("{} ü", "y".repeat(3000))] {
            let header = text(&value);
            assert!(header.lines().count() > 1, "{header}");
            assert!(header.lines().all(|line| line.len() <= 78), "{header}");
            assert!(header.lines().skip(1).all(|line| line.starts_with(' ') && !line.trim().is_empty()), "{header}");
        }
    }

    #[test]
    fn a_word_that_is_too_long_for_verbatim_is_omitted() {
        let verbatim = |value: &str| written(|headers| headers.verbatim("X-Id", &HeaderSafe::flatten(value)));
        assert_eq!(verbatim("<a@b>"), "X-Id: <a@b>\r\n");
        assert_eq!(verbatim(&"x".repeat(1000)), "");
        assert_eq!(verbatim(""), "");
    }

    #[test]
    fn a_name_is_quoted_or_encoded() {
        let mailbox = |name: &str| {
            let name = HeaderSafe::flatten(name);
            let mailbox = Mailbox { name, address: Address::parse("a@example.org").unwrap() };
            written(|headers| headers.mailbox("From", &mailbox))
        };
        assert_eq!(mailbox(""), "From: a@example.org\r\n");
        assert_eq!(mailbox("Tidings"), "From: Tidings <a@example.org>\r\n");
        assert_eq!(mailbox("Ms. Tidings"), "From: \"Ms. Tidings\" <a@example.org>\r\n");
        assert_eq!(mailbox("T, <x@y>"), "From: =?utf-8?b?VCwgPHhAeT4=?= <a@example.org>\r\n");
        assert_eq!(mailbox("Żółw"), "From: =?utf-8?b?xbvDs8WCdw==?= <a@example.org>\r\n");
    }
}
