//! The OpenAPI document of the API, generated from the table of routes and the types of requests and responses. Served at
//! `/openapi.json` and committed as `docs/openapi.json`.

use std::collections::BTreeMap;

use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths};

use super::routes::{self, Route};

/// The document of the API as text.
pub(super) fn document_text() -> String {
    text(&document())
}

/// Indented JSON with sorted keys, so that a change shows as a small difference.
fn text(document: &OpenApi) -> String {
    let value = serde_json::to_value(document).unwrap_or_default();
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

fn document() -> OpenApi {
    let (mut paths, mut schemas) = (Paths::new(), BTreeMap::new());
    let described = routes::public().into_iter().map(|route| (route, false));
    for (route, protected) in described.chain(routes::protected().into_iter().map(|route| (route, true))) {
        let Route { method, path, operation, .. } = route;
        let (operation, used) = operation.build(operation_id(method.as_str(), path), path, protected);
        paths.add_path_operation(path, vec![http_method(&method)], operation);
        schemas.extend(used);
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("tid_<id>_<secret>");
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(routes::BEARER, SecurityScheme::Http(bearer.build()));
    let info = InfoBuilder::new()
        .title("Tidings")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Times are milliseconds since 1970-01-01 UTC. Failures are problem documents (RFC 9457)."));
    OpenApiBuilder::new().info(info.build()).paths(paths).components(Some(components.build())).build()
}

/// `get_channels_name_log`: unique, and the same as long as the route is.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(['/', '{', '}', '-', '.']).filter(|word| !matches!(*word, "" | "api" | "v1"));
    std::iter::once(method.to_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

fn http_method(method: &axum::http::Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openapi_document_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let expected = text(&document());
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == expected,
            "run `UPDATE_OPENAPI=1 cargo test -p tidings openapi` and commit docs/openapi.json"
        );
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document = serde_json::to_value(document()).unwrap();
        let mut described: Vec<String> = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            described
                .extend(item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
        }
        let routes = routes::public().into_iter().chain(routes::protected());
        let mut routed: Vec<String> = routes.map(|route| format!("{} {}", route.method, route.path)).collect();
        described.sort();
        routed.sort();
        assert_eq!(described, routed);
    }

    #[test]
    fn every_reference_of_the_document_leads_to_a_schema() {
        let document = serde_json::to_value(document()).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
    }

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let document = serde_json::to_value(document()).unwrap();
        let items = document["paths"].as_object().unwrap().values();
        let ids: Vec<&str> = items
            .flat_map(|item| item.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            .collect();
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
    }
}
