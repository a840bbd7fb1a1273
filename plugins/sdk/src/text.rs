//! Text that is safe in one line of a protocol: headers of mail and HTTP, commands of SMTP and IRC.
//!
//! Event text may hold anything. What ends a line somewhere (CR, LF, NUL, NEL, U+2028, U+2029) or steers a terminal (the
//! other control characters) cannot be in a [`HeaderSafe`], and there is no way to make one around that check.

use std::fmt;

/// One line of text without control characters and line separators. Any other character may be in it; how a medium
/// writes characters beyond ASCII is the medium's affair.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderSafe(String);

/// The text holds a control character or a line separator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsafe;

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("control characters and line breaks are not allowed here")
    }
}

impl std::error::Error for Unsafe {}

impl HeaderSafe {
    /// The text as it is, or a refusal: for what must not be changed silently, such as addresses.
    pub fn refuse(text: &str) -> Result<Self, Unsafe> {
        if text.chars().any(breaks) { Err(Unsafe) } else { Ok(HeaderSafe(text.to_owned())) }
    }

    /// The text with every run of white space, control characters and line separators made one space, and none at the
    /// ends: for what a person reads.
    pub fn flatten(text: &str) -> Self {
        let words = text.split(|c: char| c.is_whitespace() || breaks(c)).filter(|word| !word.is_empty());
        HeaderSafe(words.collect::<Vec<_>>().join(" "))
    }

    /// At most `chars` characters; where something was cut, the last is an ellipsis.
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

/// Lines that end with `\n`, whatever ended them before. Other control characters, which could steer a reader's terminal,
/// become U+FFFD; the tabulator stays.
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

/// The longest beginning of the text that has at most so many octets and ends between two characters.
pub fn prefix(text: &str, octets: usize) -> &str {
    &text[..text.floor_char_boundary(octets)]
}

/// At most `octets` octets; where something was cut, the last character is an ellipsis, if there is space for one.
pub fn cut(text: &str, octets: usize) -> String {
    const ELLIPSIS: &str = "…";
    match octets.checked_sub(ELLIPSIS.len()) {
        _ if text.len() <= octets => text.to_owned(),
        Some(space) => prefix(text, space).to_owned() + ELLIPSIS,
        None => prefix(text, octets).to_owned(),
    }
}

/// Ends a line or steers a terminal somewhere.
fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_breaks_a_line_gets_into_header_safe_text() {
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
    fn lines_end_in_one_way_and_nothing_steers_a_terminal() {
        let evil = "a\rb\nc\r\nd\u{85}e\u{2028}f\u{2029}g\0h\u{1b}[31mi\u{9b}j\tk\n\rl";
        assert_eq!(plain(evil), "a\nb\nc\nd\ne\nf\ng\u{fffd}h\u{fffd}[31mi\u{fffd}j\tk\n\nl");
    }

    #[test]
    fn a_text_is_cut_between_characters_within_the_octets() {
        for (octets, expected) in [(7, "żółw"), (6, "ż…"), (5, "ż…"), (4, "…"), (3, "…"), (2, "ż"), (1, ""), (0, "")]
        {
            assert_eq!(cut("żółw", octets), expected, "{octets}");
        }
        assert_eq!(prefix("żółw", 3), "ż");
        assert_eq!(prefix("żółw", 100), "żółw");
    }

    #[test]
    fn truncation_counts_characters_and_shows() {
        let cut = |text, chars| String::from(HeaderSafe::flatten(text).truncate(chars));
        assert_eq!(cut("żółw", 4), "żółw");
        assert_eq!(cut("żółwie", 4), "żół…");
    }
}
