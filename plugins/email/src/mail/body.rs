//! The body of a mail: plain text in UTF-8 without control characters, and its transfer encoding.

use quoted_printable::{InputMode, Options};
use tidings_plugin::text::plain;

/// RFC 5322, 2.1.1: the longest line without its CRLF, in octets.
const LINE_OCTETS: usize = 998;

/// RFC 2045, 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferEncoding {
    SevenBit,
    EightBit,
    QuotedPrintable,
    Base64,
}

impl TransferEncoding {
    pub fn name(self) -> &'static str {
        match self {
            TransferEncoding::SevenBit => "7bit",
            TransferEncoding::EightBit => "8bit",
            TransferEncoding::QuotedPrintable => "quoted-printable",
            TransferEncoding::Base64 => "base64",
        }
    }
}

/// Text whose lines end with CRLF, and whose only other control characters are tabs.
pub struct Body {
    text: String,
}

impl Body {
    /// Replaces every line end by CRLF, and other control characters, which could control a terminal, by U+FFFD.
    pub fn new(text: &str) -> Self {
        let mut body = plain(text).replace('\n', "\r\n");
        if !body.ends_with("\r\n") {
            body.push_str("\r\n");
        }
        Body { text: body }
    }

    /// Chooses the shortest encoding that is allowed. Returns it with the encoded text, which ends with CRLF.
    pub fn encode(self, eight_bit: bool) -> (TransferEncoding, String) {
        let short = self.text.split("\r\n").all(|line| line.len() <= LINE_OCTETS);
        if short && self.text.is_ascii() {
            return (TransferEncoding::SevenBit, self.text);
        }
        if short && eight_bit {
            return (TransferEncoding::EightBit, self.text);
        }
        let special = self.text.bytes().filter(|byte| !byte.is_ascii() || *byte == b'=').count();
        // A quoted octet takes three octets; base64 takes four for any three.
        let (encoding, mut text) = if special * 6 < self.text.len() {
            let options = Options::default().input_mode(InputMode::Text);
            (TransferEncoding::QuotedPrintable, quoted_printable::encode_with_options(&self.text, options))
        } else {
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = email_encoding::body::base64::encode(self.text.as_bytes(), &mut text);
            (TransferEncoding::Base64, text)
        };
        if !text.ends_with("\r\n") {
            text.push_str("\r\n");
        }
        (encoding, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TransferEncoding::{Base64, EightBit, QuotedPrintable, SevenBit};

    #[test]
    fn the_shortest_allowed_encoding_is_chosen() {
        let mostly_ascii = format!("{} ü", "word ".repeat(20));
        let long = "x".repeat(1200);
        for (text, eight_bit, expected) in [
            ("plain", false, SevenBit),
            ("plain", true, SevenBit),
            (mostly_ascii.as_str(), true, EightBit),
            (mostly_ascii.as_str(), false, QuotedPrintable),
            ("日本語の本文", true, EightBit),
            ("日本語の本文", false, Base64),
            (long.as_str(), false, QuotedPrintable),
            (long.as_str(), true, QuotedPrintable),
        ] {
            let (encoding, encoded) = Body::new(text).encode(eight_bit);
            assert_eq!(encoding, expected, "{text}");
            assert!(encoded.split("\r\n").all(|line| line.len() <= LINE_OCTETS));
            assert!(encoded.ends_with("\r\n"));
        }
    }

    #[test]
    fn crlf_is_the_only_line_end_and_no_control_character_remains() {
        let evil = "a\rb\nc\r\nd\u{85}e\u{2028}f\u{2029}g\0h\u{1b}[31mi\u{9b}j\tk\n.\nl\n\rm";
        let (_, text) = Body::new(evil).encode(true);
        assert_eq!(text, "a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\u{fffd}h\u{fffd}[31mi\u{fffd}j\tk\r\n.\r\nl\r\n\r\nm\r\n");
    }

    #[test]
    fn quoted_printable_keeps_the_space_of_the_signature_line_and_short_lines() {
        let (encoding, text) = Body::new(&format!("{}\n-- \nfooter", "x ".repeat(700))).encode(false);
        assert_eq!(encoding, QuotedPrintable);
        assert!(text.lines().all(|line| line.len() <= 76 && !line.ends_with(' ')), "{text}");
        assert!(text.contains("--=20\r\nfooter\r\n"), "{text}");
    }
}
