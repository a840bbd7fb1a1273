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
    fn truncation_counts_characters_and_shows() {
        let cut = |text, chars| String::from(HeaderSafe::flatten(text).truncate(chars));
        assert_eq!(cut("żółw", 4), "żółw");
        assert_eq!(cut("żółwie", 4), "żół…");
    }
}
