//! How the daemon is: for people (`/api/v1/status`), for a supervisor (`/-/healthy`, `/-/ready`), for Prometheus
//! (`/metrics`). Reading changes nothing, except that readiness tries a write.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderName, header};
use serde::Serialize;
use serde_json::{Value, json};
use tidings_bus::EndpointStatus;
use tidings_domain::message::Refusal;

use super::{ApiState, Problem};
use crate::channels::ChannelState;
use crate::clock;
use crate::telemetry::{GaugeSnapshot, Metrics, ReasonLabel};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    bus: Vec<EndpointStatus>,
    messages: MessageCounts,
    channels: Vec<ChannelStatus>,
}

/// What became of the messages since the daemon started. Each received one ends as one of the others.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct MessageCounts {
    received: u64,
    matched: u64,
    unmatched: u64,
    duplicate: u64,
    conflict: u64,
    poison: u64,
    /// By reason; reasons that did not occur are left out.
    refused: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct ChannelStatus {
    name: String,
    #[serde(flatten)]
    state: ChannelState,
}

pub(super) async fn status(State(api): State<ApiState>) -> Result<Answer<Status>, Problem> {
    let views = api.channels.list().await?;
    let bus = api.bus();
    Ok(Answer(Status {
        version: env!("CARGO_PKG_VERSION"),
        messages: MessageCounts::read(&api.metrics, &bus),
        bus,
        channels: views.into_iter().map(|view| ChannelStatus { name: view.name, state: view.state }).collect(),
    }))
}

impl MessageCounts {
    /// What a source refuses was received as well, though it never reached intake.
    pub fn read(metrics: &Metrics, bus: &[EndpointStatus]) -> MessageCounts {
        let at_source = |refusal: Refusal| -> u64 {
            bus.iter().flat_map(|endpoint| &endpoint.refused).filter(|r| r.reason == refusal).map(|r| r.count).sum()
        };
        let refused = Refusal::ALL.into_iter().filter_map(|refusal| {
            let reason = refusal.as_str();
            let by_intake = metrics.refused.get(&ReasonLabel { reason }).map_or(0, |counter| counter.get());
            let count = by_intake + at_source(refusal);
            (count > 0).then_some((reason, count))
        });
        let refused_at_source: u64 = Refusal::ALL.into_iter().map(at_source).sum();
        MessageCounts {
            received: metrics.received.get() + refused_at_source,
            matched: metrics.matched.get(),
            unmatched: metrics.unmatched.get(),
            duplicate: metrics.duplicate.get(),
            conflict: metrics.conflict.get(),
            poison: metrics.poison.get(),
            refused: refused.collect(),
        }
    }

    /// Each count under its name, for a table.
    pub fn rows(&self) -> Vec<[String; 2]> {
        let MessageCounts { received, matched, unmatched, duplicate, conflict, poison, refused } = self;
        let counts = [
            ("received", received),
            ("matched", matched),
            ("unmatched", unmatched),
            ("duplicate", duplicate),
            ("conflict", conflict),
            ("poison", poison),
        ];
        let counts = counts.into_iter().map(|(name, count)| [name.to_owned(), count.to_string()]);
        counts.chain(refused.iter().map(|(reason, count)| [format!("refused: {reason}"), count.to_string()])).collect()
    }
}

/// The process answers.
pub(super) async fn healthy() -> Answer<Value> {
    Answer(json!({ "healthy": true }))
}

/// Messages can be accepted: the store takes a write. Everything else was loaded before the port was bound.
pub(super) async fn ready(State(api): State<ApiState>) -> Result<Answer<Value>, Problem> {
    api.store.check().await?;
    Ok(Answer(json!({ "ready": true })))
}

pub(super) async fn metrics(State(api): State<ApiState>) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    let bus = api.bus();
    let books = api.store.books().await?;
    let mut due = BTreeMap::new();
    for channel in books.keys() {
        due.extend(api.store.next_due(channel).await?.map(|due| (channel.clone(), due)));
    }
    let residents = api.channels.residents();
    let present = GaugeSnapshot {
        bus: &bus,
        books: &books,
        due: &due,
        residents: &residents,
        lists: &api.lists.cache().figures(),
        rules: api.knowledge.snapshot().sizes,
        now: clock::now(),
    };
    let text = api.metrics.encode(&present).map_err(|error| {
        tracing::error!(error = %error, "the metrics could not be written");
        Problem::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_metrics() {
        let metrics = Metrics::default();
        metrics.received.inc_by(3);
        metrics.matched.inc();
        metrics.refuse(Refusal::NotJson);
        metrics.refuse(Refusal::NotJson);
        let counts = MessageCounts::read(&metrics, &[]);
        assert_eq!((counts.received, counts.matched, counts.unmatched), (3, 1, 0));
        assert_eq!(counts.refused, BTreeMap::from([("not_json", 2)]));
    }
}
