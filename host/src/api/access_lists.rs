//! Access lists over HTTP: the lists that matching uses, the table in the store, and refreshes. The configuration decides
//! where lists come from; the table is used if it says `store`.

use std::collections::BTreeSet;

use crate::api::limits;
use axum::Json as Answer;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use tidings_acl::{Figures, View};
use tidings_api_types::{
    AccessListsInUse, AccessListsInfo, AccessListsWritten, FieldError, GroupInfo, ListPage, PackageInfo, ProviderInfo,
    TableQuery,
};
use tidings_domain::acl::{Acl as _, AclTable, Holders, Key};
use tidings_domain::text::one_line;

use super::deliveries::{page, rows};
use super::extract::{self, Json, Path, Query};
use super::middleware::guard::RequestClass;
use super::{ApiState, Problem};
use crate::access_lists::RequiredLists;
use crate::clock;

pub(super) async fn overview(State(api): State<ApiState>) -> Answer<AccessListsInfo> {
    let Figures { packages, groups, .. } = api.lists.cache().figures();
    let source = |figures: tidings_acl::ListFigures| ProviderInfo {
        provider: figures.provider.to_owned(),
        in_memory: figures.entries,
        being_fetched: figures.in_flight,
        requests: figures.loads.iter().map(|(_, count)| count).sum(),
        stale_served: figures.stale_served,
        breaker: figures.breaker.as_str().to_owned(),
    };
    Answer(AccessListsInfo { packages: source(packages), groups: source(groups) })
}

/// Writes what the body has; the rest of the table stays.
pub(super) async fn add(State(api): State<ApiState>, request: Request) -> Result<Answer<AccessListsWritten>, Problem> {
    let table = table(request).await?;
    check_names(&table)?;
    api.store.put_access_lists(&table, clock::now()).await?;
    written(&api, &table).await
}

/// Puts the body in the place of the whole table.
pub(super) async fn replace(
    State(api): State<ApiState>,
    request: Request,
) -> Result<Answer<AccessListsWritten>, Problem> {
    let table = table(request).await?;
    check_names(&table)?;
    api.store.replace_access_lists(&table, clock::now()).await?;
    written(&api, &table).await
}

async fn table(request: Request) -> Result<AclTable, Problem> {
    let body = extract::body(request, limits::ACCESS_LISTS_BYTES, RequestClass::Slow).await?;
    extract::large_object(&body)
}

fn check_names(table: &AclTable) -> Result<(), Problem> {
    let unnamed = |path: &str| FieldError::new(path, "a name is empty");
    let packages = table.packages.contains_key("").then(|| unnamed("packages"));
    let groups = table.groups.contains_key("").then(|| unnamed("groups"));
    let errors: Vec<FieldError> = packages.into_iter().chain(groups).collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid("the access lists are invalid", errors)) }
}

/// What was written is in force before the answer.
async fn written(api: &ApiState, table: &AclTable) -> Result<Answer<AccessListsWritten>, Problem> {
    api.knowledge.catch_up().await?;
    let Figures { packages, groups, .. } = api.lists.cache().figures();
    let in_use = AccessListsInUse { packages: packages.provider == "store", groups: groups.provider == "store" };
    Ok(Answer(AccessListsWritten { packages: table.packages.len(), groups: table.groups.len(), in_use }))
}

pub(super) async fn packages(
    State(api): State<ApiState>,
    Query(query): Query<TableQuery>,
) -> Result<Answer<ListPage<PackageInfo>>, Problem> {
    let limit = rows(query.limit)?;
    let table = api.store.packages(query.after.as_deref(), limit as u32 + 1).await?;
    let read = table.into_iter().map(|row| Ok(PackageInfo { name: row.name.clone(), holders: row.read()? }));
    let data: Vec<PackageInfo> = read.collect::<Result<_, Problem>>()?;
    Ok(Answer(page(data, limit, |row| row.name.clone())))
}

pub(super) async fn groups(
    State(api): State<ApiState>,
    Query(query): Query<TableQuery>,
) -> Result<Answer<ListPage<GroupInfo>>, Problem> {
    let limit = rows(query.limit)?;
    let table = api.store.groups(query.after.as_deref(), limit as u32 + 1).await?;
    let read = table.into_iter().map(|row| Ok(GroupInfo { name: row.name.clone(), members: row.read()? }));
    let data: Vec<GroupInfo> = read.collect::<Result<_, Problem>>()?;
    Ok(Answer(page(data, limit, |row| row.name.clone())))
}

/// The holders as matching is told, from wherever they come.
pub(super) async fn package(State(api): State<ApiState>, Path(name): Path<String>) -> Result<Answer<Holders>, Problem> {
    let view = known(api.lists.view(&RequiredLists::package(&name)).await)?;
    view.holders(&name).cloned().map(Answer).ok_or_else(|| missing("package", &name))
}

/// The members as matching is told, from wherever they come.
pub(super) async fn group(
    State(api): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Answer<BTreeSet<String>>, Problem> {
    let view = known(api.lists.view(&RequiredLists::group(&name)).await)?;
    view.members(&name).cloned().map(Answer).ok_or_else(|| missing("group", &name))
}

/// Fails if a service does not answer: that is not the same as a package without holders.
fn known(view: View) -> Result<View, Problem> {
    match view.missing().first() {
        None => Ok(view),
        Some(missing) => Err(Problem::new(StatusCode::BAD_GATEWAY, format!("the list is unknown: {}", missing.reason))),
    }
}

pub(super) async fn put_package(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(holders): Json<Holders>,
) -> Result<Answer<AccessListsWritten>, Problem> {
    let table = AclTable { packages: [(name, holders)].into(), ..AclTable::default() };
    api.store.put_access_lists(&table, clock::now()).await?;
    written(&api, &table).await
}

pub(super) async fn put_group(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(members): Json<BTreeSet<String>>,
) -> Result<Answer<AccessListsWritten>, Problem> {
    let table = AclTable { groups: [(name, members)].into(), ..AclTable::default() };
    api.store.put_access_lists(&table, clock::now()).await?;
    written(&api, &table).await
}

pub(super) async fn delete_package(
    State(api): State<ApiState>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    deleted(&api, api.store.delete_package(&name, clock::now()).await?, "package", &name).await
}

pub(super) async fn delete_group(State(api): State<ApiState>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    deleted(&api, api.store.delete_group(&name, clock::now()).await?, "group", &name).await
}

async fn deleted(api: &ApiState, was_there: bool, what: &str, name: &str) -> Result<StatusCode, Problem> {
    api.knowledge.catch_up().await?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(missing(what, name)) }
}

/// The next message about the package waits for a fresh answer of its provider.
pub(super) async fn refresh_package(State(api): State<ApiState>, Path(name): Path<String>) -> StatusCode {
    api.lists.refresh(Key::Package(name));
    StatusCode::NO_CONTENT
}

pub(super) async fn refresh_group(State(api): State<ApiState>, Path(name): Path<String>) -> StatusCode {
    api.lists.refresh(Key::Group(name));
    StatusCode::NO_CONTENT
}

fn missing(what: &str, name: &str) -> Problem {
    Problem::missing(what, &one_line(name, 100))
}
