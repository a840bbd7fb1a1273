//! Parses one line of the protocol (RFC 2812, 2.3.1; tags of IRCv3 are skipped), and compares names as the server does.
//! It does not interpret a line.

/// A line from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sender: a server, or `nick!user@host`; empty if the line has none.
    pub source: String,
    /// A word in upper case, or three digits.
    pub command: String,
    pub params: Vec<String>,
}

impl Message {
    /// Parses a line without its end. Returns none if it has no command. Invalid UTF-8 is replaced.
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

    /// A parameter; empty if it is missing.
    pub fn param(&self, place: usize) -> &str {
        self.params.get(place).map_or("", String::as_str)
    }

    /// The last parameter, which holds the text for people.
    pub fn text(&self) -> &str {
        self.params.last().map_or("", String::as_str)
    }

    /// The nick of the sender; none if a server sent the line.
    pub fn nick(&self) -> Option<&str> {
        self.source.split_once('!').map(|(nick, _)| nick)
    }

    /// The host of the sender; empty if the line has none.
    pub fn host(&self) -> &str {
        self.source.rsplit_once('@').map_or("", |(_, host)| host)
    }
}

/// How a server compares names (CASEMAPPING). Names that differ may belong to different users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Casing {
    /// ASCII letters are compared without case.
    Ascii,
    /// In addition, `{}|^` are the lower case of `[]\~` (RFC 2812, 2.2). The default of a server that declares nothing.
    #[default]
    Rfc1459,
    /// As [`Casing::Rfc1459`], except that `~` differs from `^`.
    StrictRfc1459,
}

impl Casing {
    /// Parses the name in numeric 005. For an unknown name, only ASCII case is ignored.
    pub fn named(name: &str) -> Casing {
        match name {
            "rfc1459" => Casing::Rfc1459,
            "strict-rfc1459" => Casing::StrictRfc1459,
            _ => Casing::Ascii,
        }
    }

    /// The form of a name that is compared.
    pub fn fold(self, name: &str) -> String {
        let lower = |c: char| match (c, self) {
            ('[', Casing::Rfc1459 | Casing::StrictRfc1459) => '{',
            (']', Casing::Rfc1459 | Casing::StrictRfc1459) => '}',
            ('\\', Casing::Rfc1459 | Casing::StrictRfc1459) => '|',
            ('~', Casing::Rfc1459) => '^',
            _ => c.to_ascii_lowercase(),
        };
        name.chars().map(lower).collect()
    }

    /// Whether two names are equal.
    pub fn same(self, one: &str, other: &str) -> bool {
        self.fold(one) == self.fold(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_source_a_command_and_parameters() {
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
        assert_eq!(Message::parse(b":a!b@c QUIT").unwrap().host(), "c");
        assert_eq!(Message::parse(b":irc.example.org QUIT").unwrap().nick(), None);
    }

    #[test]
    fn names_are_compared_as_the_server_does() {
        for (casing, brackets, tilde) in
            [("rfc1459", true, true), ("strict-rfc1459", true, false), ("ascii", false, false)]
        {
            let names = Casing::named(casing);
            assert!(names.same("Ralph", "rALPH"), "{casing}");
            assert_eq!(names.same("Ral[ph]\\", "raL{PH}|"), brackets, "{casing}");
            assert_eq!(names.same("a~", "a^"), tilde, "{casing}");
            assert!(!names.same("ralph", "ralph_"), "{casing}");
        }
        assert_eq!(Casing::named("rfc7613"), Casing::Ascii);
    }
}
