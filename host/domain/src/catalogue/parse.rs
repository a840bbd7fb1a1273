//! Parses the notation of sources: `path ?? path | transformation ?? path + 'text'`. An error names what was expected
//! and where.

use std::sync::Arc;

use super::source::{Chain, Head, PathStep, Root, ValueSource};
use super::transform::{self, Transform};

/// Finds the source that a name in `let` stands for; returns the error of an invalid source.
pub type Scope<'s> = dyn FnMut(&str) -> Result<Option<Arc<ValueSource>>, String> + 's;

/// Compiles one source.
pub fn source(text: &str, scope: &mut Scope<'_>) -> Result<ValueSource, String> {
    let mut parser = Parser { text, at: 0 };
    let mut alternatives = vec![parser.sum(scope)?];
    while parser.eat("??") {
        alternatives.push(parser.sum(scope)?);
    }
    parser.blanks();
    if parser.at < text.len() {
        return Err(parser.expected("`.key`, `[…]`, `|`, `??` or the end"));
    }
    Ok(ValueSource { alternatives })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn sum(&mut self, scope: &mut Scope<'_>) -> Result<Chain, String> {
        let first = self.chain(scope)?;
        if !self.eat("+") {
            return Ok(first);
        }
        let mut parts = vec![first, self.chain(scope)?];
        while self.eat("+") {
            parts.push(self.chain(scope)?);
        }
        Ok(Chain { head: Head::Sum(parts), transforms: Vec::new() })
    }

    fn chain(&mut self, scope: &mut Scope<'_>) -> Result<Chain, String> {
        let head = self.head(scope)?;
        let mut transforms = Vec::new();
        while self.eat("|") {
            transforms.push(self.transform()?);
        }
        let keys = transforms.iter().position(|t| *t == Transform::Keys);
        let on_path = matches!(head, Head::Path(Root::Msg | Root::Envelope, _) | Head::Below(..));
        if keys.is_some_and(|position| position > 0 || !on_path) {
            return Err("`keys` is only possible directly after a path into the message".to_owned());
        }
        Ok(Chain { head, transforms })
    }

    fn head(&mut self, scope: &mut Scope<'_>) -> Result<Head, String> {
        self.blanks();
        if self.text[self.at..].starts_with('\'') {
            return Ok(Head::Literal(self.quoted()?));
        }
        let Some(word) = self.word() else { return Err(self.expected("a path, a name from `let` or a quoted text")) };
        let root = match word {
            "msg" => Root::Msg,
            "envelope" => Root::Envelope,
            "topic" => return Ok(Head::Path(Root::Topic, Vec::new())),
            name => {
                let source = scope(name)?.ok_or_else(|| {
                    format!("unknown name `{name}`: expected `msg`, `envelope`, `topic` or a name from `let`")
                })?;
                let steps = self.steps(scope)?;
                return Ok(if steps.is_empty() { Head::Named(source) } else { Head::Below(source, steps) });
            }
        };
        Ok(Head::Path(root, self.steps(scope)?))
    }

    fn steps(&mut self, scope: &mut Scope<'_>) -> Result<Vec<PathStep>, String> {
        let mut steps = Vec::new();
        while let Some(step) = self.step(scope)? {
            steps.push(step);
        }
        Ok(steps)
    }

    fn step(&mut self, scope: &mut Scope<'_>) -> Result<Option<PathStep>, String> {
        if self.eat_close(".") {
            return match self.word() {
                Some(key) => Ok(Some(PathStep::Key(key.to_owned()))),
                None => Err(self.expected("a key after the dot")),
            };
        }
        if !self.eat_close("[") {
            return Ok(None);
        }
        let step = match () {
            () if self.eat("]") => return Ok(Some(PathStep::Each)),
            () if self.eat("(") => self.key_of(scope)?,
            () => self.selector()?,
        };
        if self.eat("]") { Ok(Some(step)) } else { Err(self.expected("`]`")) }
    }

    fn key_of(&mut self, scope: &mut Scope<'_>) -> Result<PathStep, String> {
        self.blanks();
        let name = self.word().ok_or_else(|| self.expected("a name from `let`"))?;
        let source = scope(name)?.ok_or_else(|| format!("unknown name `{name}`: expected a name from `let`"))?;
        if self.eat(")") { Ok(PathStep::KeyOf(source)) } else { Err(self.expected("`)`")) }
    }

    fn selector(&mut self) -> Result<PathStep, String> {
        let Some(word) = self.word() else { return Err(self.expected("`]`, `(`, a position or `key=value`")) };
        if self.eat("~=") {
            return Ok(PathStep::Containing { key: word.to_owned(), part: self.value()? });
        }
        if word == "-1" {
            return Ok(PathStep::Last);
        }
        if let Ok(index) = word.parse() {
            return Ok(PathStep::Index(index));
        }
        let or_absent = self.eat("?=");
        if !or_absent && !self.eat("=") {
            return Ok(PathStep::Having(word.to_owned()));
        }
        Ok(PathStep::Where { key: word.to_owned(), value: self.value()?, or_absent })
    }

    /// What a field is compared with: a word or a quoted text.
    fn value(&mut self) -> Result<String, String> {
        self.blanks();
        if self.text[self.at..].starts_with('\'') {
            return self.quoted();
        }
        self.word().map(str::to_owned).ok_or_else(|| self.expected("a value"))
    }

    fn transform(&mut self) -> Result<Transform, String> {
        self.blanks();
        let Some(name) = self.word() else { return Err(self.expected("the name of a transformation")) };
        let argument = if self.eat("(") {
            self.blanks();
            let argument = self.quoted()?;
            if !self.eat(")") {
                return Err(self.expected("`)`"));
            }
            Some(argument)
        } else {
            None
        };
        Transform::named(name, argument).ok_or_else(|| {
            format!("unknown transformation `{name}` or wrong argument: expected one of {}", transform::NAMES)
        })
    }

    /// A key or name: letters, digits, `_` and `-`.
    fn word(&mut self) -> Option<&'t str> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len());
        self.at += end;
        (end > 0).then(|| &rest[..end])
    }

    fn quoted(&mut self) -> Result<String, String> {
        let rest = &self.text[self.at..];
        let inner = rest.strip_prefix('\'').ok_or_else(|| self.expected("a text in single quotes"))?;
        let end = inner.find('\'').ok_or_else(|| self.expected("a closing quote"))?;
        self.at += end + 2;
        Ok(inner[..end].to_owned())
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes `token`, blanks before it allowed.
    fn eat(&mut self, token: &str) -> bool {
        let before = self.at;
        self.blanks();
        let found = self.eat_close(token);
        if !found {
            self.at = before;
        }
        found
    }

    /// Takes `token` without blanks before it.
    fn eat_close(&mut self, token: &str) -> bool {
        let found = self.text[self.at..].starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expected(&self, what: &str) -> String {
        let rest = &self.text[self.at..];
        let found = if rest.trim().is_empty() { "the end".to_owned() } else { format!("`{rest}`") };
        format!("in `{}`: expected {what}, found {found}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::source::MessageView;
    use super::*;
    use crate::aliases::Aliases;

    fn values(text: &str) -> Vec<String> {
        let envelope = json!({"username": "apache", "msg": {
            "agent": {"username": "ann"},
            "who": "bob",
            "none": null,
            "empty": "",
            "number": 7,
            "files": {"a.spec": 1, "b.patch": 2},
            "rows": [["/bin/a", "x", "a"], ["b", "y"], 3],
            "nicks": {"bob": "robert", "eve": "evelyn"},
            "parent": {"name": "fork", "of": {"name": "origin"}},
            "child": {"name": "origin", "of": null},
            "builds": [{"nvr": "six-1-1"}, {"nvr": "bash-5-1"}, {"other": []}, 3],
            "packages": [
                {"name": "a"}, {"name": "b", "namespace": "rpms"}, {"name": "c", "namespace": "modules"}
            ],
        }});
        let aliases = Aliases::default();
        let message = MessageView {
            envelope: &envelope,
            msg: &envelope["msg"],
            topic: "org.example.prod.git.receive.kernel.main",
            rest: Some("git.receive.kernel.main"),
            aliases: &aliases,
        };
        let mut scope = |name: &str| match name {
            "person" => source("msg.agent.username ?? msg.who", &mut |_| Ok(None)).map(|s| Some(Arc::new(s))),
            "who" => source("msg.who", &mut |_| Ok(None)).map(|s| Some(Arc::new(s))),
            "repo" => source("msg.missing ?? msg.parent", &mut |_| Ok(None)).map(|s| Some(Arc::new(s))),
            _ => Ok(None),
        };
        let source = source(text, &mut scope).unwrap();
        let mut found = Vec::new();
        source.values(&message, &mut |item| found.extend(item.text().map(|text| text.into_owned())));
        found
    }

    #[test]
    fn sources_return_the_values_of_the_message() {
        let table: &[(&str, &[&str])] = &[
            ("msg.who", &["bob"]),
            ("msg.agent ?? msg.agent.username", &["ann"]),
            ("msg.none ?? msg.empty ?? msg.who", &["bob"]),
            ("msg.missing.deeper", &[]),
            ("msg.missing ?? 'fallback'", &["fallback"]),
            ("msg.number", &["7"]),
            ("msg.builds[].nvr | nvr", &["six", "bash"]),
            ("msg.builds[1].nvr", &["bash-5-1"]),
            ("msg.builds.nvr", &[]),
            ("msg.packages[][namespace?=rpms].name", &["a", "b"]),
            ("msg.packages[][namespace='modules'].name", &["c"]),
            ("msg.files | keys", &["a.spec", "b.patch"]),
            ("msg.rows[][0~='/'][-1]", &["a"]),
            ("msg.packages[][name~=b].namespace", &["rpms"]),
            ("msg.files", &[]),
            ("envelope.username", &["apache"]),
            ("topic", &["git.receive.kernel.main"]),
            ("topic | after('git.receive.') | before_last('.')", &["kernel"]),
            ("person", &["ann"]),
            ("msg.nicks[]", &["robert", "evelyn"]),
            ("msg.nicks[(who)]", &["robert"]),
            ("msg.nicks[(person)] ?? person", &["ann"]),
            ("msg.parent[of].name", &["fork"]),
            ("msg.child[of].name", &[]),
            ("repo.of.name", &["origin"]),
            ("repo.of | keys", &["name"]),
            ("'mail/' + msg.who | lower + '/' + msg.number", &["mail/bob/7"]),
            ("msg.missing + '/' + msg.who ?? msg.who", &["bob"]),
        ];
        for (text, expected) in table {
            assert_eq!(values(text), *expected, "{text}");
        }
    }

    #[test]
    fn errors_name_what_was_expected() {
        let table = [
            ("", "expected a path"),
            ("msg.", "expected a key after the dot"),
            ("msg.a[", "expected `]`, `(`, a position or `key=value`"),
            ("msg.a[b", "expected `]`, found the end"),
            ("msg.a[(b)]", "unknown name `b`: expected a name from `let`"),
            ("msg.a +", "expected a path"),
            ("msg.a b", "or the end, found `b`"),
            ("msg.a | nrv", "expected one of keys, nvr"),
            ("msg.a | split(',", "a closing quote"),
            ("mgs.a", "unknown name `mgs`"),
            ("'a' | keys", "`keys` is only possible"),
        ];
        for (text, expected) in table {
            let error = source(text, &mut |_| Ok(None)).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
