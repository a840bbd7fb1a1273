//! A user's line, parsed as a command. It reads no account and makes no answer.

/// A user's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Start,
    Stop,
    ListFilters,
    /// One filter with its rules, by its name or its number in the list.
    ShowFilter(String),
    /// The applications that have rules.
    ListApplications,
    /// The rules about one application.
    ListRules(String),
    /// The answer to a question about the address, by its code.
    Confirm(String),
    Unknown,
}

impl Command {
    /// Case and spacing do not matter, nor do quotes around a name; none for an empty line.
    pub(super) fn read(text: &str) -> Option<Command> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let is = |place: usize, word: &str| words.get(place).is_some_and(|found| found.eq_ignore_ascii_case(word));
        let rest = || unquoted(&words[2..].join(" ")).to_owned();
        Some(match words.len() {
            0 => return None,
            1 if is(0, "help") => Command::Help,
            1 if is(0, "start") => Command::Start,
            1 if is(0, "stop") => Command::Stop,
            2 if is(0, "list") && is(1, "filters") => Command::ListFilters,
            2 if is(0, "list") && is(1, "rules") => Command::ListApplications,
            3.. if is(0, "list") && is(1, "filters") => Command::ShowFilter(rest()),
            3.. if is(0, "list") && is(1, "rules") => Command::ListRules(rest()),
            2 if is(0, "confirm") => Command::Confirm(unquoted(words[1]).to_uppercase()),
            _ => Command::Unknown,
        })
    }
}

fn unquoted(text: &str) -> &str {
    let pairs = [('"', '"'), ('\'', '\''), ('“', '”')];
    let inner = pairs.iter().find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close));
    inner.unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_whatever_their_case_spacing_and_quotes() {
        let filter = |name: &str| Some(Command::ShowFilter(name.to_owned()));
        let rules = |name: &str| Some(Command::ListRules(name.to_owned()));
        for (text, command) in [
            ("help", Some(Command::Help)),
            ("  STOP ", Some(Command::Stop)),
            ("Start", Some(Command::Start)),
            ("list   Filters", Some(Command::ListFilters)),
            ("LIST filters  My  Builds", filter("My Builds")),
            ("list filters \"My Builds\"", filter("My Builds")),
            ("list filters 2", filter("2")),
            ("list filters '", filter("'")),
            ("list rules", Some(Command::ListApplications)),
            ("list rules Buildsys", rules("Buildsys")),
            ("Confirm k7qx2345", Some(Command::Confirm("K7QX2345".to_owned()))),
            ("confirm", Some(Command::Unknown)),
            ("list", Some(Command::Unknown)),
            ("stop it", Some(Command::Unknown)),
            ("list all filters", Some(Command::Unknown)),
            (" \t ", None),
        ] {
            assert_eq!(Command::read(text), command, "{text:?}");
        }
    }
}
