//! A text that must not be shown: it prints as `[secret]` and has no `Serialize`. Code that needs the value calls
//! `expose`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::limits::REDACTED_CHARS;
use crate::text::one_line;

/// A password, token or key. `Debug` and `Display` hide it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Wraps a value; it prints as `[secret]` from now on.
    pub const fn new(value: T) -> Self {
        Secret(value)
    }

    /// The value itself. Every call is a possible leak: keep them few.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What replaces a secret in a text.
const PLACEHOLDER: &str = "[secret]";

/// The secrets of one channel, to remove from the texts of its plugin and its remote servers: errors often quote their
/// input. It finds secrets verbatim; a plugin that encodes one on purpose is not stopped.
#[derive(Clone, Debug, Default)]
pub struct Redaction(Arc<[Secret]>);

impl Redaction {
    /// Keeps the values that are long enough to be distinguished from ordinary words.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Redaction {
        let long = |text: &str| text.chars().count() >= REDACTED_CHARS;
        // `Bearer TOKEN` is quoted without its first word as well, and one with line breaks as one line.
        let forms = values.into_iter().flat_map(|value| {
            let behind = value.split_once(' ').map(|(_, behind)| behind.to_owned());
            [Some(value.to_owned()), behind, Some(one_line(value, usize::MAX))]
        });
        let forms: BTreeSet<String> = forms.flatten().filter(|form| long(form)).collect();
        let mut forms: Vec<Secret> = forms.into_iter().map(Secret::new).collect();
        // One secret may be a part of another.
        forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
        Redaction(forms.into())
    }

    /// The text without the secrets, and without the beginning of one that was cut off at its end. Cheap without
    /// secrets.
    pub fn apply(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| {
            let secret = secret.expose().as_str();
            let text = if text.contains(secret) { text.replace(secret, PLACEHOLDER) } else { text };
            without_beginning(&text, secret).unwrap_or(text)
        })
    }
}

/// The text if it was cut within the secret.
fn without_beginning(text: &str, secret: &str) -> Option<String> {
    let kept = text.strip_suffix('…')?;
    let beginnings = secret.char_indices().skip(REDACTED_CHARS).map(|(end, _)| &secret[..end]);
    let rest = beginnings.filter_map(|beginning| kept.strip_suffix(beginning)).last()?;
    Some(format!("{rest}{PLACEHOLDER}…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed_from_texts_and_other_words_stay() {
        let redaction =
            Redaction::new(["hunter2", "hunter2-longer", "short", "Bearer t0k3n-abc", "line one\nline two", "größe…x"]);
        for (text, expected) in [
            ("nothing in it", "nothing in it"),
            ("a short word", "a short word"),
            ("535 hunter2: no, hunter2", "535 [secret]: no, [secret]"),
            ("hunter2-longer", "[secret]"),
            ("authorization: Bearer t0k3n-abc", "authorization: [secret]"),
            ("the token t0k3n-abc is over", "the token [secret] is over"),
            ("Bearer of news", "Bearer of news"),
            ("key line one\\nline two", "key [secret]"),
            ("cut at hunter2-lo…", "cut at [secret]…"),
            ("cut at t0k3n-…", "cut at [secret]…"),
            ("cut at hunt…", "cut at hunt…"),
            ("größe…x", "[secret]"),
        ] {
            let text = redaction.apply(text.to_owned());
            assert_eq!(text, expected);
        }
        assert_eq!(Redaction::default().apply("hunter2".to_owned()), "hunter2");
        assert!(!format!("{redaction:?}").contains("hunter2"));
    }
}
