//! Routes without a token: health, metrics, the OpenAPI document, and pages that links lead to.

use tidings_api_types as types;

use super::operation::{NOT_FOUND, operation};
use super::{Route, get, post};
use crate::api::{confirmations, status, stream, unsubscribe};

/// Routes without a token.
pub(in crate::api) fn public() -> Vec<Route> {
    let page = |summary| operation(summary).returns_text("text/html", "A page").fails([NOT_FOUND]);
    vec![
        get(
            "/-/healthy",
            status::healthy,
            operation("Whether the process answers").returns::<types::Health>(200, "Yes"),
        ),
        get(
            "/-/ready",
            status::ready,
            operation("Whether the store accepts writes").returns::<types::Readiness>(200, "Yes"),
        ),
        get(
            "/metrics",
            status::metrics,
            operation("Metrics for Prometheus").returns_text("application/openmetrics-text", "OpenMetrics"),
        ),
        get(
            "/openapi.json",
            status::openapi,
            operation("This document").returns_text("application/json", "OpenAPI 3.1"),
        ),
        get("/unsubscribe/{token}", unsubscribe::ask, page("Shows a button that unsubscribes an address")),
        post(
            "/unsubscribe/{token}",
            unsubscribe::act,
            page("Unsubscribes an address (RFC 8058)").takes_bytes("application/x-www-form-urlencoded"),
        ),
        get("/confirm/{token}", confirmations::question::<true>, page("Shows a button that confirms an address")),
        post("/confirm/{token}", confirmations::answer::<true>, page("Confirms an address")),
        get("/reject/{token}", confirmations::question::<false>, page("Shows a button that rejects an address")),
        post("/reject/{token}", confirmations::answer::<false>, page("Rejects an address")),
        get("/stream/{token}", stream::page, page("Shows an event stream")),
        get(
            "/stream/{token}/events",
            stream::events,
            operation("An event stream, as Server-Sent Events")
                .query::<stream::EventsQuery>()
                .returns_text("text/event-stream", "Events")
                .fails([NOT_FOUND]),
        ),
        get(
            "/stream.js",
            stream::script,
            operation("The script of the page of an event stream").returns_text("text/javascript", "The script"),
        ),
        get(
            "/stream.css",
            stream::style,
            operation("The style of the page of an event stream").returns_text("text/css", "The style"),
        ),
    ]
}
