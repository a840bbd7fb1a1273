//! The table of routes. The router and the OpenAPI document are both built from it, so what a row tells of a route (that
//! it needs a token, what it takes and answers) holds for both.

mod access_lists;
mod channels;
mod components;
mod deliveries;
mod operation;
mod public;
mod schema;
mod subscriptions;

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};
use tidings_api_types::StatusInfo;

use super::middleware::guard::{self, RequestClass};
use super::state::ApiState;
use super::status;

pub(super) use operation::{BEARER, Operation};
pub(super) use public::public;

/// One method of one path.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) class: RequestClass,
    pub(super) handler: MethodRouter<ApiState>,
    pub(super) operation: Operation,
    /// A repeated request with the same `Idempotency-Key` gets the first answer.
    pub(super) idempotent_by_key: bool,
}

impl Route {
    /// The handler within its limits.
    pub(super) fn guarded(self) -> MethodRouter<ApiState> {
        guard::limited(format!("{} {}", self.method, self.path), self.class.limit(), self.handler)
    }

    /// The request carries a component or runs a plugin.
    fn slow(mut self) -> Route {
        self.class = RequestClass::Slow;
        self
    }

    /// The request may be repeated with an `Idempotency-Key`.
    fn by_key(mut self) -> Route {
        self.idempotent_by_key = true;
        self.operation = self.operation.idempotent_by_key();
        self
    }
}

/// Routes for bearers of a token.
pub(super) fn protected() -> Vec<Route> {
    let mut routes = vec![get(
        "/api/v1/status",
        status::status,
        operation::operation("The state of the daemon").returns::<StatusInfo>(200, "The state"),
    )];
    routes.extend(deliveries::delivery_routes());
    routes.extend(components::component_routes());
    routes.extend(channels::channel_routes());
    routes.extend(channels::version_routes());
    routes.extend(subscriptions::subscription_routes());
    routes.extend(access_lists::access_list_routes());
    routes.extend(subscriptions::rule_routes());
    routes
}

fn get<T: 'static>(path: &'static str, handler: impl Handler<T, ApiState>, operation: Operation) -> Route {
    route(Method::GET, path, routing::get(handler), operation)
}

fn post<T: 'static>(path: &'static str, handler: impl Handler<T, ApiState>, operation: Operation) -> Route {
    route(Method::POST, path, routing::post(handler), operation)
}

fn put<T: 'static>(path: &'static str, handler: impl Handler<T, ApiState>, operation: Operation) -> Route {
    route(Method::PUT, path, routing::put(handler), operation)
}

fn delete<T: 'static>(path: &'static str, handler: impl Handler<T, ApiState>, operation: Operation) -> Route {
    route(Method::DELETE, path, routing::delete(handler), operation)
}

fn route(method: Method, path: &'static str, handler: MethodRouter<ApiState>, operation: Operation) -> Route {
    Route { method, path, class: RequestClass::Quick, handler, operation, idempotent_by_key: false }
}
