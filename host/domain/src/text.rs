//! Makes untrusted text (from plugins, remote servers, users) safe for a log line, a terminal and an API page: one
//! line, bounded, without cursor movement or changes of the reading direction. It does not escape for any markup.

use std::fmt::Write as _;

/// `text` as one line of at most `max_chars` characters. Control characters, line and paragraph separators, and
/// characters that change the direction of text or are invisible become escapes (`\n`, `\u{1b}`). A text that does not
/// fit is cut, with `…` as the last character.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    for char in text.chars() {
        let before = line.len();
        match char {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            _ if is_unsafe(char) => drop(write!(line, "{}", char.escape_unicode())),
            _ => line.push(char),
        }
        length += line[before..].chars().count();
        if length > max_chars {
            return cut(&line, max_chars);
        }
    }
    line
}

/// Whether `text` can be shown unchanged: `one_line` would at most cut it.
pub fn is_one_line(text: &str) -> bool {
    !text.chars().any(is_unsafe)
}

fn cut(line: &str, max_chars: usize) -> String {
    let mut kept: String = line.chars().take(max_chars.saturating_sub(1)).collect();
    if max_chars > 0 {
        kept.push('…');
    }
    kept
}

/// Controls, separators, direction marks and invisible characters. Zero-width joiner and non-joiner stay: scripts and
/// emoji need them.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_characters_become_escapes_and_the_rest_stays() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("Größe 20 % – 日本 👩‍💻", "Größe 20 % – 日本 👩‍💻"),
            ("a\r\nBcc: b", "a\\r\\nBcc: b"),
            ("a\tb", "a\\tb"),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("nul\0", "nul\\u{0}"),
            ("c1 \u{9b}2J", "c1 \\u{9b}2J"),
            ("line\u{2028}separator", "line\\u{2028}separator"),
            ("rtl \u{202e}gpj.exe", "rtl \\u{202e}gpj.exe"),
            ("isolate \u{2066}", "isolate \\u{2066}"),
            ("bom \u{feff}", "bom \\u{feff}"),
        ] {
            assert_eq!(one_line(text, 100), expected, "{text:?}");
            assert_eq!(is_one_line(text), text == expected, "{text:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_of_the_result() {
        for (text, max, expected) in [
            ("äöü", 3, "äöü"),
            ("äöüß", 3, "äö…"),
            ("ab\n", 3, "ab…"),
            ("ab\n", 4, "ab\\n"),
            ("\u{1b}\u{1b}", 5, "\\u{1…"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(one_line(text, max), expected, "{text:?} in {max}");
        }
    }

    #[test]
    fn a_huge_text_is_read_only_up_to_the_limit() {
        let huge = "\n".repeat(10_000_000);
        assert_eq!(one_line(&huge, 500).chars().count(), 500);
    }
}
