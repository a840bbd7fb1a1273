//! Routes about access lists.

use std::collections::BTreeSet;

use tidings_api_types as types;
use tidings_domain::acl::{AclTable, Holders};

use super::operation::{NOT_FOUND, Operation, operation};
use super::{Route, delete, get, post, put};
use crate::api::access_lists;

pub(super) fn access_list_routes() -> Vec<Route> {
    let mut routes = vec![
        get(
            "/api/v1/access-lists",
            access_lists::overview,
            operation("The providers of access lists").returns::<types::AccessListsInfo>(200, "The providers"),
        ),
        post("/api/v1/access-lists", access_lists::add, written("Writes rows of the table").takes::<AclTable>()).slow(),
        put("/api/v1/access-lists", access_lists::replace, written("Replaces the table").takes::<AclTable>()).slow(),
    ];
    routes.extend(package_routes());
    routes.extend(group_routes());
    routes
}

fn package_routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/access-lists/packages",
            access_lists::packages,
            operation("Packages of the table")
                .query::<types::TableQuery>()
                .lists::<types::PackageInfo>("A page of packages"),
        ),
        get(
            "/api/v1/access-lists/packages/{name}",
            access_lists::package,
            operation("The holders of a package, as matching uses them")
                .returns::<Holders>(200, "The holders")
                .fails([NOT_FOUND, 502]),
        )
        .slow(),
        put(
            "/api/v1/access-lists/packages/{name}",
            access_lists::put_package,
            written("Writes a package of the table").takes::<Holders>(),
        ),
        delete(
            "/api/v1/access-lists/packages/{name}",
            access_lists::delete_package,
            removed("Removes a package from the table"),
        ),
        post(
            "/api/v1/access-lists/packages/{name}/refresh",
            access_lists::refresh_package,
            refreshed("Fetches a package's list again"),
        )
        .by_key(),
    ]
}

fn group_routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/access-lists/groups",
            access_lists::groups,
            operation("Groups of the table").query::<types::TableQuery>().lists::<types::GroupInfo>("A page of groups"),
        ),
        get(
            "/api/v1/access-lists/groups/{name}",
            access_lists::group,
            operation("The members of a group, as matching uses them")
                .returns::<BTreeSet<String>>(200, "The members")
                .fails([NOT_FOUND, 502]),
        )
        .slow(),
        put(
            "/api/v1/access-lists/groups/{name}",
            access_lists::put_group,
            written("Writes a group of the table").takes::<Vec<String>>(),
        ),
        delete(
            "/api/v1/access-lists/groups/{name}",
            access_lists::delete_group,
            removed("Removes a group from the table"),
        ),
        post(
            "/api/v1/access-lists/groups/{name}/refresh",
            access_lists::refresh_group,
            refreshed("Fetches a group's list again"),
        )
        .by_key(),
    ]
}

fn written(summary: &'static str) -> Operation {
    operation(summary).returns::<types::AccessListsWritten>(200, "What was written")
}

fn removed(summary: &'static str) -> Operation {
    operation(summary).returns_nothing().fails([NOT_FOUND])
}

fn refreshed(summary: &'static str) -> Operation {
    operation(summary).returns_nothing()
}
