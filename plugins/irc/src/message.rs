//! One line of the protocol (RFC 2812, 2.3.1; tags of IRCv3 are skipped), and which names are the same. What a line means
//! is not its affair.

/// A line that came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who it is from: a server, or `nick!user@host`; empty where the line does not say.
    pub source: String,
    /// A word in capitals, or three digits.
    pub command: String,
    pub params: Vec<String>,
}

impl Message {
    /// From a line without its end; none if there is no command in it. What is no UTF-8 is replaced.
    pub fn parse(line: &[u8]) -> Option<Message> {
        let line = String::from_utf8_lossy(line);
        let mut rest = line.trim_start_matches(' ');
        if rest.starts_with('@') {
            rest = rest.split_once(' ')?.1.trim_start_matches(' ');
        }
        let mut source = "";
        if let Some(prefixed) = rest.strip_prefix(':') {
            (source, rest) = prefixed.split_once(' ')?;
            rest = rest.trim_start_matches(' ');
        }
        let (command, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if command.is_empty() {
            return None;
        }
        let mut params = Vec::new();
        loop {
            rest = rest.trim_start_matches(' ');
            if let Some(last) = rest.strip_prefix(':') {
                params.push(last.to_owned());
                break;
            }
            if rest.is_empty() {
                break;
            }
            let (param, more) = rest.split_once(' ').unwrap_or((rest, ""));
            params.push(param.to_owned());
            rest = more;
        }
        Some(Message { source: source.to_owned(), command: command.to_ascii_uppercase(), params })
    }

    /// A parameter, empty where there is none.
    pub fn param(&self, place: usize) -> &str {
        self.params.get(place).map_or("", String::as_str)
    }

    /// The last parameter: what a person reads.
    pub fn text(&self) -> &str {
        self.params.last().map_or("", String::as_str)
    }

    /// The nick that it is from; none if a server sent it.
    pub fn nick(&self) -> Option<&str> {
        self.source.split_once('!').map(|(nick, _)| nick)
    }
}

/// A name in the form that compares: RFC 2812, 2.2 counts `{}|^` as the small letters of `[]\~`.
pub fn fold(name: &str) -> String {
    let small = |c: char| match c {
        '[' => '{',
        ']' => '}',
        '\\' => '|',
        '~' => '^',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(small).collect()
}

/// Whether two names are one for the server.
pub fn same(one: &str, other: &str) -> bool {
    fold(one) == fold(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_source_command_and_parameters() {
        for (line, source, command, params) in [
            ("PING :tok en", "", "PING", &["tok en"][..]),
            (":irc.example.org 001 tidings :Welcome", "irc.example.org", "001", &["tidings", "Welcome"]),
            ("@time=now;x=: :a!b@c privmsg  #d   :e :f ", "a!b@c", "PRIVMSG", &["#d", "e :f "]),
            (":a!b@c JOIN #d", "a!b@c", "JOIN", &["#d"]),
            (":s NOTICE * :", "s", "NOTICE", &["*", ""]),
        ] {
            let message = Message::parse(line.as_bytes()).unwrap();
            assert_eq!((message.source.as_str(), message.command.as_str()), (source, command), "{line}");
            assert_eq!(message.params, params, "{line}");
        }
        for line in ["", " ", ":only", "@tag", ":a "] {
            assert_eq!(Message::parse(line.as_bytes()), None, "{line:?}");
        }
        assert_eq!(Message::parse(b"PRIVMSG a :\xff\xfe").unwrap().text(), "\u{fffd}\u{fffd}");
        assert_eq!(Message::parse(b":a!b@c QUIT").unwrap().nick(), Some("a"));
        assert_eq!(Message::parse(b":irc.example.org QUIT").unwrap().nick(), None);
    }

    #[test]
    fn names_compare_as_on_a_server() {
        assert!(same("Ral[ph]\\~", "raL{PH}|^"));
        assert!(!same("ralph", "ralph_"));
    }
}
