//! Text as it goes over the wire: pieces with or without a colour, cut into lines that every server passes on whole.
//!
//! No control character of an event ever comes out: neither a line's end, nor CTCP's \x01, nor colours of its own.

use tidings_plugin::text::HeaderSafe;

/// RFC 2812, 2.3: a line has 512 octets with its CR and LF.
pub const LINE_OCTETS: usize = 510;
/// However long names are, so much is left for text, in octets.
const LEAST_ROOM: usize = 64;
const COLOUR: char = '\u{3}';
/// Ends all decoration; a second \x03 would take a digit that follows for a colour.
const PLAIN: char = '\u{f}';
const ELLIPSIS: &str = "…";

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    text: String,
    /// One of mIRC's sixteen.
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

/// Control characters and runs of white space become one space; a space at either end stays, it is between two pieces.
fn safe(text: &str) -> String {
    let edge = |c: Option<char>| if c.is_some_and(char::is_whitespace) { " " } else { "" };
    let flat = HeaderSafe::flatten(text);
    if flat.is_empty() {
        return edge(text.chars().next()).to_owned();
    }
    format!("{}{flat}{}", edge(text.chars().next()), edge(text.chars().next_back()))
}

/// The octets that are left for text in a line, if the server passes it on as `:source COMMAND target :text`.
pub fn room(source_octets: usize, command: &str, target: &str) -> usize {
    let frame = 1 + source_octets + 1 + command.len() + 1 + target.len() + 2;
    LINE_OCTETS.saturating_sub(frame).max(LEAST_ROOM)
}

type Atom = (char, Option<u8>);

/// At most `most` lines of at most `room` octets, cut at spaces where that is possible, else between characters. A colour
/// goes on in the next line. What does not fit at all ends with an ellipsis.
pub fn split(spans: &[Span], room: usize, most: usize) -> Vec<String> {
    let atoms: Vec<Atom> = spans.iter().flat_map(|span| span.text.chars().map(|c| (c, span.colour))).collect();
    let mut rest = trim(&atoms);
    let mut lines = Vec::new();
    while !rest.is_empty() && lines.len() < most {
        let mut end = fill(rest, room);
        let last = lines.len() + 1 == most && end < rest.len();
        if last {
            end = fill(rest, room.saturating_sub(ELLIPSIS.len()));
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

/// How many atoms fit, at least one; up to the last space where more follow.
fn fill(atoms: &[Atom], room: usize) -> usize {
    let (mut used, mut colour, mut space) = (0, None, None);
    for (at, (c, next)) in atoms.iter().enumerate() {
        used += switch(colour, *next).len() + c.len_utf8();
        if used + switch(*next, None).len() > room {
            return if *c == ' ' { at } else { space.unwrap_or(at) }.max(1);
        }
        colour = *next;
        if *c == ' ' {
            space = Some(at + 1);
        }
    }
    atoms.len()
}

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
    fn no_control_character_of_a_text_is_sent() {
        let evil = "a\r\nQUIT :b\0c\u{1}ACTION d\u{1}\u{3}04e\u{2028}f\u{85}g\u{1b}[2J";
        assert_eq!(split(&[Span::plain(evil)], 400, 9), ["a QUIT :b c ACTION d 04e f g [2J"]);
        assert_eq!(split(&[Span::plain("\u{1}VERSION\u{1}")], 400, 9), ["VERSION"]);
        assert!(split(&[Span::plain(" \r\n")], 400, 9).is_empty());
    }

    #[test]
    fn lines_end_at_spaces_or_between_characters_within_their_room() {
        for (text, room, most, expected) in [
            ("one two three", 8, 9, &["one two", "three"][..]),
            ("one two three", 7, 9, &["one two", "three"]),
            ("żółwżółw", 7, 9, &["żółw", "żółw"]),
            ("one two three four", 8, 2, &["one two", "three…"]),
            ("word", 4, 1, &["word"]),
            ("🎉🎉", 5, 9, &["🎉", "🎉"]),
        ] {
            let lines = split(&[Span::plain(text)], room, most);
            assert!(lines.iter().all(|line| line.len() <= room), "{lines:?}");
            assert_eq!(lines, expected, "{text}");
        }
    }

    #[test]
    fn a_colour_is_whole_in_each_line() {
        let spans = [Span::coloured("abcdef", 5), Span::plain(" 9 "), Span::coloured("z", 10)];
        assert_eq!(split(&spans, 100, 9), ["\u{3}05abcdef\u{f} 9 \u{3}10z\u{f}"]);
        for room in 5..20 {
            for line in split(&spans, room, 99) {
                assert!(line.len() <= room, "{room}: {line:?}");
                let opened = line.matches("\u{3}05").count() + line.matches("\u{3}10").count();
                assert_eq!((line.matches('\u{3}').count(), line.matches('\u{f}').count()), (opened, opened));
            }
        }
    }

    #[test]
    fn a_line_with_all_that_the_server_adds_has_at_most_510_octets() {
        let source = "tidings!~tidings@gateway/web/example.org";
        let room = room(source.len(), "PRIVMSG", "#fedora-devel");
        let line = &split(&[Span::plain(&"ż".repeat(600))], room, 1)[0];
        let whole = format!(":{source} PRIVMSG #fedora-devel :{line}");
        assert!((LINE_OCTETS - 2..=LINE_OCTETS).contains(&whole.len()), "{}", whole.len());
    }
}
