//! The parts of a topic: `org.fedoraproject.prod.bodhi.update.comment` is prefix, environment, and the rest, which
//! begins with the category. Catalogue patterns match the rest, so that they hold under any prefix.

/// Words that end a prefix.
const ENVIRONMENTS: [&str; 4] = ["prod", "stg", "stage", "dev"];
/// The number of segments of a prefix and its environment if no environment word marks them: `org.fedoraproject.prod`.
const PREFIX_SEGMENTS: usize = 3;

/// The topic without prefix and environment; none if nothing is left. A prefix ends with the first environment word;
/// without one, a topic that begins with a known category has no prefix, and any other has one of the usual length.
pub fn rest(topic: &str, is_category: impl Fn(&str) -> bool) -> Option<&str> {
    let mut start = 0;
    for (position, segment) in topic.split('.').enumerate() {
        let end = start + segment.len();
        if position > 0 && ENVIRONMENTS.contains(&segment) {
            return topic.get(end + 1..).filter(|rest| !rest.is_empty());
        }
        start = end + 1;
    }
    if is_category(category(topic)) {
        return Some(topic);
    }
    topic.splitn(PREFIX_SEGMENTS + 1, '.').nth(PREFIX_SEGMENTS).filter(|rest| !rest.is_empty())
}

/// The category of a rest: its first segment.
pub fn category(rest: &str) -> &str {
    rest.split('.').next().unwrap_or(rest)
}

/// A pattern for what follows the category: segments, `*` for any one, and `**` at the end for any number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Option<String>>,
    open: bool,
}

impl Pattern {
    /// Reads `update.request.*` or `receive.**`; the empty pattern is a topic that ends with its category.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let mut segments = Vec::new();
        let mut open = false;
        for segment in text.split('.').filter(|_| !text.is_empty()) {
            match segment {
                _ if open => return Err(format!("`**` may only end the topic pattern `{text}`")),
                "" => return Err(format!("the topic pattern `{text}` has an empty segment")),
                "**" => open = true,
                "*" => segments.push(None),
                word if word.contains('*') => {
                    return Err(format!("`{word}` in the topic pattern `{text}`: `*` stands for a whole segment"));
                }
                word => segments.push(Some(word.to_owned())),
            }
        }
        Ok(Pattern { segments, open })
    }

    /// The topic that it names, if it names only one.
    pub fn literal(&self) -> Option<String> {
        let words: Option<Vec<&str>> = self.segments.iter().map(Option::as_deref).collect();
        words.filter(|_| !self.open).map(|words| words.join("."))
    }

    /// Returns true if the part of a topic after its category matches.
    pub fn matches(&self, tail: &str) -> bool {
        let mut segments = tail.split('.').filter(|_| !tail.is_empty());
        for expected in &self.segments {
            match (expected, segments.next()) {
                (_, None) => return false,
                (Some(word), Some(segment)) if word != segment => return false,
                _ => {}
            }
        }
        self.open || segments.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_topic_begins_after_the_environment() {
        let known = |word: &str| word == "bodhi";
        let table = [
            ("org.fedoraproject.prod.bodhi.update.comment", Some("bodhi.update.comment")),
            ("io.pagure.stg.pagure.issue.new", Some("pagure.issue.new")),
            ("com.example.messages.dev.shop.order", Some("shop.order")),
            ("org.centos.stage.ci.pipeline", Some("ci.pipeline")),
            ("bodhi.update.comment", Some("bodhi.update.comment")),
            ("org.example.bus.shop.order", Some("shop.order")),
            ("shop.order.new", None),
            ("org.fedoraproject.prod", None),
            ("org.fedoraproject.prod.", None),
            ("", None),
        ];
        for (topic, expected) in table {
            assert_eq!(rest(topic, known), expected, "{topic}");
        }
    }

    #[test]
    fn patterns_match_whole_segments() {
        let table = [
            ("update.comment", "update.comment", true),
            ("update.comment", "update.comment.x", false),
            ("update.comment", "update", false),
            ("update.request.*", "update.request.stable", true),
            ("update.request.*", "update.request", false),
            ("*.update", "rule.update", true),
            ("receive.**", "receive", true),
            ("receive.**", "receive.kernel.main", true),
            ("receive.**", "received", false),
            ("**", "", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, tail, expected) in table {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(tail), expected, "{pattern} on {tail}");
        }
        for invalid in ["a..b", "**.a", "upd*"] {
            assert!(Pattern::parse(invalid).is_err(), "{invalid}");
        }
    }
}
