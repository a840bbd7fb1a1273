//! Rule `words`: the metaphors that the project does not use, in identifiers, comments, documentation and settings. The
//! message names the usual replacement. Real uses, such as a chat room of Matrix, are in the allow list.

use super::source::{LintFinding, SourceFile};

/// A word, and what to write instead.
const WORDS: [(&str, &str); 36] = [
    ("company", "untested versions"),
    ("errand", "job"),
    ("errands", "jobs"),
    ("fleet", "set of versions"),
    ("fleets", "sets of versions"),
    ("flight", "request, fetch; `in flight` is allowed"),
    ("flights", "requests, fetches"),
    ("furniture", "context"),
    ("herself", "the user"),
    ("himself", "the user"),
    ("house", "state"),
    ("lane", "executor, queue"),
    ("lanes", "executors, queues"),
    ("lodge", "run as a resident"),
    ("lodger", "resident"),
    ("lodgers", "residents"),
    ("lodging", "resident"),
    ("lodgings", "residents"),
    ("nobody", "no user, no caller"),
    ("parcel", "request"),
    ("parcels", "requests"),
    ("room", "state, space"),
    ("rooms", "states"),
    ("shelf", "cache"),
    ("shelves", "caches"),
    ("somebody", "a user"),
    ("stranger", "third party"),
    ("strangers", "third parties"),
    ("whoever", "the user, the caller"),
    ("whomever", "the user, the caller"),
    ("whosoever", "the user, the caller"),
    ("wish", "option"),
    ("wished", "requested"),
    ("wishes", "options"),
    ("zoo", "hostile plugins"),
    ("zoos", "hostile plugins"),
];

/// The word before that makes the use a real one.
const ALLOWED_AFTER: [(&str, &str); 1] = [("flight", "in")];

/// What is published or kept stays as it is: migrations, the contract, and this rule itself.
const EXEMPT: [&str; 3] = ["migrations/sqlite/", "wit/v1/", "xtask/src/tidy/words.rs"];

pub fn check(files: &[SourceFile]) -> Vec<LintFinding> {
    let read = files.iter().filter(|file| !EXEMPT.iter().any(|path| file.path.starts_with(path)));
    read.flat_map(|file| check_text(&file.path, &file.text)).collect()
}

/// At most one finding for each word of a line.
fn check_text(path: &str, text: &str) -> Vec<LintFinding> {
    let mut found = Vec::new();
    let mut previous = String::new();
    for (index, line) in text.lines().enumerate() {
        let mut on_this_line = Vec::new();
        for word in words(line) {
            if let Some((banned, instead)) = WORDS.iter().find(|(banned, _)| *banned == word)
                && !ALLOWED_AFTER.contains(&(banned, &*previous))
                && !on_this_line.contains(banned)
            {
                on_this_line.push(banned);
                let message = format!("`{banned}` is not used here; write for example: {instead}");
                let detail = (*banned).to_owned();
                found.push(LintFinding { detail, ..LintFinding::new(path, index + 1, message) });
            }
            previous = word;
        }
    }
    found
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
