//! Reading requests: bodies within their size and time, JSON with the path of a mistake, queries and path segments. Every
//! failure is a problem document.

use crate::api::limits;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;

use super::guard::RequestClass;
use super::{FieldError, Problem};

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

/// The query, with no parameter that the route does not know.
pub(super) struct Query<T>(pub(super) T);

/// Segments of the path, decoded.
pub(super) struct Path<T>(pub(super) T);

/// The whole body: of at most `max` bytes, within the time of `pace`.
pub(super) async fn body(request: Request, max: usize, pace: RequestClass) -> Result<Bytes, Problem> {
    let collected = Limited::new(request.into_body(), max).collect();
    let collected = tokio::time::timeout(pace.limit(), collected)
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

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Json<T>, Problem> {
        let body = body(request, limits::API_BODY_BYTES, RequestClass::Quick).await?;
        json(&body).map(Json)
    }
}

/// What does not parse is 400; JSON of another shape than expected is 422 with the place of the mistake.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                let path = if path == "." { String::new() } else { path };
                Problem::invalid(
                    "the body does not have the expected form",
                    vec![FieldError::new(path, inner.to_string())],
                )
            }
            _ => not_json(&inner),
        }
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"))
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Query(query)),
            Err(rejection) => Err(Problem::new(StatusCode::BAD_REQUEST, rejection.body_text())),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Path(path)),
            Err(rejection) => Err(Problem::new(StatusCode::BAD_REQUEST, rejection.body_text())),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code)]
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    struct Item {
        #[allow(dead_code)]
        name: String,
    }

    #[test]
    fn a_mistake_in_a_body_has_its_place() {
        for (body, status, path, detail) in [
            ("", 400, None, "not JSON"),
            ("{\"items\": [}", 400, None, "not JSON"),
            ("{\"items\": []} x", 400, None, "not JSON"),
            ("{\"items\": [{\"name\": \"a\"}, {\"name\": 5}]}", 422, Some("items[1].name"), "expected a string"),
            ("{\"items\": [], \"more\": 1}", 422, Some("more"), "unknown field `more`"),
            ("{}", 422, Some(""), "missing field `items`"),
            ("[]", 422, Some(""), ""),
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
