//! One line of the protocol (RFC 2812, 2.3.1; tags of IRCv3 are skipped), and which names are one. What a line means
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

    /// The host that the sender has in the server's eyes, empty where the line does not say.
    pub fn host(&self) -> &str {
        self.source.rsplit_once('@').map_or("", |(_, host)| host)
    }
}

/// Which names are one for a server, as its CASEMAPPING says. Two that differ may be two people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Casing {
    /// Capitals of ASCII alone.
    Ascii,
    /// RFC 2812, 2.2: `{}|^` are the small letters of `[]\~` as well; where a server does not say.
    #[default]
    Rfc1459,
    /// The same, but `~` is not `^`.
    StrictRfc1459,
}

impl Casing {
    /// From its name in numeric 005; any other takes the fewest names for one.
    pub fn named(name: &str) -> Casing {
        match name {
            "rfc1459" => Casing::Rfc1459,
            "strict-rfc1459" => Casing::StrictRfc1459,
            _ => Casing::Ascii,
        }
    }

    /// A name in the form that compares.
    pub fn fold(self, name: &str) -> String {
        let small = |c: char| match (c, self) {
            ('[', Casing::Rfc1459 | Casing::StrictRfc1459) => '{',
            (']', Casing::Rfc1459 | Casing::StrictRfc1459) => '}',
            ('\\', Casing::Rfc1459 | Casing::StrictRfc1459) => '|',
            ('~', Casing::Rfc1459) => '^',
            _ => c.to_ascii_lowercase(),
        };
        name.chars().map(small).collect()
    }

    /// Whether two names are one.
    pub fn same(self, one: &str, other: &str) -> bool {
        self.fold(one) == self.fold(other)
    }
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
        assert_eq!(Message::parse(b":a!b@c QUIT").unwrap().host(), "c");
        assert_eq!(Message::parse(b":irc.example.org QUIT").unwrap().nick(), None);
    }

    #[test]
    fn names_compare_as_on_a_server() {
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
