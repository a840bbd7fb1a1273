//! Routes about components.

use tidings_api_types as types;

use super::operation::{CONFLICT, NOT_FOUND, operation};
use super::{Route, delete, get, post};
use crate::api::components;

pub(super) fn component_routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/components",
            components::list,
            operation("Installed components").lists::<types::ComponentDetails>("All components"),
        ),
        post(
            "/api/v1/components",
            components::install,
            operation("Installs a component: the file itself, or JSON with its source")
                .query::<types::InstallQuery>()
                .takes::<types::InstallRequest>()
                .takes_bytes("application/wasm")
                .returns::<types::ComponentDetails>(201, "The component")
                .fails([403, CONFLICT, 502]),
        )
        .slow(),
        delete(
            "/api/v1/components/{digest}",
            components::remove,
            operation("Removes a component that no channel needs").returns_nothing().fails([NOT_FOUND, CONFLICT]),
        ),
    ]
}
