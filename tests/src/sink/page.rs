//! The page that shows mails and the queue. Its texts come from outside: templates must escape them, and the content security
//! policy allows only the script of the page.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

use super::mails::{Mail, Mailbox};
use super::watch::{SinkSnapshot, Watched};

/// How many mails the list shows, newest first.
const MAILS_SHOWN: usize = 200;
const POLICY: &str =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";

struct Page {
    mails: Mailbox,
    watched: Watched,
    templates: Environment<'static>,
}

/// One row of the list.
#[derive(Serialize)]
struct Row {
    number: u64,
    time: String,
    to: String,
    subject: String,
}

/// The values of the templates `page.html` and `live.html`.
#[derive(Serialize)]
struct Live {
    mails: Vec<Row>,
    count: u64,
    daemon: SinkSnapshot,
}

/// The values of the template `mail.html`.
#[derive(Serialize)]
struct Opened<'a> {
    row: Row,
    from: &'a str,
    headers: &'a [(String, String)],
    text: &'a str,
}

pub(super) fn router(mails: Mailbox, watched: Watched) -> Result<Router> {
    let mut templates = Environment::new();
    let files = [
        ("page.html", include_str!("page.html")),
        ("live.html", include_str!("live.html")),
        ("mail.html", include_str!("mail.html")),
    ];
    for (name, text) in files {
        templates.add_template(name, text).with_context(|| format!("the template {name}"))?;
    }
    let page = Arc::new(Page { mails, watched, templates });
    Ok(Router::new()
        .route("/", get(|State(page): State<Arc<Page>>| async move { page.live("page.html") }))
        .route("/live", get(|State(page): State<Arc<Page>>| async move { page.live("live.html") }))
        .route("/mail/{number}", get(mail))
        .route("/mail/{number}/raw", get(raw))
        .route("/page.css", get(|| async { text("text/css", include_str!("page.css")) }))
        .route("/page.js", get(|| async { text("text/javascript", include_str!("page.js")) }))
        .with_state(page))
}

impl Page {
    /// Renders the whole page, or the part that changes.
    fn live(&self, template: &str) -> Response {
        let mails = self.mails.all();
        let rows: Vec<Row> = mails.iter().rev().take(MAILS_SHOWN).map(|mail| row(mail)).collect();
        self.render(template, Live { mails: rows, count: self.mails.count(), daemon: self.watched.snapshot() })
    }

    fn render(&self, template: &str, values: impl Serialize) -> Response {
        let values = Value::from(Serde(&values));
        let rendered = self.templates.get_template(template).and_then(|template| template.render(values));
        match rendered {
            Ok(html) => ([(HeaderName::from_static("content-security-policy"), POLICY)], Html(html)).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

async fn mail(State(page): State<Arc<Page>>, Path(number): Path<u64>) -> Response {
    let Some(mail) = page.mails.get(number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    page.render("mail.html", Opened { row: row(&mail), from: &mail.from, headers: &mail.headers, text: &mail.text })
}

async fn raw(State(page): State<Arc<Page>>, Path(number): Path<u64>) -> Response {
    match page.mails.get(number) {
        Some(mail) => text("text/plain; charset=utf-8", mail.raw.clone()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn text(kind: &'static str, body: impl IntoResponse) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, body).into_response()
}

fn row(mail: &Mail) -> Row {
    let second = mail.received_at % 86_400;
    let time = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    Row { number: mail.number, time, to: mail.recipients.join(", "), subject: mail.subject.clone() }
}
