//! A fake package database on loopback with the JSON format of pkgdb2. It can hold back responses, fail, and count requests.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A running server. Dropping it stops the server.
pub struct PkgdbServer {
    pub url: String,
    shared: SharedPackages,
    task: tokio::task::JoinHandle<()>,
}

type SharedPackages = Arc<watch::Sender<Packages>>;

/// The content of the database, and its faults and requests.
#[derive(Default)]
struct Packages {
    contacts: BTreeMap<String, String>,
    held: BTreeSet<String>,
    down: bool,
    requests: BTreeMap<String, usize>,
}

impl PkgdbServer {
    /// Starts a server without packages.
    pub async fn start() -> Result<PkgdbServer> {
        let shared = SharedPackages::default();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .context("a port for the package database")?;
        let url = format!("http://{}/api", listener.local_addr()?);
        let router = Router::new().route("/api/package/{name}", get(package)).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // It runs until the task is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(PkgdbServer { url, shared, task })
    }

    /// Sets the point of contact of a package.
    pub fn contact(&self, package: &str, user: &str) {
        self.shared.send_modify(|packages| _ = packages.contacts.insert(package.into(), user.into()));
    }

    /// Holds back the responses about a package until [`PkgdbServer::release`].
    pub fn hold(&self, package: &str) {
        self.shared.send_modify(|packages| _ = packages.held.insert(package.into()));
    }

    pub fn release(&self, package: &str) {
        self.shared.send_modify(|packages| _ = packages.held.remove(package));
    }

    /// Sets whether each response is an error.
    pub fn down(&self, down: bool) {
        self.shared.send_modify(|packages| packages.down = down);
    }

    /// Counts the requests about a package.
    pub fn requests(&self, package: &str) -> usize {
        self.shared.borrow().requests.get(package).copied().unwrap_or(0)
    }
}

impl Drop for PkgdbServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn package(State(shared): State<SharedPackages>, Path(name): Path<String>) -> Response {
    shared.send_modify(|packages| *packages.requests.entry(name.clone()).or_default() += 1);
    let mut packages = shared.subscribe();
    let Ok(packages) = packages.wait_for(|packages| packages.down || !packages.held.contains(&name)).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if packages.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Some(contact) = packages.contacts.get(&name) else {
        let body = json!({"output": "notok", "error": "No package found by this name", "page": 1});
        return (StatusCode::NOT_FOUND, Json(body)).into_response();
    };
    let listing = json!({
        "acls": [{"fas_name": contact, "acl": "commit", "status": "Approved"}],
        "collection": {"branchname": "master", "name": "Fedora", "status": "Under Development", "version": "devel"},
        "package": {"name": name, "status": "Approved"},
        "point_of_contact": contact,
        "status": "Approved",
    });
    Json(json!({"output": "ok", "packages": [listing]})).into_response()
}
