//! Access lists over HTTP: what matching is told of a package or group, the table in the store, and requests to ask a service
//! again. Where lists come from is the configuration's word; the table counts where that says `store`.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::limits;
use axum::Json as Answer;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_acl::{Figures, View};
use tidings_domain::acl::{Acl as _, AclTable, Holders, Key};
use tidings_domain::text::one_line;

use super::deliveries::rows;
use super::guard::RequestClass;
use super::read::{self, Json, Path, Query};
use super::{ApiState, Problem};
use crate::access_lists::RequiredLists;
use crate::clock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    after: Option<String>,
    limit: Option<usize>,
}

/// What was written, and whether it has any effect.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Written {
    packages: usize,
    groups: usize,
    /// The configuration takes these from the table.
    in_use: InUse,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct InUse {
    packages: bool,
    groups: bool,
}

/// Where lists come from and how many are in memory.
#[derive(Serialize)]
pub(super) struct Overview {
    packages: Source,
    groups: Source,
}

#[derive(Serialize)]
struct Source {
    provider: &'static str,
    in_memory: u64,
    being_fetched: usize,
    requests: u64,
    stale_served: u64,
    breaker: &'static str,
}

/// A name with what belongs to it.
type Page<T> = BTreeMap<String, T>;

pub(super) async fn overview(State(api): State<ApiState>) -> Answer<Overview> {
    let Figures { packages, groups, .. } = api.lists.cache().figures();
    let source = |figures: tidings_acl::ListFigures| Source {
        provider: figures.provider,
        in_memory: figures.entries,
        being_fetched: figures.in_flight,
        requests: figures.loads.iter().map(|(_, count)| count).sum(),
        stale_served: figures.stale_served,
        breaker: figures.breaker.as_str(),
    };
    Answer(Overview { packages: source(packages), groups: source(groups) })
}

/// Writes what the body has; the rest of the table stays.
pub(super) async fn add(State(api): State<ApiState>, request: Request) -> Result<Answer<Written>, Problem> {
    let table = table(request).await?;
    api.store.put_access_lists(&table, clock::now()).await?;
    written(&api, &table).await
}

/// Puts the body in the place of the whole table.
pub(super) async fn replace(State(api): State<ApiState>, request: Request) -> Result<Answer<Written>, Problem> {
    let table = table(request).await?;
    api.store.replace_access_lists(&table, clock::now()).await?;
    written(&api, &table).await
}

async fn table(request: Request) -> Result<AclTable, Problem> {
    let body = read::body(request, limits::ACCESS_LISTS_BYTES, RequestClass::Slow).await?;
    read::json(&body)
}

/// What was written is in force before the answer.
async fn written(api: &ApiState, table: &AclTable) -> Result<Answer<Written>, Problem> {
    api.knowledge.catch_up().await?;
    let Figures { packages, groups, .. } = api.lists.cache().figures();
    let in_use = InUse { packages: packages.provider == "store", groups: groups.provider == "store" };
    Ok(Answer(Written { packages: table.packages.len(), groups: table.groups.len(), in_use }))
}

pub(super) async fn packages(
    State(api): State<ApiState>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<Holders>>, Problem> {
    let page = api.store.packages(query.after.as_deref(), rows(query.limit)? as u32).await?;
    let read = page.into_iter().map(|row| Ok((row.name.clone(), row.read()?)));
    Ok(Answer(read.collect::<Result<_, Problem>>()?))
}

pub(super) async fn groups(
    State(api): State<ApiState>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<BTreeSet<String>>>, Problem> {
    let page = api.store.groups(query.after.as_deref(), rows(query.limit)? as u32).await?;
    let read = page.into_iter().map(|row| Ok((row.name.clone(), row.read()?)));
    Ok(Answer(read.collect::<Result<_, Problem>>()?))
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

/// A service that does not answer is not the same as a package that nobody holds.
fn known(view: View) -> Result<View, Problem> {
    match view.missing().first() {
        None => Ok(view),
        Some(missing) => {
            Err(Problem::new(StatusCode::BAD_GATEWAY, format!("nothing is known of it: {}", missing.reason)))
        }
    }
}

pub(super) async fn put_package(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(holders): Json<Holders>,
) -> Result<Answer<Written>, Problem> {
    let table = AclTable { packages: [(name, holders)].into(), ..AclTable::default() };
    api.store.put_access_lists(&table, clock::now()).await?;
    written(&api, &table).await
}

pub(super) async fn put_group(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    Json(members): Json<BTreeSet<String>>,
) -> Result<Answer<Written>, Problem> {
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
