//! Splits text, with or without colours, into lines that no server truncates.
//!
//! The lines contain no control character of an event: no line end, no CTCP (\x01), no colour code.

use tidings_plugin::text::HeaderSafe;

/// The longest line, in octets. RFC 2812, 2.3: 512 with CR and LF.
pub const LINE_OCTETS: usize = 510;
/// The least capacity for text, however long the names are, in octets.
const LEAST_CAPACITY: usize = 64;
const COLOUR: char = '\u{3}';
/// Ends all formatting. A second \x03 would take a digit that follows as a colour.
const PLAIN: char = '\u{f}';
const ELLIPSIS: &str = "…";

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    text: String,
    /// One of mIRC's sixteen colours.
    colour: Option<u8>,
}

impl Span {
    pub fn plain(text: &str) -> Self {
        Span { text: safe(text), colour: None }
    }

    pub fn coloured(text: &str, colour: u8) -> Self {
        Span { text: safe(text), colour: Some(colour % 16) }
    }
}

/// Replaces control characters and runs of white space by one space. A space at either end stays: it separates two
/// parts.
fn safe(text: &str) -> String {
    let edge = |c: Option<char>| if c.is_some_and(char::is_whitespace) { " " } else { "" };
    let flat = HeaderSafe::flatten(text);
    if flat.is_empty() {
        return edge(text.chars().next()).to_owned();
    }
    format!("{}{flat}{}", edge(text.chars().next()), edge(text.chars().next_back()))
}

/// The capacity for text of a line that the server forwards as `:source COMMAND target :text`, in octets.
pub fn text_capacity(source_octets: usize, command: &str, target: &str) -> usize {
    let overhead = 1 + source_octets + 1 + command.len() + 1 + target.len() + 2;
    LINE_OCTETS.saturating_sub(overhead).max(LEAST_CAPACITY)
}

/// A character and its colour.
type Atom = (char, Option<u8>);

/// Splits a text into at most `most` lines of at most `capacity` octets, at spaces where possible, else between
/// characters. A colour continues in the next line. A text that is cut ends with an ellipsis.
pub fn split(spans: &[Span], capacity: usize, most: usize) -> Vec<String> {
    let atoms: Vec<Atom> = spans.iter().flat_map(|span| span.text.chars().map(|c| (c, span.colour))).collect();
    let mut rest = trim(&atoms);
    let mut lines = Vec::new();
    while !rest.is_empty() && lines.len() < most {
        let mut end = fitting(rest, capacity);
        let last = lines.len() + 1 == most && end < rest.len();
        if last {
            end = fitting(rest, capacity.saturating_sub(ELLIPSIS.len()));
        }
        let mut line = render(trim(&rest[..end]));
        if last {
            line.push_str(ELLIPSIS);
        }
        lines.push(line);
        rest = trim(&rest[end..]);
    }
    lines
}

fn trim(mut atoms: &[Atom]) -> &[Atom] {
    while let [(' ', _), rest @ ..] = atoms {
        atoms = rest;
    }
    while let [rest @ .., (' ', _)] = atoms {
        atoms = rest;
    }
    atoms
}

/// The number of characters that fit, at least one; up to the last space where more follow.
fn fitting(atoms: &[Atom], capacity: usize) -> usize {
    let (mut used, mut colour, mut space) = (0, None, None);
    for (at, (c, next)) in atoms.iter().enumerate() {
        used += switch(colour, *next).len() + c.len_utf8();
        if used + switch(*next, None).len() > capacity {
            return if *c == ' ' { at } else { space.unwrap_or(at) }.max(1);
        }
        colour = *next;
        if *c == ' ' {
            space = Some(at + 1);
        }
    }
    atoms.len()
}

/// The codes that change the colour.
fn switch(from: Option<u8>, to: Option<u8>) -> String {
    match to {
        _ if from == to => String::new(),
        Some(colour) => format!("{COLOUR}{colour:02}"),
        None => PLAIN.to_string(),
    }
}

fn render(atoms: &[Atom]) -> String {
    let mut line = String::new();
    let mut colour = None;
    for (c, next) in atoms {
        line.push_str(&switch(colour, *next));
        line.push(*c);
        colour = *next;
    }
    line.push_str(&switch(colour, None));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_contain_no_control_character_of_the_text() {
        let evil = "a\r\nQUIT :b\0c\u{1}ACTION d\u{1}\u{3}04e\u{2028}f\u{85}g\u{1b}[2J";
        assert_eq!(split(&[Span::plain(evil)], 400, 9), ["a QUIT :b c ACTION d 04e f g [2J"]);
        assert_eq!(split(&[Span::plain("\u{1}VERSION\u{1}")], 400, 9), ["VERSION"]);
        assert!(split(&[Span::plain(" \r\n")], 400, 9).is_empty());
    }

    #[test]
    fn lines_end_at_spaces_or_between_characters_within_the_capacity() {
        for (text, capacity, most, expected) in [
            ("one two three", 8, 9, &["one two", "three"][..]),
            ("one two three", 7, 9, &["one two", "three"]),
            ("żółwżółw", 7, 9, &["żółw", "żółw"]),
            ("one two three four", 8, 2, &["one two", "three…"]),
            ("word", 4, 1, &["word"]),
            ("🎉🎉", 5, 9, &["🎉", "🎉"]),
        ] {
            let lines = split(&[Span::plain(text)], capacity, most);
            assert!(lines.iter().all(|line| line.len() <= capacity), "{lines:?}");
            assert_eq!(lines, expected, "{text}");
        }
    }

    #[test]
    fn each_line_sets_and_ends_its_colours() {
        let spans = [Span::coloured("abcdef", 5), Span::plain(" 9 "), Span::coloured("z", 10)];
        assert_eq!(split(&spans, 100, 9), ["\u{3}05abcdef\u{f} 9 \u{3}10z\u{f}"]);
        for capacity in 5..20 {
            for line in split(&spans, capacity, 99) {
                assert!(line.len() <= capacity, "{capacity}: {line:?}");
                let opened = line.matches("\u{3}05").count() + line.matches("\u{3}10").count();
                assert_eq!((line.matches('\u{3}').count(), line.matches('\u{f}').count()), (opened, opened));
            }
        }
    }

    #[test]
    fn a_forwarded_line_has_at_most_510_octets() {
        let source = "tidings!~tidings@gateway/web/example.org";
        let capacity = text_capacity(source.len(), "PRIVMSG", "#fedora-devel");
        let line = &split(&[Span::plain(&"ż".repeat(600))], capacity, 1)[0];
        let whole = format!(":{source} PRIVMSG #fedora-devel :{line}");
        assert!((LINE_OCTETS - 2..=LINE_OCTETS).contains(&whole.len()), "{}", whole.len());
    }
}
