//! Errors on the wire: problem documents as in RFC 9457, `application/problem+json`. The one place that decides which HTTP
//! status an error has. What an error tells about the inside goes to the log, not to the client.

use crate::channels::limits::CONFIRMATION_REST;
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidings_sandbox::{AdmissionError, CompileError};
use tidings_store::StoreError;

use crate::channels::ChannelError;

/// Seconds after which a client may try again when the store is unavailable.
const RETRY_SECONDS: &str = "2";

/// Why a request was not carried out. Its `type` is `about:blank`: the status says what kind of problem it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    mistakes: Vec<FieldError>,
}

/// One mistake in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where it is in the body, e.g. `filters[0].rules[2]`.
    pub path: String,
    pub detail: String,
}

/// The document. Members as RFC 9457 names them, and `errors`.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl FieldError {
    pub fn new(path: impl Into<String>, detail: impl Into<String>) -> FieldError {
        FieldError { path: path.into(), detail: detail.into() }
    }
}

impl Problem {
    /// A problem with this text, which the client will read.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), mistakes: Vec::new() }
    }

    /// A body that was understood and is not good.
    pub fn invalid(detail: impl Into<String>, mistakes: Vec<FieldError>) -> Problem {
        Problem { status: StatusCode::UNPROCESSABLE_ENTITY, detail: detail.into(), mistakes }
    }

    /// A thing that is not there.
    pub fn missing(what: &str, name: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, format!("no {what} named {name}"))
    }

    /// Something broke here. The log says what.
    pub fn internal() -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here; the daemon's log says what")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.mistakes,
        };
        let mut response = (self.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(CONFIRMATION_REST.as_secs()));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tidings\""));
            }
            _ => {}
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match &error {
            StoreError::Missing { .. } => Problem::new(StatusCode::NOT_FOUND, error.to_string()),
            StoreError::Exists { .. } | StoreError::InUse { .. } => {
                Problem::new(StatusCode::CONFLICT, error.to_string())
            }
            StoreError::Refused { what, .. } => {
                log(&error);
                Problem::invalid(format!("the store refuses this {what}"), Vec::new())
            }
            StoreError::Unavailable { .. } => {
                log(&error);
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the store is unavailable; nothing was changed")
            }
            StoreError::Locked { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Newer { .. }
            | StoreError::Key { .. }
            | StoreError::Damaged { .. } => {
                log(&error);
                Problem::internal()
            }
        }
    }
}

impl From<ChannelError> for Problem {
    fn from(error: ChannelError) -> Problem {
        match error {
            ChannelError::Store(error) => error.into(),
            ChannelError::Config(errors) => {
                let errors = errors.into_iter().map(|error| FieldError::new(error.field, error.problem.to_string()));
                Problem::invalid("the configuration is not good", errors.collect())
            }
            ChannelError::Busy { .. } => Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            ChannelError::Panicked { .. } => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            ChannelError::Admission(AdmissionError::TooLarge { .. }) => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
            }
            ChannelError::Admission(
                AdmissionError::Busy | AdmissionError::Compile(CompileError::Unavailable(_) | CompileError::Damaged),
            ) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            ChannelError::Admission(_) | ChannelError::Name(_) | ChannelError::Address(_) => {
                Problem::invalid(error.to_string(), Vec::new())
            }
            ChannelError::Contract(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            ChannelError::Signature(_) => Problem::new(StatusCode::FORBIDDEN, error.to_string()),
            ChannelError::NotReady(_) => Problem::new(StatusCode::CONFLICT, error.to_string()),
        }
    }
}

/// The error with its causes.
fn log(error: &StoreError) {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    tracing::error!(error = text, "a request of the API failed");
}

/// For paths that are none.
pub(super) async fn no_such_page(request: Request) -> Problem {
    let path = tidings_domain::text::one_line(request.uri().path(), 200);
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {path}"))
}

/// For methods that a path does not have; the header `Allow` names those it has.
pub(super) async fn wrong_method(request: Request) -> Problem {
    let method = tidings_domain::text::one_line(request.method().as_str(), 20);
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not possible here"))
}
