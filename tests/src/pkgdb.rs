//! A package database on loopback, in pkgdb2's JSON form: it holds back answers, fails, and counts who asks.

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

/// A running service. Dropping it ends it.
pub struct PkgdbServer {
    pub url: String,
    book: Book,
    task: tokio::task::JoinHandle<()>,
}

type Book = Arc<watch::Sender<Pages>>;

/// What it answers, and what it was asked.
#[derive(Default)]
struct Pages {
    contacts: BTreeMap<String, String>,
    held: BTreeSet<String>,
    down: bool,
    asked: BTreeMap<String, usize>,
}

impl PkgdbServer {
    /// It knows no package yet.
    pub async fn start() -> Result<PkgdbServer> {
        let book = Book::default();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.context("a port")?;
        let url = format!("http://{}/api", listener.local_addr()?);
        let router = Router::new().route("/api/package/{name}", get(package)).with_state(Arc::clone(&book));
        let task = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(PkgdbServer { url, book, task })
    }

    /// From now on the package's point of contact is this one.
    pub fn contact(&self, package: &str, user: &str) {
        self.book.send_modify(|pages| _ = pages.contacts.insert(package.into(), user.into()));
    }

    /// Keeps back every answer about the package until [`PkgdbServer::release`].
    pub fn hold(&self, package: &str) {
        self.book.send_modify(|pages| _ = pages.held.insert(package.into()));
    }

    pub fn release(&self, package: &str) {
        self.book.send_modify(|pages| _ = pages.held.remove(package));
    }

    /// Whether it answers everything with an error.
    pub fn down(&self, down: bool) {
        self.book.send_modify(|pages| pages.down = down);
    }

    /// How often it was asked about the package.
    pub fn asked(&self, package: &str) -> usize {
        self.book.borrow().asked.get(package).copied().unwrap_or(0)
    }
}

impl Drop for PkgdbServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn package(State(book): State<Book>, Path(name): Path<String>) -> Response {
    book.send_modify(|pages| *pages.asked.entry(name.clone()).or_default() += 1);
    let mut pages = book.subscribe();
    let Ok(pages) = pages.wait_for(|pages| pages.down || !pages.held.contains(&name)).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if pages.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Some(contact) = pages.contacts.get(&name) else {
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
