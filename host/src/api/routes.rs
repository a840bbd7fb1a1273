//! The table of routes. The router is built from it and nothing else, so what it says of a route (that it needs a token)
//! holds for every one of them.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};

use super::guard::{self, RequestClass};
use super::{
    ApiState, access_lists, channels, components, confirm, deliveries, rules, status, stream, subscriptions,
    unsubscribe, versions,
};

/// One method of one path.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) pace: RequestClass,
    pub(super) handler: MethodRouter<ApiState>,
}

impl Route {
    /// The handler within its bounds.
    pub(super) fn guarded(self) -> MethodRouter<ApiState> {
        guard::limited(format!("{} {}", self.method, self.path), self.pace.limit(), self.handler)
    }
}

/// Open to everybody who can connect.
pub(super) fn public() -> Vec<Route> {
    vec![
        get("/-/healthy", status::healthy),
        get("/-/ready", status::ready),
        get("/metrics", status::metrics),
        get("/unsubscribe/{token}", unsubscribe::ask),
        post("/unsubscribe/{token}", unsubscribe::act),
        get("/confirm/{token}", confirm::question::<true>),
        post("/confirm/{token}", confirm::answer::<true>),
        get("/reject/{token}", confirm::question::<false>),
        post("/reject/{token}", confirm::answer::<false>),
        get("/stream/{token}", stream::page),
        get("/stream/{token}/events", stream::events),
        get("/stream.js", stream::script),
        get("/stream.css", stream::style),
    ]
}

/// For bearers of a token.
pub(super) fn protected() -> Vec<Route> {
    vec![
        get("/api/v1/status", status::status),
        get("/api/v1/books", deliveries::books),
        get("/api/v1/deliveries", deliveries::list),
        post("/api/v1/deliveries/retry", deliveries::retry),
        get("/api/v1/components", components::list),
        slow(post("/api/v1/components", components::install)),
        delete("/api/v1/components/{digest}", components::remove),
        get("/api/v1/channels", channels::list),
        get("/api/v1/channels/{name}", channels::view),
        slow(put("/api/v1/channels/{name}", channels::put)),
        delete("/api/v1/channels/{name}", channels::remove),
        slow(put("/api/v1/channels/{name}/config", channels::configure)),
        slow(put("/api/v1/channels/{name}/grants", channels::grant)),
        slow(put("/api/v1/channels/{name}/limits", channels::limit)),
        slow(post("/api/v1/channels/{name}/enable", channels::enable)),
        slow(post("/api/v1/channels/{name}/disable", channels::disable)),
        slow(post("/api/v1/channels/{name}/test-send", channels::test_send)),
        slow(post("/api/v1/channels/{name}/upgrade", versions::upgrade)),
        slow(post("/api/v1/channels/{name}/rollback", versions::roll_back)),
        slow(post("/api/v1/channels/{name}/release", versions::release)),
        put("/api/v1/channels/{name}/policy", versions::set_policy),
        get("/api/v1/channels/{name}/versions", versions::versions),
        get("/api/v1/channels/{name}/events", versions::events),
        get("/api/v1/channels/{name}/log", versions::log),
        get("/api/v1/subscriptions", subscriptions::list),
        get("/api/v1/subscriptions/{user}/{channel}", subscriptions::view),
        slow(put("/api/v1/subscriptions/{user}/{channel}", subscriptions::put)),
        delete("/api/v1/subscriptions/{user}/{channel}", subscriptions::delete),
        slow(post("/api/v1/subscriptions/{user}/{channel}/confirmations", confirm::ask)),
        get("/api/v1/subscriptions/{user}/{channel}/streams", stream::links),
        get("/api/v1/access-lists", access_lists::overview),
        slow(post("/api/v1/access-lists", access_lists::add)),
        slow(put("/api/v1/access-lists", access_lists::replace)),
        get("/api/v1/access-lists/packages", access_lists::packages),
        slow(get("/api/v1/access-lists/packages/{name}", access_lists::package)),
        put("/api/v1/access-lists/packages/{name}", access_lists::put_package),
        delete("/api/v1/access-lists/packages/{name}", access_lists::delete_package),
        post("/api/v1/access-lists/packages/{name}/refresh", access_lists::refresh_package),
        get("/api/v1/access-lists/groups", access_lists::groups),
        slow(get("/api/v1/access-lists/groups/{name}", access_lists::group)),
        put("/api/v1/access-lists/groups/{name}", access_lists::put_group),
        delete("/api/v1/access-lists/groups/{name}", access_lists::delete_group),
        post("/api/v1/access-lists/groups/{name}/refresh", access_lists::refresh_group),
        get("/api/v1/rules", rules::list),
        get("/api/v1/rules/{name}", rules::view),
    ]
}

fn get<T: 'static>(path: &'static str, handler: impl Handler<T, ApiState>) -> Route {
    Route { method: Method::GET, path, pace: RequestClass::Quick, handler: routing::get(handler) }
}

fn post<T: 'static>(path: &'static str, handler: impl Handler<T, ApiState>) -> Route {
    Route { method: Method::POST, path, pace: RequestClass::Quick, handler: routing::post(handler) }
}

fn put<T: 'static>(path: &'static str, handler: impl Handler<T, ApiState>) -> Route {
    Route { method: Method::PUT, path, pace: RequestClass::Quick, handler: routing::put(handler) }
}

fn delete<T: 'static>(path: &'static str, handler: impl Handler<T, ApiState>) -> Route {
    Route { method: Method::DELETE, path, pace: RequestClass::Quick, handler: routing::delete(handler) }
}

fn slow(route: Route) -> Route {
    Route { pace: RequestClass::Slow, ..route }
}
