//! A server on the loopback interface that answers like pkgdb2, Pagure and FASJSON, and fails for some names.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A running server, and its requests.
pub struct Server {
    pub url: String,
    seen: Requests,
}

/// Path with query, and `authorization` header, of each request.
type Requests = Arc<Mutex<Vec<(String, Option<String>)>>>;

impl Server {
    pub async fn start() -> Server {
        let seen = Requests::default();
        let routes = Router::new()
            .route("/api/package/{name}", get(pkgdb))
            .route("/api/0/{namespace}/{name}", get(project))
            .route("/api/0/{namespace}/{name}/watchers", get(watchers))
            .route("/v1/groups/{name}/members/", get(members))
            .with_state(seen.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Server { url, seen }
    }

    /// The paths with queries of all requests, in order.
    pub fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    /// The `authorization` header of the last request.
    pub fn authorization(&self) -> Option<String> {
        self.seen.lock().unwrap().last().unwrap().1.clone()
    }
}

/// A server that sends these bytes on each connection, and closes it.
pub async fn raw(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    url
}

type Seen = State<Requests>;

fn record(seen: &Seen, request: &Request) {
    let authorization = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    seen.lock().unwrap().push((request.uri().to_string(), authorization));
}

/// The failure that a name selects at any of the services.
async fn fault(name: &str) -> Option<Response> {
    let text = |body: &'static str| (StatusCode::OK, body).into_response();
    Some(match name {
        "slow" => {
            tokio::time::sleep(Duration::from_secs(15)).await;
            text("{}")
        }
        "broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "locked" => StatusCode::UNAUTHORIZED.into_response(),
        "html" => text("<html>Service temporarily unavailable</html>"),
        "cut" => text("{\"output\": \"ok\", \"packages\": ["),
        "wrong" => text("{\"output\": 7, \"access_users\": [], \"watchers\": null, \"result\": [\"ann\"]}"),
        "empty" => text(""),
        "huge" => {
            let chunks = (0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024 * 1024]));
            Response::new(Body::from_stream(futures::stream::iter(chunks)))
        }
        "away" => (StatusCode::FOUND, [(header::LOCATION, "http://localhost:1/elsewhere")]).into_response(),
        "circle" => (StatusCode::FOUND, [(header::LOCATION, "?page_size=1&page_number=1")]).into_response(),
        _ => return None,
    })
}

async fn pkgdb(seen: Seen, Path(name): Path<String>, request: Request) -> Response {
    record(&seen, &request);
    if let Some(fault) = fault(&name).await {
        return fault;
    }
    let acl = |who: &str, acl: &str, status: &str| json!({"fas_name": who, "acl": acl, "status": status});
    let listing = |status: &str, contact: &str, acls: Value| {
        json!({
            "acls": acls,
            "collection": {"branchname": "master", "dist_tag": ".fc22", "koji_name": "rawhide", "name": "Fedora",
                "status": status, "version": "devel"},
            "critpath": false,
            "package": {"acls": [], "creation_date": 1400070978.0, "description": "A terminal", "name": name,
                "review_url": null, "status": "Approved", "summary": "A terminal", "upstream_url": null},
            "point_of_contact": contact,
            "status": "Approved",
            "status_change": 1400071632.0
        })
    };
    let answer = match name.as_str() {
        "guake" => json!({"output": "ok", "packages": [
            listing("Under Development", "ann", json!([
                acl("ann", "commit", "Approved"), acl("ann", "watchcommits", "Approved"),
                acl("bob", "commit", "Awaiting Review"), acl("bob", "watchcommits", "Approved"),
                acl("group::shells", "commit", "Approved"), acl("eve", "commit", "Obsolete"),
                acl("cid", "watchbugzilla", "Approved"), acl("cid", "approveacls", "Approved"),
            ])),
            listing("Active", "orphan", json!([acl("dan", "commit", "Approved")])),
            listing("EOL", "old", json!([acl("older", "commit", "Approved")])),
        ]}),
        "refused" => json!({"output": "notok", "error": "The database is being moved", "page": 1}),
        _ => {
            let body = json!({"output": "notok", "error": "No package found by this name", "page": 1});
            return (StatusCode::NOT_FOUND, axum::Json(body)).into_response();
        }
    };
    axum::Json(answer).into_response()
}

fn no_project() -> Response {
    let body = json!({"error": "Project not found", "error_code": "ENOPROJECT"});
    (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
}

async fn project(seen: Seen, Path((namespace, name)): Path<(String, String)>, request: Request) -> Response {
    record(&seen, &request);
    if let Some(fault) = fault(&name).await {
        return fault;
    }
    if (namespace.as_str(), name.as_str()) != ("rpms", "guake") {
        return no_project();
    }
    axum::Json(json!({
        "access_groups": {"admin": ["admins"], "collaborator": ["helpers"], "commit": ["shells"], "ticket": ["triage"]},
        "access_users": {"admin": ["bob"], "collaborator": ["col"], "commit": ["dan"], "owner": ["ann"],
            "ticket": ["tim"]},
        "close_status": [], "custom_keys": [], "date_created": "1501867335", "date_modified": "1501867335",
        "description": "The guake package", "fullname": "rpms/guake", "full_url": "https://src.example/rpms/guake",
        "id": 12345, "milestones": {}, "name": "guake", "namespace": "rpms", "parent": null, "priorities": {},
        "tags": [], "url_path": "rpms/guake", "user": {"fullname": "Ann", "name": "ann", "url_path": "user/ann"}
    }))
    .into_response()
}

async fn watchers(seen: Seen, Path((_, name)): Path<(String, String)>, request: Request) -> Response {
    record(&seen, &request);
    if let Some(fault) = fault(&name).await {
        return fault;
    }
    if name != "guake" {
        return no_project();
    }
    let watchers = json!({"ann": ["issues", "commits"], "cid": ["commits"], "tim": ["issues"], "bob": []});
    axum::Json(json!({"total_watchers": 4, "watchers": watchers})).into_response()
}

#[derive(Deserialize)]
struct PageQuery {
    page_size: u32,
    page_number: u32,
}

/// `large`: 2,500 members. `loop`: every page is page 1 of 3. `endless`: there is always another page. `whole`: no
/// pages.
async fn members(seen: Seen, Path(name): Path<String>, Query(query): Query<PageQuery>, request: Request) -> Response {
    record(&seen, &request);
    if let Some(fault) = fault(&name).await {
        return fault;
    }
    let total = if name == "large" { 2500 } else { 3 };
    let (size, number) = (query.page_size, query.page_number);
    let from = (number - 1) * size;
    let result: Vec<Value> = (from..total.min(from + size))
        .map(|n| json!({"username": format!("user{n}"), "uri": format!("https://fasjson.example/v1/users/user{n}/")}))
        .collect();
    let mut page = json!({"total_results": total, "page_size": size, "page_number": number,
        "total_pages": total.div_ceil(size)});
    match name.as_str() {
        "large" | "shells" => {}
        "loop" => (page["page_number"], page["total_pages"]) = (1.into(), 3.into()),
        "endless" => page["total_pages"] = u32::MAX.into(),
        "whole" => return axum::Json(json!({"result": result})).into_response(),
        _ => {
            let body = json!({"message": "Group not found", "name": name});
            return (StatusCode::NOT_FOUND, axum::Json(body)).into_response();
        }
    }
    if page["page_number"].as_u64() < page["total_pages"].as_u64() {
        let next = format!("https://elsewhere.example/v1/groups/{name}/members/?page_number={}", number + 1);
        page["next_page"] = next.into();
    }
    axum::Json(json!({"result": result, "page": page})).into_response()
}
