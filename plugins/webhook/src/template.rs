//! A body or a URL with fields in braces, `{subtitle}`. A body is a JSON document whose texts hold the fields: it is
//! parsed first and filled afterwards, so that no event text can end a string or add a member, whatever it holds. In a
//! URL every value is percent-encoded and stays within its segment.
//!
//! Braces around anything but lower-case letters and underscores are text.

use serde_json::Value;
use thiserror::Error;

/// The fields that a template may name, each with the words for documentation.
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

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("it is not JSON: {0}")]
    Json(String),
    #[error("there is no field {{{name}}}; there are {}", FIELDS.join(", "))]
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

    /// The document with what `value` says for each field.
    pub fn fill(&self, value: impl Fn(&str) -> String) -> Vec<u8> {
        let filled = fill(&self.0, &mut |text| Ok::<_, TemplateError>(substitute(text, &value)));
        filled.map(|document| document.to_string().into_bytes()).unwrap_or_default()
    }
}

/// A text that names only fields that there are.
pub fn check(text: &str) -> Result<(), TemplateError> {
    let unknown = parts(text).find_map(|part| match part {
        Part::Field(name) if !FIELDS.contains(&name) => Some(name.to_owned()),
        _ => None,
    });
    unknown.map_or(Ok(()), |name| Err(TemplateError::Field { name }))
}

/// The URL with every value percent-encoded but for RFC 3986's unreserved characters.
pub fn url(template: &str, value: impl Fn(&str) -> String) -> String {
    substitute(template, &|name| {
        let encode = |octet: u8| match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(octet).to_string(),
            // Also the dot: two of them alone would be a step up.
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

/// The field that the text begins with, and what comes after it.
fn field(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    named.then_some((name, after))
}

fn substitute(template: &str, value: &impl Fn(&str) -> String) -> String {
    parts(template).fold(String::new(), |filled, part| match part {
        Part::Text(text) => filled + text,
        Part::Field(name) => filled + &value(name),
    })
}

/// The document with every text in it replaced; names of members stay.
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
    fn no_value_can_leave_its_place_in_a_body() {
        let body = Body::parse(r#"{"text": "<{title}> {link}{no field} {", "list": ["{id}", 7, null]}"#).unwrap();
        for value in ["plain", "\"}, \"admin\": true, {\"x\": \"", "\\", "\n\0\u{2028}", "{id}", "ü 🎉"] {
            let filled: Value = serde_json::from_slice(&body.fill(|_| value.to_owned())).unwrap();
            let text = format!("<{value}> {value}{{no field}} {{");
            assert_eq!(filled, serde_json::json!({"text": text, "list": [value, 7, null]}), "{value:?}");
        }
    }

    #[test]
    fn no_value_can_leave_its_place_in_a_url() {
        let url = |value: &str| url("https://h.example/{user}/in?u={user}", |_| value.to_owned());
        assert_eq!(url("ralph_1"), "https://h.example/ralph_1/in?u=ralph_1");
        assert_eq!(
            url("../a?b=c&d#e@f:g"),
            "https://h.example/%2E%2E%2Fa%3Fb%3Dc%26d%23e%40f%3Ag/in?u=%2E%2E%2Fa%3Fb%3Dc%26d%23e%40f%3Ag"
        );
        assert_eq!(url("ü"), "https://h.example/%C3%BC/in?u=%C3%BC");
    }

    #[test]
    fn a_template_that_cannot_work_is_refused_with_the_reason() {
        let said = |text| Body::parse(text).unwrap_err().to_string();
        assert!(said(r#"{"a": {title}}"#).contains("not JSON"));
        assert!(said(r#"{"a": ["{nonsense}"]}"#).contains("no field {nonsense}"));
        assert!(check("https://h.example/{user}").is_ok());
        assert!(check("https://h.example/{nobody}").is_err());
    }
}
