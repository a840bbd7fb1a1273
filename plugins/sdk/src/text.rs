//! Text that is safe in one line of a protocol: headers of mail and HTTP, commands of SMTP and IRC.
//!
//! The text of an event may hold any character. A [`HeaderSafe`] holds no character that ends a line (CR, LF, NUL, NEL,
//! U+2028, U+2029) or controls a terminal (the other control characters), and cannot be made without that check.

use std::fmt;

/// One line of text without control characters and line separators. It may hold any other character; each channel
/// encodes those beyond ASCII itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderSafe(String);

/// The error that a text has a control character or a line separator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsafe;

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("control characters and line breaks are not allowed here")
    }
}

impl std::error::Error for Unsafe {}

impl HeaderSafe {
    /// Returns the text unchanged, or an error: for text that must not be changed silently, such as addresses.
    pub fn refuse(text: &str) -> Result<Self, Unsafe> {
        if text.chars().any(is_unsafe) { Err(Unsafe) } else { Ok(HeaderSafe(text.to_owned())) }
    }

    /// Returns the text with every run of white space, control characters and line separators replaced by one space,
    /// and none at the ends: for text that a person reads.
    pub fn flatten(text: &str) -> Self {
        let words = text.split(|c: char| c.is_whitespace() || is_unsafe(c)).filter(|word| !word.is_empty());
        HeaderSafe(words.collect::<Vec<_>>().join(" "))
    }

    /// Cuts the text to at most `chars` characters. The last character of a cut text is an ellipsis.
    pub fn truncate(self, chars: usize) -> Self {
        match self.0.char_indices().nth(chars) {
            None => self,
            Some(_) => {
                let kept: String = self.0.chars().take(chars.saturating_sub(1)).collect();
                HeaderSafe(kept + "…")
            }
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for HeaderSafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<HeaderSafe> for String {
    fn from(text: HeaderSafe) -> String {
        text.0
    }
}

/// Returns the text with all line ends replaced by `\n`, and other control characters, which could control a terminal,
/// by U+FFFD. Tabs stay.
pub fn plain(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' => {
                characters.next_if_eq(&'\n');
                lines.push('\n');
            }
            '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => lines.push('\n'),
            '\t' => lines.push('\t'),
            c if c.is_control() => lines.push('\u{fffd}'),
            c => lines.push(c),
        }
    }
    lines
}

/// The longest prefix that has at most this many octets and does not split a character.
pub fn prefix(text: &str, octets: usize) -> &str {
    &text[..text.floor_char_boundary(octets)]
}

/// Cuts the text to at most `octets` octets. The last character of a cut text is an ellipsis, if it fits.
pub fn cut(text: &str, octets: usize) -> String {
    const ELLIPSIS: &str = "…";
    match octets.checked_sub(ELLIPSIS.len()) {
        _ if text.len() <= octets => text.to_owned(),
        Some(space) => prefix(text, space).to_owned() + ELLIPSIS,
        None => prefix(text, octets).to_owned(),
    }
}

/// Whether a character ends a line or controls a terminal.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_safe_text_has_no_line_end_and_no_control_character() {
        for evil in ["\r", "\n", "\0", "\t", "\u{1b}", "\u{7f}", "\u{85}", "\u{9b}", "\u{2028}", "\u{2029}"] {
            let text = format!("before{evil}Bcc: everybody@example.org");
            assert_eq!(HeaderSafe::refuse(&text), Err(Unsafe), "{evil:?}");
            assert_eq!(HeaderSafe::flatten(&text).as_str(), "before Bcc: everybody@example.org", "{evil:?}");
        }
    }

    #[test]
    fn readable_text_is_kept() {
        for text in ["", "plain", "zażółć gęślą jaźń", "日本語 🎉"] {
            assert_eq!(HeaderSafe::refuse(text).map(String::from).as_deref(), Ok(text));
            assert_eq!(HeaderSafe::flatten(text).as_str(), text);
        }
        assert_eq!(HeaderSafe::flatten(" \r\n a \t\r\n b  ").as_str(), "a b");
    }

    #[test]
    fn plain_text_has_one_line_end_and_no_control_character() {
        let evil = "a\rb\nc\r\nd\u{85}e\u{2028}f\u{2029}g\0h\u{1b}[31mi\u{9b}j\tk\n\rl";
        assert_eq!(plain(evil), "a\nb\nc\nd\ne\nf\ng\u{fffd}h\u{fffd}[31mi\u{fffd}j\tk\n\nl");
    }

    #[test]
    fn a_cut_splits_no_character_and_keeps_to_the_octets() {
        for (octets, expected) in [(7, "żółw"), (6, "ż…"), (5, "ż…"), (4, "…"), (3, "…"), (2, "ż"), (1, ""), (0, "")]
        {
            assert_eq!(cut("żółw", octets), expected, "{octets}");
        }
        assert_eq!(prefix("żółw", 3), "ż");
        assert_eq!(prefix("żółw", 100), "żółw");
    }

    #[test]
    fn truncation_counts_characters_and_ends_with_an_ellipsis() {
        let cut = |text, chars| String::from(HeaderSafe::flatten(text).truncate(chars));
        assert_eq!(cut("żółw", 4), "żółw");
        assert_eq!(cut("żółwie", 4), "żół…");
    }
}
