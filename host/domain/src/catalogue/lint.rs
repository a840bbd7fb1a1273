//! Finds unknown filters and tests in a template. minijinja itself reports them only when it renders them, which for a
//! rare branch may be much later.

use minijinja::{Environment, ErrorKind, Value};

/// A description of what is unknown; none if everything is known.
pub fn unknown(environment: &Environment<'static>, source: &str) -> Option<String> {
    let mut state = environment.empty_state();
    let undefined = || [Value::UNDEFINED];
    for code in code(source) {
        let words = words(code);
        for (position, word) in words.iter().enumerate() {
            let next = words.get(position + 1).copied();
            let named = match (*word, next) {
                ("is", Some("not")) => words.get(position + 2).copied(),
                ("is" | "|", next) => next,
                _ => None,
            };
            let Some(name) = named.filter(|name| name.starts_with(|c: char| c.is_alphabetic())) else { continue };
            let (what, error) = match *word {
                "|" => ("filter", state.apply_filter(name, &undefined()).err()),
                _ => ("test", state.perform_test(name, &undefined()).err()),
            };
            let kind = error.map(|error| error.kind());
            if matches!(kind, Some(ErrorKind::UnknownFilter | ErrorKind::UnknownTest)) {
                return Some(format!("there is no {what} `{name}` for templates"));
            }
        }
    }
    None
}

/// The code inside `{{ … }}` and `{% … %}`.
fn code(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find('{') {
        rest = &rest[start + 1..];
        let end = match rest.chars().next() {
            Some('{') => "}}",
            Some('%') => "%}",
            Some('#') => "#}",
            _ => continue,
        };
        let (inside, behind) = rest[1..].split_once(end).unwrap_or((&rest[1..], ""));
        if end != "#}" {
            found.push(inside);
        }
        rest = behind;
    }
    found
}

/// Names and signs in order; a quoted text counts as one sign.
fn words(code: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let (word, behind) = rest.split_at(end);
        words.push(word);
        rest = behind.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::template::TemplateLibrary;
    use super::*;

    #[test]
    fn only_unknown_filters_and_tests_are_found() {
        let environment = TemplateLibrary::new().environment;
        for valid in [
            "plain | nosuch",
            "{{ msg.a | avatar }} | nosuch",
            "{{ 'a | nosuch' }}",
            "{{ {'a': 1}[msg.b] | default('x') | upper }}",
            "{% if a is not defined and b is endingwith('x') %}{% for c in d | sort %}{{ c }}{% endfor %}{% endif %}",
            "{# a | nosuch #}",
        ] {
            assert_eq!(unknown(&environment, valid), None, "{valid}");
        }
        let table = [
            ("{{ msg.a | nosuch }}", "filter `nosuch`"),
            ("{% if msg.a %}{{ msg.a |upper|nosuch }}{% endif %}", "filter `nosuch`"),
            ("{% set x = msg.a | nosuch %}", "filter `nosuch`"),
            ("{% if msg.a is nosuch %}{% endif %}", "test `nosuch`"),
            ("{% if msg.a is not nosuch %}{% endif %}", "test `nosuch`"),
            ("{{ {'a': 1}[msg.b] | nosuch }}", "filter `nosuch`"),
        ];
        for (invalid, expected) in table {
            assert!(unknown(&environment, invalid).is_some_and(|what| what.contains(expected)), "{invalid}");
        }
    }
}
