//! Components over HTTP: their list, and the installation of one that is uploaded or fetched from a source. Installation
//! checks the file and shows its plugin; it runs only when a channel uses it.

use crate::api::limits;
use axum::Json as Answer;
use axum::extract::{Extension, Request, State};
use axum::http::{StatusCode, header};
use tidings_api_types::{ComponentDetails, FieldError, InstallQuery, InstallRequest, ListPage};
use tidings_domain::permissions_text;
use tidings_store::{ComponentInfo, Signed};
use url::Url;

use super::extract::{self, Path, Query};
use super::middleware::guard::RequestClass;
use super::state::UploadPermits;
use super::{ApiState, Problem};
use crate::fetch::{ComponentSource, FetchError, Fetched, ReferenceError};

fn details(info: ComponentInfo) -> ComponentDetails {
    let ComponentInfo { digest, manifest, bytes, installed_at, signed } = info;
    let review = permissions_text::review(&manifest);
    let (signed_by, signing_key) = signed.map(|Signed { publisher, key }| (publisher, key)).unzip();
    ComponentDetails { digest, bytes, installed_at, signed_by, signing_key, manifest, review, from: None }
}

pub(super) async fn list(State(api): State<ApiState>) -> Result<Answer<ListPage<ComponentDetails>>, Problem> {
    Ok(Answer(ListPage::complete(api.store.components().await?.into_iter().map(details).collect())))
}

/// The body is the file, or JSON with its source. Installing the same file again changes nothing.
pub(super) async fn install(
    State(api): State<ApiState>,
    Extension(UploadPermits(permits)): Extension<UploadPermits>,
    Query(InstallQuery { signature }): Query<InstallQuery>,
    request: Request,
) -> Result<(StatusCode, Answer<ComponentDetails>), Problem> {
    let busy = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "other components are being installed; try again");
    let _permit = permits.try_acquire().map_err(|_| busy())?;
    if is_json(&request) {
        let body = extract::body(request, limits::API_BODY_BYTES, RequestClass::Quick).await?;
        let body: InstallRequest = extract::json(&body)?;
        let source =
            source(&body).map_err(|errors| Problem::invalid("the source of the component is invalid", errors))?;
        let Fetched { file, signature: beside, from } = api.fetcher.fetch(&source).await?;
        let signature = signature.or(body.signature).or(beside);
        let info = api.channels.install(file, signature).await?;
        return Ok((StatusCode::CREATED, Answer(ComponentDetails { from: Some(from), ..details(info) })));
    }
    let file = extract::body(request, tidings_domain::limits::COMPONENT_BYTES, RequestClass::Slow).await?;
    let info = api.channels.install(file, signature).await?;
    Ok((StatusCode::CREATED, Answer(details(info))))
}

/// Removes a component that no channel needs.
pub(super) async fn remove(State(api): State<ApiState>, Path(digest): Path<String>) -> Result<StatusCode, Problem> {
    api.channels.remove_component(&digest).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn source(body: &InstallRequest) -> Result<ComponentSource, Vec<FieldError>> {
    match (&body.url, &body.sha256, &body.oci) {
        (Some(url), Some(sha256), None) => {
            let url = Url::parse(url).map_err(|error| FieldError::new("url", error.to_string()));
            let sha256 = sha256.parse().map_err(|error: ReferenceError| FieldError::new("sha256", error.to_string()));
            match (url, sha256) {
                (Ok(url), Ok(sha256)) => Ok(ComponentSource::Url { url, sha256 }),
                (url, sha256) => Err(url.err().into_iter().chain(sha256.err()).collect()),
            }
        }
        (None, None, Some(oci)) => {
            let reference = oci.strip_prefix("oci://").unwrap_or(oci).parse();
            reference
                .map(ComponentSource::Oci)
                .map_err(|error: ReferenceError| vec![FieldError::new("oci", error.to_string())])
        }
        _ => Err(vec![FieldError::new("", "give either `url` and `sha256`, or `oci`")]),
    }
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Problem {
        match &error {
            FetchError::TooLarge { .. } => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
            _ if error.is_elsewhere() => Problem::new(StatusCode::BAD_GATEWAY, error.to_string()),
            _ => Problem::invalid(error.to_string(), Vec::new()),
        }
    }
}
