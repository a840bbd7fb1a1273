//! Errors on the wire: problem documents as in RFC 9457, `application/problem+json`. The one place that decides which HTTP
//! status an error has. What an error tells about the inside goes to the log, not to the client.

use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tidings_api_types::{FieldError, ProblemDocument};
use tidings_sandbox::{AdmissionError, CompileError};
use tidings_store::StoreError;

use crate::channels::ChannelError;

/// When a client may try again if the store is unavailable or the daemon busy.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(2);

/// Why a request failed. Its `type` is `about:blank`: the status tells the kind of the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    /// When the client may try again.
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with this text, which the client will read.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// A body of the right form with invalid content.
    pub fn invalid(detail: impl Into<String>, errors: Vec<FieldError>) -> Problem {
        Problem { errors, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// Too many requests: the client may try again after `wait`.
    pub fn too_many(detail: impl Into<String>, wait: Duration) -> Problem {
        Problem { retry_after: Some(wait), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// A resource that does not exist.
    pub fn missing(what: &str, name: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, format!("no {what} named {name}"))
    }

    /// A failure of the daemon. The log has its cause.
    pub fn internal() -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the daemon failed; its log has the cause")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = ProblemDocument {
            r#type: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            errors: self.errors,
        };
        let mut response = (self.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let unavailable = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(UNAVAILABLE_RETRY);
        if let Some(wait) = self.retry_after.or(unavailable) {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tidings\""));
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
                Problem::invalid("the configuration is invalid", errors.collect())
            }
            ChannelError::Changed => Problem::new(StatusCode::PRECONDITION_FAILED, error.to_string()),
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
