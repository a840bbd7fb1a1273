//! The API as its clients see it: the whole router, with a real store below it.

mod access;
mod access_lists;
mod administration;
mod components;
mod grants;
mod preconditions;
mod problems;
mod repeated;
mod subscribing;

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tidings_sandbox::{Compiler, Sandbox, SandboxOptions};
use tidings_store::{Change, Mode};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::access_lists::AccessLists;
use crate::channels::{Channels, Environment, PluginHost};
use crate::clock;
use crate::config::{Config, DataDir};
use crate::dispatch::DispatchSettings;
use crate::fetch::{Fetcher, InstallConfig};
use crate::link_signer::LinkSigner;
use crate::matching_state::MatchingState;
use crate::streams::Streams;
use crate::telemetry::Metrics;
use crate::trust::{Trust, TrustConfig};

/// The API over an empty store.
struct Stand {
    router: Router,
    state: ApiState,
    token: String,
    dir: TempDir,
}

/// What came back.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The rows of a list.
    fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("the body is text")
    }

    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("it is text"))
    }

    /// The paths of the invalid fields in a problem document.
    fn paths(&self) -> Vec<String> {
        let document = self.json();
        let errors = document["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["path"].as_str().expect("each has a place").to_owned()).collect()
    }
}

impl Stand {
    async fn new() -> Stand {
        Stand::trusting(&TrustConfig::default()).await
    }

    async fn trusting(trust: &TrustConfig) -> Stand {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut config = Config { data_dir: DataDir(dir.path().to_owned()), ..Config::default() };
        config.api.public_url = Some("https://tell.example.org".into());
        let store = tidings_store::open(&config.data_dir.database(), Mode::Daemon).await.expect("a new database");
        let metrics = Arc::new(Metrics::default());
        let lists = Arc::new(AccessLists::open(&config.acl, store.clone()).expect("the table of the store"));
        let changed = Arc::clone(&lists);
        let changed = move |change: &Change| changed.apply(change);
        let knowledge = MatchingState::load(&config, store.clone(), store.clone(), Arc::clone(&metrics), changed).await;
        let knowledge = Arc::new(knowledge.expect("the embedded catalogue is valid"));
        let links = Arc::new(LinkSigner::open(&config).expect("a key"));
        let sandbox = SandboxOptions {
            cache_dir: config.data_dir.cache(),
            tls_ca_file: None,
            max_instances: 2,
            compiler: Compiler::InProcess,
        };
        let streams = Streams::default();
        let channels = Channels::new(Environment {
            store: Arc::clone(&store),
            sandbox: Sandbox::new(sandbox).expect("the engine starts"),
            trust: Arc::new(Trust::new(trust).expect("keys")),
            host: Arc::new(PluginHost::new(Arc::clone(&store), Arc::clone(&knowledge), streams.clone())),
            links: Arc::clone(&links),
            matching: Arc::clone(&knowledge),
            wakers: Arc::default(),
            metrics: Arc::clone(&metrics),
            dispatch: DispatchSettings::from(&config.dispatch),
        });
        let install =
            InstallConfig { hosts: vec!["127.0.0.1".into()], plain_http: vec!["127.0.0.1".into()], private: false };
        let fetcher = Arc::new(Fetcher::new(&install, None).expect("a client"));
        let (endpoints, stopping) = (Vec::new(), CancellationToken::new());
        let requests_per_second = config.api.requests_per_second;
        let state = ApiState {
            store,
            channels,
            fetcher,
            knowledge,
            lists,
            links,
            metrics,
            streams,
            endpoints,
            requests_per_second,
            stopping,
        };
        let new = new_token("test", clock::now(), None);
        state.store.put_token(&new.record).await.expect("the token is stored");
        Stand { router: router(state.clone()), state, token: new.text.expose().clone(), dir }
    }

    /// A request by the holder of the token.
    async fn ask(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        self.ask_as(Some(&self.token), method, path, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Body::empty()).await
    }

    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, path, body.to_string()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, body.to_string()).await
    }

    /// A request with more headers.
    async fn ask_with(&self, headers: &[(&str, &str)], method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        read(self.router.clone().oneshot(request).await.expect("the router always answers")).await
    }

    async fn ask_as(&self, token: Option<&str>, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(body.into()).expect("a request");
        read(self.router.clone().oneshot(request).await.expect("the router always answers")).await
    }
}

async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("the whole body").to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// The mail plugin, where it was built.
fn email_component() -> Option<Vec<u8>> {
    component("email")
}

/// A plugin, where it was built.
fn component(name: &str) -> Option<Vec<u8>> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../target/plugins/{name}.wasm"));
    let component = std::fs::read(&file).ok();
    if component.is_none() {
        eprintln!("skipped: {} is absent; `cargo xtask build-plugins` makes it", file.display());
    }
    component
}
