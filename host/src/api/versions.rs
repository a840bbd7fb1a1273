//! The life of a channel's plugin over HTTP: upgrade, roll back, release, the failure policy, and what can be looked at:
//! versions, history, the last lines of its log.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use tidings_domain::plugin_life::{CanaryPlan, ChannelEvent, FailurePolicy};

use super::read::{Json, Path, Query};
use super::{ApiState, FieldError, Problem};
use crate::channels::{ChannelView, LogLine, Upgrade, VersionView};

type Viewed = Result<Answer<ChannelView>, Problem>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpgradeBody {
    /// Digest of an installed component.
    component: String,
    /// Without a trial.
    #[serde(default)]
    now: bool,
    /// How it is tried; what is absent has its default.
    canary: Option<CanaryPlan>,
    /// Configuration values that go with it; null removes one.
    #[serde(default)]
    config: BTreeMap<String, Option<String>>,
    /// Without trying it against the contract first.
    #[serde(default)]
    unproven: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    /// Lines behind the one of this number.
    #[serde(default)]
    after: u64,
}

pub(super) async fn upgrade(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(body): Json<UpgradeBody>,
) -> Viewed {
    let UpgradeBody { component, now, canary, config, unproven } = body;
    if now && canary.is_some() {
        let mistake = FieldError::new("canary", "there is no trial with `now`");
        return Err(Problem::invalid("give either `now` or `canary`", vec![mistake]));
    }
    let canary = (!now).then(|| canary.unwrap_or_default());
    Ok(Answer(api.channels.upgrade(&name, Upgrade { component, canary, config, unproven }).await?))
}

pub(super) async fn roll_back(State(api): State<ApiState>, Path(name): Path<String>) -> Viewed {
    Ok(Answer(api.channels.roll_back(&name).await?))
}

pub(super) async fn release(State(api): State<ApiState>, Path(name): Path<String>) -> Viewed {
    Ok(Answer(api.channels.release(&name).await?))
}

pub(super) async fn set_policy(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(policy): Json<FailurePolicy>,
) -> Viewed {
    Ok(Answer(api.channels.set_policy(&name, policy).await?))
}

pub(super) async fn versions(
    State(api): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Answer<Vec<VersionView>>, Problem> {
    Ok(Answer(api.channels.versions(&name).await?))
}

pub(super) async fn events(
    State(api): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Answer<Vec<ChannelEvent>>, Problem> {
    Ok(Answer(api.channels.events(&name).await?))
}

pub(super) async fn log(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Query(LogQuery { after }): Query<LogQuery>,
) -> Result<Answer<Vec<LogLine>>, Problem> {
    Ok(Answer(api.channels.log_after(&name, after).await?))
}
