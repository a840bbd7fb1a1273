//! A server's reply: code, enhanced code and text, from one or several lines. Its text is untrusted.

use std::fmt;

use tidings_plugin::text::HeaderSafe;

/// How much of a reply's text is quoted, in characters.
const QUOTE_CHARS: usize = 300;

/// One complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// The code of RFC 3463, e.g. `5.1.1`, where the server sends one that matches its code.
    pub enhanced: Option<(u16, u16, u16)>,
    /// The text of each line.
    pub lines: Vec<HeaderSafe>,
}

/// The first digit of a code (RFC 5321, 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The command was executed.
    Success,
    /// The command needs more input.
    Continue,
    /// The command failed and may succeed later.
    Transient,
    /// The command failed.
    Permanent,
}

/// Parses one line of a reply: its code, whether more lines follow, and its text.
pub fn parse_line(line: &[u8]) -> Option<(u16, bool, HeaderSafe)> {
    let (code, rest) = line.split_at_checked(3)?;
    if !(matches!(code[0], b'2'..=b'5') && code.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    let more = match rest.first() {
        None | Some(b' ') => false,
        Some(b'-') => true,
        Some(_) => return None,
    };
    let text = String::from_utf8_lossy(rest.get(1..).unwrap_or_default());
    Some((code, more, HeaderSafe::flatten(&text)))
}

impl Reply {
    pub fn new(code: u16, lines: Vec<HeaderSafe>) -> Self {
        let enhanced = lines.first().and_then(|line| enhanced(line.as_str()));
        Reply { code, enhanced: enhanced.filter(|(class, ..)| *class == code / 100), lines }
    }

    pub fn class(&self) -> Class {
        match self.code / 100 {
            2 => Class::Success,
            3 => Class::Continue,
            4 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    /// Whether the server will close the connection (RFC 5321, 3.8).
    pub fn closes(&self) -> bool {
        self.code == 421
    }

    /// The text of all lines, cut to [`QUOTE_CHARS`].
    pub fn text(&self) -> HeaderSafe {
        let lines: Vec<_> = self.lines.iter().map(HeaderSafe::as_str).collect();
        HeaderSafe::flatten(&lines.join(" ")).truncate(QUOTE_CHARS)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

fn enhanced(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.split(' ').next()?.split('.').map(|part| part.parse::<u16>().ok());
    let code = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_code_a_separator_and_text() {
        for (line, expected) in [
            (&b"250 OK"[..], Some((250, false, "OK"))),
            (b"250-SIZE 1000", Some((250, true, "SIZE 1000"))),
            (b"250", Some((250, false, ""))),
            (b"354 go \x1b[31mahead\0", Some((354, false, "go [31mahead"))),
            (b"550 \xff\xfe", Some((550, false, "\u{fffd}\u{fffd}"))),
            (b"250_OK", None),
            (b"25", None),
            (b"", None),
            (b"150 early", None),
            (b"650 late", None),
            (b"HTTP/1.1 400 Bad Request", None),
        ] {
            let parsed = parse_line(line);
            assert_eq!(parsed.as_ref().map(|(code, more, text)| (*code, *more, text.as_str())), expected, "{line:?}");
        }
    }

    #[test]
    fn an_enhanced_code_counts_only_if_it_matches_the_code() {
        let enhanced = |code, text| Reply::new(code, vec![HeaderSafe::flatten(text)]).enhanced;
        assert_eq!(enhanced(550, "5.1.1 no such user"), Some((5, 1, 1)));
        assert_eq!(enhanced(450, "5.1.1 no such user"), None);
        assert_eq!(enhanced(550, "1.2.3.4 is listed"), None);
        assert_eq!(enhanced(550, "no such user"), None);
    }
}
