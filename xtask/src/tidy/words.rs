//! Rule `words`: the metaphors that the project does not use, in identifiers, comments, documentation and settings. The
//! message names the usual replacement. Real uses, such as a chat room of Matrix, are in the allow list.

use super::source::{LintFinding, SourceFile};

/// A word with its other forms, and what to write instead.
const WORDS: [(&str, &str); 19] = [
    ("company", "untested versions"),
    ("errand errands", "job"),
    ("fleet fleets", "set of versions"),
    ("flight flights", "request, fetch; `in flight` is allowed"),
    ("furniture", "context"),
    ("himself herself", "the user"),
    ("house houses", "state"),
    ("lane lanes", "executor, queue"),
    ("lodger lodgers", "resident"),
    ("lodging lodgings lodge lodges", "resident"),
    ("parcel parcels", "request"),
    ("room rooms", "state, space"),
    ("shelf shelves", "cache"),
    ("stranger strangers", "third party"),
    ("whoever", "the user, the caller"),
    ("whomever", "the user, the caller"),
    ("whosoever", "the user, the caller"),
    ("wish wishes wished", "option"),
    ("zoo zoos", "hostile plugins"),
];

/// The word before that makes the use a real one.
const ALLOWED_AFTER: [(&str, &str); 1] = [("flight", "in")];

/// What is published or kept stays as it is: migrations, the contract, and this rule itself.
const EXEMPT: [&str; 3] = ["migrations/sqlite/", "wit/v1/", "xtask/src/tidy/words.rs"];

pub fn check(files: &[SourceFile]) -> Vec<LintFinding> {
    let read = files.iter().filter(|file| !EXEMPT.iter().any(|path| file.path.starts_with(path)));
    read.flat_map(|file| check_text(&file.path, &file.text)).collect()
}

/// At most one finding for each word of a line. The allow list names a word by its first form.
fn check_text(path: &str, text: &str) -> Vec<LintFinding> {
    let mut found = Vec::new();
    let mut previous = String::new();
    for (index, line) in text.lines().enumerate() {
        let mut on_this_line = Vec::new();
        for word in words(line) {
            if let Some((base, instead)) = banned(&word)
                && !ALLOWED_AFTER.contains(&(&*word, &*previous))
                && !on_this_line.contains(&base)
            {
                on_this_line.push(base);
                let message = format!("`{word}` is not used here; write for example: {instead}");
                found.push(LintFinding { detail: base.to_owned(), ..LintFinding::new(path, index + 1, message) });
            }
            previous = word;
        }
    }
    found
}

/// The first form of a banned word, and what to write instead.
fn banned(word: &str) -> Option<(&'static str, &'static str)> {
    let entry = WORDS.iter().find(|(forms, _)| forms.split(' ').any(|form| form == word))?;
    Some((entry.0.split(' ').next()?, entry.1))
}

/// The words of a line in lower case. `snake_case`, `kebab-case` and `CamelCase` are split into their parts.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in line.split(|letter: char| !letter.is_alphabetic()).filter(|run| !run.is_empty()) {
        let mut word = String::new();
        let mut after_lower = false;
        for letter in run.chars() {
            if letter.is_uppercase() && after_lower {
                words.push(std::mem::take(&mut word));
            }
            after_lower = letter.is_lowercase();
            word.extend(letter.to_lowercase());
        }
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        check_text("a.rs", text).into_iter().map(|finding| finding.detail).collect()
    }

    #[test]
    fn words_are_found_in_prose_and_in_identifiers_of_every_form() {
        assert_eq!(found("// Whoever reads it"), ["whoever"]);
        assert_eq!(found("struct RoomState;"), ["room"]);
        assert_eq!(found("let old_room = ROOM_MAX;"), ["room"]);
        assert_eq!(found("the plugin `lodger-test`"), ["lodger"]);
        assert_eq!(found("a Parcel on a shelf"), ["parcel", "shelf"]);
    }

    #[test]
    fn a_part_of_another_word_and_a_standard_term_are_not_found() {
        assert!(found("mushrooms in the roommate's planes").is_empty());
        assert!(found("MAX_IN_FLIGHT calls in\n// flight").is_empty());
        assert_eq!(found("struct Flight;"), ["flight"]);
    }

    #[test]
    fn published_migrations_are_not_read() {
        let file = SourceFile::new("migrations/sqlite/0001.sql", "-- a room\n".to_owned());
        assert!(check(&[file]).is_empty());
    }
}
