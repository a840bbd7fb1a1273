//! `ETag` and `If-Match`: the headers of preconditions.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};

use super::Problem;
use crate::precondition::{Precondition, StateTag};

/// The headers of an answer with a tag.
pub(super) type TagHeader = [(HeaderName, HeaderValue); 1];

/// `ETag`, as a strong tag.
pub(super) fn etag(tag: &StateTag) -> TagHeader {
    let value = HeaderValue::try_from(format!("\"{}\"", tag.as_str()));
    [(header::ETAG, value.unwrap_or_else(|_| HeaderValue::from_static("\"\"")))]
}

/// The header `If-Match` of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IfMatch(pub(super) Precondition);

impl IfMatch {
    /// None if it is neither `*` nor a list of tags (RFC 9110, section 13.1.1). Weak tags are valid and never match.
    fn parse(value: &str) -> Option<IfMatch> {
        if value.trim() == "*" {
            return Some(IfMatch(Precondition::Exists));
        }
        let mut tags = Vec::new();
        for tag in value.split(',').map(str::trim) {
            let (weak, tag) = tag.strip_prefix("W/").map_or((false, tag), |tag| (true, tag));
            let tag = tag.strip_prefix('"')?.strip_suffix('"').filter(|tag| !tag.contains('"'))?;
            if !weak {
                tags.push(StateTag::new(tag));
            }
        }
        Some(IfMatch(Precondition::Tags(tags)))
    }
}

/// The answer to a change whose precondition does not hold.
pub(super) fn precondition_failed() -> Problem {
    let detail = "it has changed since it was read, and nothing was written: read it again and repeat the change";
    Problem::new(StatusCode::PRECONDITION_FAILED, detail)
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<IfMatch, Problem> {
        let values = parts.headers.get_all(header::IF_MATCH).iter();
        let values: Vec<&str> = values.map(|value| value.to_str().unwrap_or_default()).collect();
        if values.is_empty() {
            return Ok(IfMatch(Precondition::None));
        }
        let invalid = || Problem::new(StatusCode::BAD_REQUEST, "`If-Match` is neither `*` nor a list of quoted tags");
        IfMatch::parse(&values.join(",")).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_admits_only_the_states_that_it_names() {
        let (state, other) = (StateTag::of(&1), StateTag::of(&2));
        let quoted = |tag: &StateTag| etag(tag)[0].1.to_str().unwrap().to_owned();
        let (tag, other_tag) = (quoted(&state), quoted(&other));
        for (value, admits_state) in [
            ("*", true),
            (tag.as_str(), true),
            (&format!("{other_tag}, {tag}"), true),
            (other_tag.as_str(), false),
            (&format!("W/{tag}"), false),
        ] {
            let IfMatch(condition) = IfMatch::parse(value).unwrap();
            assert_eq!(condition.admits(Some(&state)), admits_state, "{value}");
            assert!(!condition.admits(None), "{value}");
        }
        for invalid in ["", "nonsense", "\"a", "\"a\" \"b\"", "\"a\",", "*, \"a\""] {
            assert_eq!(IfMatch::parse(invalid), None, "{invalid}");
        }
        assert!(Precondition::None.admits(None) && Precondition::None.admits(Some(&state)));
    }
}
