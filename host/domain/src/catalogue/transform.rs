//! The named transformations of the catalogue: what `| nvr` and others do to one value. Each returns none, one or
//! several texts; none of them fails.

use std::borrow::Cow;

use crate::aliases::Aliases;

/// One step behind a `|`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transform {
    /// The keys of an object. Only directly behind a path.
    Keys,
    /// `bash-5.2-1.fc40` gives `bash`.
    Nvr,
    /// `bash-5.2-1.fc40.src.rpm`, with any folder before it, gives `bash`.
    Srpm,
    /// An address at this domain gives its local part; any other is looked up among the aliases.
    Email(String),
    /// `ann.id.example.org`, with any scheme before it, gives `ann`.
    Openid,
    /// The account for a nick or address, if there is one.
    Alias,
    /// The parts between this separator, without blanks around them.
    Split(String),
    /// The parts between blanks and commas.
    Words,
    /// The names in `thanks @ann and @bob`.
    Mentions,
    /// The same, only after a blank or at the start: not inside an address.
    MentionsApart,
    Lower,
    /// The text unless it matches this pattern; a `*` at either end of the pattern stands for any text.
    Except(String),
    /// The text if it matches this pattern, with `*` as above.
    Only(String),
    /// The address in a header of a mail: `Ann <ann@example.org>` gives `ann@example.org`.
    Address,
    /// The first address of a web page in a text.
    Url,
    /// The text if it consists of digits.
    Digits,
    /// The text before the first separator; the whole text without one.
    Before(String),
    /// The text before the last separator; the whole text without one.
    BeforeLast(String),
    /// The text after the first separator; nothing without one.
    After(String),
    /// The text after the last separator; the whole text without one.
    AfterLast(String),
}

/// Names and arguments, for error messages.
pub const NAMES: &str = "keys, nvr, srpm, email('domain'), openid, alias, split('x'), words, mentions, mentions_apart, lower, except('x'), only('x'), \
                         address, url, digits, before('x'), before_last('x'), after('x'), after_last('x')";

impl Transform {
    /// The transformation with this name; `argument` is the text in brackets.
    pub fn named(name: &str, argument: Option<String>) -> Option<Transform> {
        Some(match (name, argument) {
            ("keys", None) => Transform::Keys,
            ("nvr", None) => Transform::Nvr,
            ("srpm", None) => Transform::Srpm,
            ("openid", None) => Transform::Openid,
            ("alias", None) => Transform::Alias,
            ("words", None) => Transform::Words,
            ("mentions", None) => Transform::Mentions,
            ("mentions_apart", None) => Transform::MentionsApart,
            ("lower", None) => Transform::Lower,
            ("address", None) => Transform::Address,
            ("url", None) => Transform::Url,
            ("except", Some(pattern)) => Transform::Except(pattern),
            ("only", Some(pattern)) => Transform::Only(pattern),
            ("digits", None) => Transform::Digits,
            ("email", Some(domain)) => Transform::Email(domain),
            ("split", Some(by)) => Transform::Split(by),
            ("before", Some(by)) => Transform::Before(by),
            ("before_last", Some(by)) => Transform::BeforeLast(by),
            ("after", Some(by)) => Transform::After(by),
            ("after_last", Some(by)) => Transform::AfterLast(by),
            _ => return None,
        })
    }

    /// Whether one value may become several.
    pub const fn is_plural(&self) -> bool {
        matches!(
            self,
            Transform::Keys | Transform::Split(_) | Transform::Words | Transform::Mentions | Transform::MentionsApart
        )
    }

    /// Passes the results for `text` to `out`.
    pub fn apply<'a>(&self, text: Cow<'a, str>, aliases: &'a Aliases, out: &mut dyn FnMut(Cow<'a, str>)) {
        match self {
            Transform::Keys => {}
            Transform::Nvr => out(map(text, package_of_nvr)),
            Transform::Srpm => out(map(text, |t| package_of_nvr(t.rsplit('/').next().unwrap_or(t)))),
            Transform::Email(domain) => match text.rsplit_once('@') {
                Some((_, at)) if at == domain => out(map(text, |t| t.rsplit_once('@').map_or(t, |(name, _)| name))),
                _ => out(aliases.resolve(text)),
            },
            Transform::Openid => out(map(text, |t| {
                let host = t.split_once("://").map_or(t, |(_, host)| host);
                host.split('.').next().unwrap_or(host)
            })),
            Transform::Alias => out(aliases.resolve(text)),
            Transform::Split(by) => each(text, |t, found| t.split(by.as_str()).map(str::trim).for_each(found), out),
            Transform::Words => each(text, |t, found| t.split([' ', ',', '\t', '\n']).for_each(found), out),
            Transform::Mentions => each(text, |t, found| mentions(t, false, found), out),
            Transform::MentionsApart => each(text, |t, found| mentions(t, true, found), out),
            Transform::Lower => out(Cow::Owned(text.to_lowercase())),
            Transform::Except(pattern) => {
                if !matches_pattern(&text, pattern) {
                    out(text);
                }
            }
            Transform::Only(pattern) => {
                if matches_pattern(&text, pattern) {
                    out(text);
                }
            }
            Transform::Address => out(map(text, address)),
            Transform::Url => each(text, |t, found| url(t).into_iter().for_each(found), out),
            Transform::Digits => {
                if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
                    out(text);
                }
            }
            Transform::Before(by) => out(map(text, |t| t.split_once(by.as_str()).map_or(t, |(before, _)| before))),
            Transform::BeforeLast(by) => out(map(text, |t| t.rsplit_once(by.as_str()).map_or(t, |(before, _)| before))),
            Transform::After(by) => {
                each(text, |t, found| t.split_once(by.as_str()).into_iter().for_each(|p| found(p.1)), out)
            }
            Transform::AfterLast(by) => out(map(text, |t| t.rsplit_once(by.as_str()).map_or(t, |(_, after)| after))),
        }
    }
}

/// The package's name in `name-version-release`: all but the last two parts, or all but the last where there are two.
pub fn package_of_nvr(nvr: &str) -> &str {
    nvr.rsplitn(3, '-').last().unwrap_or(nvr)
}

fn mentions(text: &str, apart: bool, found: &mut dyn FnMut(&str)) {
    for (at, _) in text.match_indices('@') {
        if apart && text[..at].ends_with(|before: char| !before.is_whitespace()) {
            continue;
        }
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        found(&rest[..end]);
    }
}

/// Whether a text matches a pattern: a text, with `*` at either end for anything.
fn matches_pattern(text: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == pattern,
    }
}

/// The address in a header of a mail.
pub fn address(header: &str) -> &str {
    match header.rsplit_once('<') {
        Some((_, behind)) => behind.split('>').next().unwrap_or(behind).trim(),
        None => header.split('(').next().unwrap_or(header).trim(),
    }
}

fn url(text: &str) -> Option<&str> {
    let start = [text.find("https://"), text.find("http://")].into_iter().flatten().min()?;
    text[start..].split_whitespace().next()
}

/// A part of a text, borrowed where the text is.
fn map<'a>(text: Cow<'a, str>, part: impl Fn(&str) -> &str) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(part(text)),
        Cow::Owned(text) => Cow::Owned(part(&text).to_owned()),
    }
}

/// The parts of a text that are not empty.
fn each<'a>(text: Cow<'a, str>, parts: impl Fn(&str, &mut dyn FnMut(&str)), out: &mut dyn FnMut(Cow<'a, str>)) {
    parts(&text, &mut |part| {
        if !part.is_empty() {
            out(Cow::Owned(part.to_owned()));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, argument: Option<&str>, text: &str) -> Vec<String> {
        let aliases = Aliases::from_iter([("annie".to_owned(), "ann".to_owned())]);
        let mut found = Vec::new();
        let transform = Transform::named(name, argument.map(str::to_owned)).unwrap();
        transform.apply(Cow::Borrowed(text), &aliases, &mut |t| found.push(t.into_owned()));
        found
    }

    #[test]
    fn each_transformation_does_what_its_name_says() {
        let table: &[(&str, Option<&str>, &str, &[&str])] = &[
            ("nvr", None, "python-six-1.16-1.fc40", &["python-six"]),
            ("nvr", None, "six", &["six"]),
            ("srpm", None, "task/1/six-1.16-1.fc40.src.rpm", &["six"]),
            ("email", Some("example.org"), "ann@example.org", &["ann"]),
            ("email", Some("example.org"), "bob@elsewhere.org", &["bob@elsewhere.org"]),
            ("openid", None, "ann.id.example.org", &["ann"]),
            ("openid", None, "https://ann.id.example.org/", &["ann"]),
            ("alias", None, "annie", &["ann"]),
            ("alias", None, "bob", &["bob"]),
            ("split", Some(","), "a, b,,c", &["a", "b", "c"]),
            ("words", None, "a b,c  d", &["a", "b", "c", "d"]),
            ("mentions", None, "hi @ann, @bob_2. @", &["ann", "bob_2"]),
            ("mentions_apart", None, "@ann, (@bob) cid@dom @eve", &["ann", "eve"]),
            ("lower", None, "FeDora", &["fedora"]),
            ("except", Some("bot"), "bot", &[]),
            ("except", Some("bot"), "robot", &["robot"]),
            ("except", Some("bot*"), "bottle", &[]),
            ("except", Some("*@*"), "ann@example.org", &[]),
            ("except", Some("*@*"), "ann", &["ann"]),
            ("only", Some("*.start"), "build.start", &["build.start"]),
            ("only", Some("*.start"), "build.end", &[]),
            ("address", None, "\"Ann <X>\" <ann@example.org>", &["ann@example.org"]),
            ("address", None, "ann@example.org (Ann)", &["ann@example.org"]),
            ("url", None, "see https://example.org/a?b=1 and more", &["https://example.org/a?b=1"]),
            ("url", None, "see nothing", &[]),
            ("digits", None, "27", &["27"]),
            ("digits", None, "27m", &[]),
            ("before", Some("."), "a.b.c", &["a"]),
            ("before_last", Some("."), "a.b.c", &["a.b"]),
            ("after", Some("a."), "a.b.c", &["b.c"]),
            ("after", Some("x."), "a.b.c", &[]),
            ("after_last", Some("."), "a.b.c", &["c"]),
        ];
        for (name, argument, text, expected) in table {
            assert_eq!(run(name, *argument, text), *expected, "{name}({argument:?}) of {text}");
        }
    }

    #[test]
    fn an_unknown_name_or_a_wrong_argument_is_none() {
        assert_eq!(Transform::named("nrv", None), None);
        assert_eq!(Transform::named("nvr", Some("x".to_owned())), None);
        assert_eq!(Transform::named("split", None), None);
    }
}
