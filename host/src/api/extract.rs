//! Extractors: bodies within their size and time limits, JSON with the path of an error, queries and path segments. Every
//! failure is a problem document.

use crate::api::limits;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use tidings_api_types::FieldError;
use tidings_domain::text::one_line;

use super::Problem;
use super::middleware::guard::RequestClass;

/// The longest text of an error in a request, in characters: serde's texts quote the value.
const DETAIL_CHARS: usize = 300;

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

/// The query, without unknown parameters.
pub(super) struct Query<T>(pub(super) T);

/// Segments of the path, decoded.
pub(super) struct Path<T>(pub(super) T);

/// The whole body: of at most `max` bytes, within the time limit of `class`.
pub(super) async fn body(request: Request, max: usize, class: RequestClass) -> Result<Bytes, Problem> {
    let collected = Limited::new(request.into_body(), max).collect();
    let collected = tokio::time::timeout(class.limit(), collected)
        .await
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"))?;
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {max} bytes")))
        }
        Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, format!("the body could not be read: {error}"))),
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Serialize> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Json<T>, Problem> {
        let body = body(request, limits::API_BODY_BYTES, RequestClass::Quick).await?;
        json(&body).map(Json)
    }
}

/// Parses a body. Invalid JSON is 400; JSON of another shape than expected is 422 with the path of the error.
pub(super) fn json<T: DeserializeOwned + Serialize>(body: &[u8]) -> Result<T, Problem> {
    let read: T = parse(body)?;
    // serde takes an array for an object: its elements for the fields, in their order.
    let given: Value = parse(body)?;
    let expected = serde_json::to_value(&read).unwrap_or_default();
    match array_for_object(&given, &expected, String::new()) {
        Some(path) => Err(shape_error(path, "an array, expected an object")),
        None => Ok(read),
    }
}

/// Parses a large body: it is an object, and its parts are not checked for arrays in the place of objects.
pub(super) fn large_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(shape_error(String::new(), "an array, expected an object"));
    }
    parse(body)
}

/// The path of the first array in the place of an object.
fn array_for_object(given: &Value, expected: &Value, path: String) -> Option<String> {
    match (given, expected) {
        (Value::Array(_), Value::Object(_)) => Some(path),
        (Value::Array(given), Value::Array(expected)) => {
            let mut pairs = given.iter().zip(expected).enumerate();
            pairs.find_map(|(n, (given, expected))| array_for_object(given, expected, format!("{path}[{n}]")))
        }
        (Value::Object(given), Value::Object(expected)) => given.iter().find_map(|(name, given)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            array_for_object(given, expected.get(name)?, path)
        }),
        _ => None,
    }
}

fn shape_error(path: String, detail: &str) -> Problem {
    let (path, detail) = (one_line(&path, DETAIL_CHARS), one_line(detail, DETAIL_CHARS));
    Problem::invalid("the body does not have the expected form", vec![FieldError::new(path, detail)])
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                let path = if path == "." { String::new() } else { path };
                shape_error(path, &inner.to_string())
            }
            _ => invalid_json(&inner),
        }
    })?;
    reader.end().map_err(|error| invalid_json(&error))?;
    Ok(value)
}

fn invalid_json(error: &serde_json::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        format!("the body is invalid JSON: {}", one_line(&error.to_string(), DETAIL_CHARS)),
    )
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Query(query)),
            Err(rejection) => {
                Err(Problem::new(StatusCode::BAD_REQUEST, one_line(&rejection.body_text(), DETAIL_CHARS)))
            }
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Path(path)),
            Err(rejection) => {
                Err(Problem::new(StatusCode::BAD_REQUEST, one_line(&rejection.body_text(), DETAIL_CHARS)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code)]
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize, Serialize)]
    struct Item {
        #[allow(dead_code)]
        name: String,
    }

    #[test]
    fn a_huge_value_of_the_wrong_type_is_not_repeated_in_the_answer() {
        let body = format!("{{\"items\": \"{}\"}}", "x".repeat(100_000));
        let problem = format!("{:?}", json::<Outer>(body.as_bytes()).expect_err("it is a text"));
        assert!(problem.len() < 1000, "{} characters", problem.len());
    }

    #[test]
    fn an_error_in_a_body_has_its_path() {
        for (body, status, path, detail) in [
            ("", 400, None, "invalid JSON"),
            ("{\"items\": [}", 400, None, "invalid JSON"),
            ("{\"items\": []} x", 400, None, "invalid JSON"),
            ("{\"items\": [{\"name\": \"a\"}, {\"name\": 5}]}", 422, Some("items[1].name"), "expected a string"),
            ("{\"items\": [], \"more\": 1}", 422, Some("more"), "unknown field `more`"),
            ("{}", 422, Some(""), "missing field `items`"),
            ("[]", 422, Some(""), ""),
            ("[[]]", 422, Some(""), "expected an object"),
            ("{\"items\": [{\"name\": \"a\"}, [\"b\"]]}", 422, Some("items[1]"), "expected an object"),
        ] {
            let problem = json::<Outer>(body.as_bytes()).expect_err(body);
            let text = format!("{problem:?}");
            assert!(text.contains(detail), "{body}: {text}");
            if let Some(path) = path {
                assert!(text.contains(&format!("path: {path:?}")), "{body}: {text}");
            }
            assert_eq!(problem.into_response().status().as_u16(), status, "{body}");
        }
    }
}
