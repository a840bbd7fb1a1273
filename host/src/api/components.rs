//! Components over HTTP: what is installed, and the upload of another one. Installing judges the file and shows what its
//! plugin is; it runs nowhere until a channel uses it.

use axum::Json as Answer;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_domain::limits;
use tidings_domain::manifest::Manifest;
use tidings_domain::time::Timestamp;
use tidings_store::ComponentInfo;

use super::guard::Pace;
use super::read::Query;
use super::{ApiState, Problem, Turns, read};

/// An installed component.
#[derive(Serialize)]
pub(super) struct ComponentView {
    /// SHA-256 of the file, in hexadecimal.
    digest: String,
    bytes: u64,
    installed_at: Timestamp,
    /// The publisher whose signature it was installed with.
    signed_by: Option<String>,
    manifest: Manifest,
}

impl From<ComponentInfo> for ComponentView {
    fn from(info: ComponentInfo) -> ComponentView {
        let ComponentInfo { digest, manifest, bytes, installed_at, signed_by } = info;
        ComponentView { digest, bytes, installed_at, signed_by, manifest }
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

/// The body is the file. The same file again is the same component.
pub(super) async fn install(
    State(api): State<ApiState>,
    Extension(turns): Extension<Turns>,
    Query(InstallQuery { signature }): Query<InstallQuery>,
    request: Request,
) -> Result<(StatusCode, Answer<ComponentView>), Problem> {
    let busy = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "other components are being installed; try again");
    let _turn = turns.uploads.try_acquire().map_err(|_| busy())?;
    let file = read::body(request, limits::COMPONENT_BYTES, Pace::Slow).await?;
    let info = api.channels.install(&file, signature.as_deref()).await?;
    Ok((StatusCode::CREATED, Answer(info.into())))
}
