//! The description of one operation of the API: what it takes and what it answers. Each row of the table of routes has
//! one, so no route is missing in the document.

use tidings_api_types::{ListPage, ProblemDocument};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Ref, RefOr, Required, Response, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::schema;

/// The name of the security scheme.
pub(in crate::api) const BEARER: &str = "bearer";
const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// What an operation answers when it fails, besides what all operations may answer.
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const CONFLICT: u16 = 409;

/// One operation.
pub(in crate::api) struct Operation {
    summary: &'static str,
    parameters: Vec<Parameter>,
    request: Option<RequestBodyBuilder>,
    responses: Vec<(u16, Response)>,
    failures: Vec<u16>,
    /// Schemas that it refers to, by name.
    schemas: Vec<(String, RefOr<Schema>)>,
    has_etag: bool,
}

/// An operation with this summary.
pub(super) fn operation(summary: &'static str) -> Operation {
    Operation {
        summary,
        parameters: Vec::new(),
        request: None,
        responses: Vec::new(),
        failures: Vec::new(),
        schemas: Vec::new(),
        has_etag: false,
    }
}

impl Operation {
    /// Parameters of the query.
    pub(super) fn query<Q: IntoParams>(mut self) -> Operation {
        self.parameters.extend(Q::into_params(|| Some(ParameterIn::Query)));
        self.failures.push(400);
        self
    }

    /// A JSON body.
    pub(super) fn takes<T: ToSchema>(mut self) -> Operation {
        let schema = self.schema::<T>();
        let body = self.request.take().unwrap_or_default().required(Some(Required::True));
        self.request = Some(body.content(JSON, ContentBuilder::new().schema(Some(schema)).build()));
        self.failures.extend([400, 408, 413, 422]);
        self
    }

    /// A body of another media type.
    pub(super) fn takes_bytes(mut self, media_type: &'static str) -> Operation {
        let body = self.request.take().unwrap_or_default().required(Some(Required::True));
        self.request = Some(body.content(media_type, ContentBuilder::new().schema(Some(schema::binary())).build()));
        self.failures.extend([400, 408, 413, 422]);
        self
    }

    /// A JSON answer.
    pub(super) fn returns<T: ToSchema>(mut self, status: u16, description: &'static str) -> Operation {
        let schema = self.schema::<T>();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        self.responses.push((status, ResponseBuilder::new().description(description).content(JSON, content).build()));
        self
    }

    /// A page of a list.
    pub(super) fn lists<T: ToSchema>(mut self, description: &'static str) -> Operation {
        // The page itself stands in place: it has no name of its own for each kind of row.
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        let content = ContentBuilder::new().schema(Some(ListPage::<T>::schema())).build();
        self.responses.push((200, ResponseBuilder::new().description(description).content(JSON, content).build()));
        self
    }

    /// An answer of another media type.
    pub(super) fn returns_text(mut self, media_type: &'static str, description: &'static str) -> Operation {
        let content = ContentBuilder::new().schema(Some(schema::string())).build();
        let response = ResponseBuilder::new().description(description).content(media_type, content).build();
        self.responses.push((200, response));
        self
    }

    /// An answer without a body.
    pub(super) fn returns_nothing(mut self) -> Operation {
        self.responses.push((204, ResponseBuilder::new().description("Done").build()));
        self
    }

    /// Statuses of failures.
    pub(super) fn fails<const N: usize>(mut self, statuses: [u16; N]) -> Operation {
        self.failures.extend(statuses);
        self
    }

    /// The answer has an `ETag`.
    pub(super) fn with_etag(mut self) -> Operation {
        self.has_etag = true;
        self
    }

    /// The change applies only if `If-Match` names the present state.
    pub(super) fn if_match(mut self) -> Operation {
        let description = "The `ETag` of the state to change; 412 if it has changed since.";
        let tags = schema::matching(r#"^(\*|(W/)?"[^"]*"(, *(W/)?"[^"]*")*)$"#);
        self.parameters.push(schema::header("If-Match", description, tags));
        self.failures.extend([400, 412]);
        self
    }

    /// The operation may be repeated under the same key.
    pub(super) fn idempotent_by_key(mut self) -> Operation {
        let description = "A key of the client's choice (1 to 255 visible ASCII characters). A repeated request with the \
                           same key gets the first answer, and changes nothing again.";
        let key = schema::matching("^[!-~]{1,255}$");
        self.parameters.push(schema::header("Idempotency-Key", description, key));
        self.failures.extend([400, CONFLICT, 422]);
        self
    }

    fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        Ref::from_schema_name(T::name()).into()
    }

    /// The finished operation of a path, and the schemas that it refers to.
    pub(in crate::api) fn build(
        mut self,
        id: String,
        path: &str,
        protected: bool,
    ) -> (utoipa::openapi::path::Operation, Vec<(String, RefOr<Schema>)>) {
        let mut operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(self.summary));
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            operation = operation.parameter(schema::path_parameter(path, name));
        }
        operation = operation.parameters(Some(std::mem::take(&mut self.parameters)));
        operation = operation.request_body(self.request.take().map(RequestBodyBuilder::build));
        for (status, mut response) in std::mem::take(&mut self.responses) {
            schema::add_header(&mut response, "X-Request-Id", "The request's id in the daemon's log.");
            if self.has_etag {
                schema::add_header(&mut response, "ETag", "The state, for `If-Match`.");
            }
            operation = operation.response(status.to_string(), response);
        }
        self.failures.extend([400, 408, 500, 503, 504]);
        if protected {
            self.failures.extend([401, 429]);
            operation = operation.security(SecurityRequirement::new::<_, [&str; 0], _>(BEARER, []));
        }
        self.failures.sort_unstable();
        self.failures.dedup();
        for status in &self.failures {
            operation = operation.response(status.to_string(), failure(*status));
        }
        self.schemas.push((ProblemDocument::name().into_owned(), ProblemDocument::schema()));
        ProblemDocument::schemas(&mut self.schemas);
        (operation.build(), self.schemas)
    }
}

fn failure(status: u16) -> Response {
    let name = axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let problem: RefOr<Schema> = Ref::from_schema_name(ProblemDocument::name()).into();
    let content = ContentBuilder::new().schema(Some(problem)).build();
    let mut response = ResponseBuilder::new().description(name.unwrap_or("Failure")).content(PROBLEM, content).build();
    schema::add_header(&mut response, "X-Request-Id", "The request's id in the daemon's log.");
    if matches!(status, 429 | 503) {
        schema::add_header(&mut response, "Retry-After", "Seconds after which to try again.");
    }
    response
}
