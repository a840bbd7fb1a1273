//! Templates: a body or a URL with fields in braces, for example `{title}`. A body is a JSON document with fields in its
//! texts. It is parsed before the fields are filled, so that event text can neither end a string nor add a member. In a URL
//! every value is percent-encoded and stays within its segment.
//!
//! Braces around other characters than lower-case letters and underscores are plain text.

use serde_json::Value;
use thiserror::Error;

/// The fields that a template may use.
pub const FIELDS: [&str; 13] = [
    "id",
    "kind",
    "user",
    "address",
    "filter",
    "title",
    "text",
    "link",
    "topic",
    "application",
    "agent",
    "time",
    "code",
];

/// Why a template is invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("invalid JSON: {0}")]
    Json(String),
    #[error("unknown field {{{name}}}; the fields are {}", FIELDS.join(", "))]
    Field { name: String },
}

/// A JSON document with fields in its texts.
#[derive(Clone, Debug)]
pub struct Body(Value);

impl Body {
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let document: Value = serde_json::from_str(text).map_err(|error| TemplateError::Json(error.to_string()))?;
        fill(&document, &mut |text| check(text).map(|()| String::new()))?;
        Ok(Body(document))
    }

    /// Returns the document with each field replaced by its `value`.
    pub fn fill(&self, value: impl Fn(&str) -> String) -> Vec<u8> {
        let filled = fill(&self.0, &mut |text| Ok::<_, TemplateError>(substitute(text, &value)));
        filled.map(|document| document.to_string().into_bytes()).unwrap_or_default()
    }
}

/// Checks that a text uses only known fields.
pub fn check(text: &str) -> Result<(), TemplateError> {
    let unknown = parts(text).find_map(|part| match part {
        Part::Field(name) if !FIELDS.contains(&name) => Some(name.to_owned()),
        _ => None,
    });
    unknown.map_or(Ok(()), |name| Err(TemplateError::Field { name }))
}

/// Fills a URL. Values are percent-encoded, except for the unreserved characters of RFC 3986.
pub fn url(template: &str, value: impl Fn(&str) -> String) -> String {
    substitute(template, &|name| {
        let encode = |octet: u8| match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(octet).to_string(),
            // The dot is encoded too: a segment `..` would remove the segment before it.
            octet => format!("%{octet:02X}"),
        };
        value(name).bytes().map(encode).collect()
    })
}

enum Part<'a> {
    Text(&'a str),
    Field(&'a str),
}

fn parts(template: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if let Some((name, after)) = field(rest) {
            rest = after;
            return Some(Part::Field(name));
        }
        let end = (1..rest.len()).find(|at| rest.is_char_boundary(*at) && rest[*at..].starts_with('{'));
        let (text, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        (!text.is_empty()).then_some(Part::Text(text))
    })
}

/// If the text begins with a field, returns its name and the text after it.
fn field(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    valid.then_some((name, after))
}

fn substitute(template: &str, value: &impl Fn(&str) -> String) -> String {
    parts(template).fold(String::new(), |filled, part| match part {
        Part::Text(text) => filled + text,
        Part::Field(name) => filled + &value(name),
    })
}

/// Replaces every text value of the document; the names of members stay.
fn fill<E>(document: &Value, replace: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Value, E> {
    Ok(match document {
        Value::String(text) => Value::String(replace(text)?),
        Value::Array(items) => Value::Array(items.iter().map(|item| fill(item, replace)).collect::<Result<_, _>>()?),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| Ok((name.clone(), fill(value, replace)?)));
            Value::Object(members.collect::<Result<_, E>>()?)
        }
        plain => plain.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_changes_the_structure_of_a_body() {
        let body = Body::parse(r#"{"text": "<{title}> {link}{no field} {", "list": ["{id}", 7, null]}"#).unwrap();
        for value in ["plain", "\"}, \"admin\": true, {\"x\": \"", "\\", "\n\0\u{2028}", "{id}", "ü 🎉"] {
            let filled: Value = serde_json::from_slice(&body.fill(|_| value.to_owned())).unwrap();
            let text = format!("<{value}> {value}{{no field}} {{");
            assert_eq!(filled, serde_json::json!({"text": text, "list": [value, 7, null]}), "{value:?}");
        }
    }

    #[test]
    fn no_value_changes_the_structure_of_a_url() {
        let url = |value: &str| url("https://h.example/{user}/in?u={user}", |_| value.to_owned());
        assert_eq!(url("ralph_1"), "https://h.example/ralph_1/in?u=ralph_1");
        assert_eq!(
            url("../a?b=c&d#e@f:g"),
            "https://h.example/%2E%2E%2Fa%3Fb%3Dc%26d%23e%40f%3Ag/in?u=%2E%2E%2Fa%3Fb%3Dc%26d%23e%40f%3Ag"
        );
        assert_eq!(url("ü"), "https://h.example/%C3%BC/in?u=%C3%BC");
    }

    #[test]
    fn an_invalid_template_is_refused_with_the_reason() {
        let error = |text| Body::parse(text).unwrap_err().to_string();
        assert!(error(r#"{"a": {title}}"#).contains("invalid JSON"));
        assert!(error(r#"{"a": ["{missing}"]}"#).contains("unknown field {missing}"));
        assert!(check("https://h.example/{user}").is_ok());
        assert!(check("https://h.example/{missing}").is_err());
    }
}
