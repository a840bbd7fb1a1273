//! Versions of a channel's plugin over HTTP: upgrade, rollback, release, the failure policy, the list of versions, the
//! channel's history, the last lines of the plugin's log.

use axum::Json as Answer;
use axum::extract::State;
use tidings_api_types::{FieldError, ListPage, LogLineInfo, LogQuery, UpgradeRequest, VersionInfo};
use tidings_domain::plugin_life::{ChannelEvent, FailurePolicy};

use super::channels::{ChannelResult, tagged};
use super::etag::IfMatch;
use super::extract::{Json, Path, Query};
use super::{ApiState, Problem, convert};
use crate::channels::Upgrade;

pub(super) async fn upgrade(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
    Json(body): Json<UpgradeRequest>,
) -> ChannelResult {
    let UpgradeRequest { component, now, canary, config, unproven } = body;
    if now && canary.is_some() {
        let error = FieldError::new("canary", "not possible with `now`");
        return Err(Problem::invalid("give either `now` or `canary`", vec![error]));
    }
    let canary = (!now).then(|| canary.unwrap_or_default());
    Ok(tagged(api.channels.upgrade(&name, &precondition, Upgrade { component, canary, config, unproven }).await?))
}

pub(super) async fn roll_back(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
) -> ChannelResult {
    Ok(tagged(api.channels.roll_back(&name, &precondition).await?))
}

pub(super) async fn release(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
) -> ChannelResult {
    Ok(tagged(api.channels.release(&name, &precondition).await?))
}

pub(super) async fn set_policy(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    IfMatch(precondition): IfMatch,
    Json(policy): Json<FailurePolicy>,
) -> ChannelResult {
    Ok(tagged(api.channels.set_policy(&name, &precondition, policy).await?))
}

pub(super) async fn versions(
    State(api): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Answer<ListPage<VersionInfo>>, Problem> {
    let versions = api.channels.versions(&name).await?;
    Ok(Answer(ListPage::complete(versions.into_iter().map(convert::version).collect())))
}

pub(super) async fn events(
    State(api): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Answer<ListPage<ChannelEvent>>, Problem> {
    Ok(Answer(ListPage::complete(api.channels.events(&name).await?)))
}

pub(super) async fn log(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Query(LogQuery { after }): Query<LogQuery>,
) -> Result<Answer<ListPage<LogLineInfo>>, Problem> {
    let lines = api.channels.log_after(&name, after).await?;
    Ok(Answer(ListPage::complete(lines.into_iter().map(convert::log_line).collect())))
}
