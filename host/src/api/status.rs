//! The state of the daemon: for people (`/api/v1/status`), for a supervisor (`/-/healthy`, `/-/ready`), for Prometheus
//! (`/metrics`). Reading changes nothing, except that readiness tries a write.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::{Extension, State};
use axum::http::{HeaderName, header};
use tidings_api_types::{ChannelSummary, Health, Readiness, StatusInfo};

use super::state::OpenApiDocument;
use super::{ApiState, Problem, convert};
use crate::clock;
use crate::telemetry::GaugeSnapshot;

pub(super) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn status(State(api): State<ApiState>) -> Result<Answer<StatusInfo>, Problem> {
    let views = api.channels.list().await?;
    let bus = api.bus();
    let summary = |view: crate::channels::ChannelView| ChannelSummary {
        name: view.name,
        state: convert::channel_state(view.state),
    };
    Ok(Answer(StatusInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        messages: convert::message_counts(&api.metrics, &bus),
        bus: bus.into_iter().map(convert::endpoint).collect(),
        channels: views.into_iter().map(summary).collect(),
    }))
}

/// The OpenAPI document.
pub(super) async fn openapi(
    Extension(OpenApiDocument(text)): Extension<OpenApiDocument>,
) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "application/json")], text.to_string())
}

/// The process answers.
pub(super) async fn healthy() -> Answer<Health> {
    Answer(Health { healthy: true })
}

/// Messages can be accepted: the store takes a write. Everything else was loaded before the port was bound.
pub(super) async fn ready(State(api): State<ApiState>) -> Result<Answer<Readiness>, Problem> {
    api.store.check().await?;
    Ok(Answer(Readiness { ready: true }))
}

pub(super) async fn metrics(State(api): State<ApiState>) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    let bus = api.bus();
    let books = api.store.books().await?;
    let mut due = BTreeMap::new();
    for channel in books.keys() {
        due.extend(api.store.next_due(channel).await?.map(|due| (channel.clone(), due)));
    }
    let residents = api.channels.residents();
    let snapshot = GaugeSnapshot {
        bus: &bus,
        books: &books,
        due: &due,
        residents: &residents,
        lists: &api.lists.cache().figures(),
        rules: api.knowledge.snapshot().sizes,
        now: clock::now(),
    };
    let text = api.metrics.encode(&snapshot).map_err(|error| {
        tracing::error!(error = %error, "cannot encode the metrics");
        Problem::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text))
}
