//! Components over HTTP: what is installed, and another one, uploaded or brought from where a JSON body says. Installing
//! judges the file and shows what its plugin is; it runs nowhere until a channel uses it.

use crate::api::limits;
use axum::Json as Answer;
use axum::extract::{Extension, Request, State};
use axum::http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use tidings_domain::manifest::Manifest;
use tidings_domain::permissions_text;
use tidings_domain::time::Timestamp;
use tidings_store::{ComponentInfo, Signed};
use url::Url;

use super::guard::RequestClass;
use super::read::{Path, Query};
use super::{ApiState, FieldError, Problem, Turns, read};
use crate::fetch::{ComponentSource, FetchError, Fetched, ReferenceError};

/// An installed component.
#[derive(Serialize)]
pub(super) struct ComponentView {
    /// SHA-256 of the file, in hexadecimal.
    digest: String,
    bytes: u64,
    installed_at: Timestamp,
    /// The publisher whose signature it was installed with, and the public key that it was checked with.
    signed_by: Option<String>,
    signing_key: Option<String>,
    manifest: Manifest,
    /// What it wants, in plain words.
    review: Vec<String>,
    /// Where it was brought from just now, with the digest that it resolved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

impl From<ComponentInfo> for ComponentView {
    fn from(info: ComponentInfo) -> ComponentView {
        let ComponentInfo { digest, manifest, bytes, installed_at, signed } = info;
        let review = permissions_text::review(&manifest);
        let (signed_by, signing_key) = signed.map(|Signed { publisher, key }| (publisher, key)).unzip();
        ComponentView { digest, bytes, installed_at, signed_by, signing_key, manifest, review, from: None }
    }
}

pub(super) async fn list(State(api): State<ApiState>) -> Result<Answer<Vec<ComponentView>>, Problem> {
    Ok(Answer(api.store.components().await?.into_iter().map(ComponentView::from).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstallQuery {
    /// What minisign wrote into the `.minisig` file.
    signature: Option<String>,
}

/// Where a component is: `url` and `sha256`, or `oci`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceBody {
    url: Option<String>,
    sha256: Option<String>,
    oci: Option<String>,
    /// Goes over the one that lies beside the file.
    signature: Option<String>,
}

/// The body is the file, or as JSON says where it is. The same file again is the same component.
pub(super) async fn install(
    State(api): State<ApiState>,
    Extension(turns): Extension<Turns>,
    Query(InstallQuery { signature }): Query<InstallQuery>,
    request: Request,
) -> Result<(StatusCode, Answer<ComponentView>), Problem> {
    let busy = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "other components are being installed; try again");
    let _turn = turns.uploads.try_acquire().map_err(|_| busy())?;
    if is_json(&request) {
        let body = read::body(request, limits::API_BODY_BYTES, RequestClass::Quick).await?;
        let body: SourceBody = read::json(&body)?;
        let source = body.source().map_err(|mistakes| Problem::invalid("that is no place of a component", mistakes))?;
        let Fetched { file, signature: beside, from } = api.fetcher.fetch(&source).await?;
        let signature = signature.or(body.signature).or(beside);
        let info = api.channels.install(file, signature).await?;
        return Ok((StatusCode::CREATED, Answer(ComponentView { from: Some(from), ..info.into() })));
    }
    let file = read::body(request, tidings_domain::limits::COMPONENT_BYTES, RequestClass::Slow).await?;
    let info = api.channels.install(file, signature).await?;
    Ok((StatusCode::CREATED, Answer(info.into())))
}

/// Forgets one that no channel needs.
pub(super) async fn remove(State(api): State<ApiState>, Path(digest): Path<String>) -> Result<StatusCode, Problem> {
    api.channels.remove_component(&digest).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

impl SourceBody {
    fn source(&self) -> Result<ComponentSource, Vec<FieldError>> {
        match (&self.url, &self.sha256, &self.oci) {
            (Some(url), Some(sha256), None) => {
                let url = Url::parse(url).map_err(|error| FieldError::new("url", error.to_string()));
                let sha256 =
                    sha256.parse().map_err(|error: ReferenceError| FieldError::new("sha256", error.to_string()));
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
