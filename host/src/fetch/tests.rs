//! Fetching from a server on loopback that has files and redirects, and implements the OCI distribution protocol, with the
//! ways in which it can be wrong.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

const FILE: &[u8] = b"\0asm a component";

struct Server {
    /// `127.0.0.1:port`.
    place: String,
}

impl Server {
    async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let place = listener.local_addr().expect("it is bound").to_string();
        let far = format!("http://localhost:{}/file.wasm", place.rsplit(':').next().expect("a port"));
        let router = Router::new()
            .route("/file.wasm", get(|| async { FILE }))
            .route("/signed.wasm", get(|| async { FILE }))
            .route("/signed.wasm.minisig", get(|| async { "untrusted comment: x" }))
            .route("/long-signature.wasm", get(|| async { FILE }))
            .route("/long-signature.wasm.minisig", get(|| async { "x".repeat(5000) }))
            .route("/private.wasm", get(|| async { FILE }))
            .route("/private.wasm.minisig", get(|| async { StatusCode::FORBIDDEN }))
            .route("/busy.wasm", get(|| async { FILE }))
            .route("/busy.wasm.minisig", get(|| async { StatusCode::TOO_MANY_REQUESTS }))
            .route("/slow.wasm", get(std::future::pending::<&str>))
            .route("/huge", get(|| async { vec![0_u8; tidings_domain::limits::COMPONENT_BYTES + 1] }))
            .route("/huge-unsaid", get(unsaid))
            .route("/near", get(|| async { Redirect::to("/file.wasm") }))
            .route("/far", get(move || async move { Redirect::to(&far) }))
            .route("/metadata", get(|| async { Redirect::to("https://169.254.169.254/latest") }))
            .route("/round", get(|| async { Redirect::to("/round") }))
            .route("/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
            .route("/token", get(token))
            .route("/v2/{*rest}", get(registry))
            .with_state(Arc::from(place.as_str()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Server { place }
    }

    fn fetcher(&self) -> Fetcher {
        let hosts = vec!["127.0.0.1".to_owned()];
        let config = InstallConfig { private: false, plain_http: hosts.clone(), hosts };
        Fetcher::new(&config, None).expect("a client")
    }

    async fn file(&self, path: &str) -> Result<Fetched, FetchError> {
        let url = Url::parse(&format!("http://{}{path}", self.place)).expect("a URL");
        self.fetcher().fetch(&ComponentSource::Url { url, sha256: digest(FILE) }).await
    }

    async fn artifact(&self, name: &str) -> Result<Fetched, FetchError> {
        let reference = format!("{}/{name}", self.place).parse().expect("a reference");
        self.fetcher().fetch(&ComponentSource::Oci(reference)).await
    }
}

/// More than a component may have, without a length in front.
async fn unsaid() -> impl IntoResponse {
    let chunk = bytes::Bytes::from(vec![0_u8; 1 << 20]);
    let chunks = futures::stream::iter((0..65).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    axum::body::Body::from_stream(chunks)
}

async fn token(Query(asked): Query<std::collections::BTreeMap<String, String>>) -> Response {
    let known_service = asked.get("service").is_some_and(|service| service == "registry.test");
    match asked.get("scope").map(String::as_str) {
        Some("repository:us/email:pull") if known_service => {
            axum::Json(json!({ "token": "let-me-in" })).into_response()
        }
        _ => axum::Json(json!({ "details": "no" })).into_response(),
    }
}

fn manifest(media: &str, digest: &ComponentDigest, size: usize) -> String {
    let layer = json!({ "mediaType": media, "digest": format!("sha256:{digest}"), "size": size });
    json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [layer] })
        .to_string()
}

fn good_manifest() -> String {
    manifest("application/wasm", &digest(FILE), FILE.len())
}

/// `us/email` asks for a token; the others are public, each with its fault.
async fn registry(State(place): State<Arc<str>>, Path(rest): Path<String>, headers: HeaderMap) -> Response {
    let Some((name, _)) = rest.split_once("/manifests/").or_else(|| rest.split_once("/blobs/")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let authorized = headers.get(header::AUTHORIZATION).is_some_and(|token| token == "Bearer let-me-in");
    let challenge = |scope: &str| {
        let wanted = format!("Bearer realm=\"http://{place}/token\",service=\"registry.test\",scope=\"{scope}\"");
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, wanted)]).into_response()
    };
    match name {
        "us/email" if !authorized => return challenge("repository:us/email:pull"),
        "us/closed" => return challenge("repository:us/closed:pull"),
        "us/basic" => return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic")]).into_response(),
        _ => {}
    }
    if rest.contains("/blobs/") {
        return if name == "us/swapped" {
            "another file".into_response()
        } else {
            Redirect::to("/file.wasm").into_response()
        };
    }
    match name {
        "us/old" => manifest("application/vnd.wasm.content.layer.v1+wasm", &digest(FILE), FILE.len()),
        "us/picture" => manifest("image/png", &digest(FILE), FILE.len()),
        "us/huge" => manifest("application/wasm", &digest(FILE), tidings_domain::limits::COMPONENT_BYTES + 1),
        "us/text" => "hello".to_owned(),
        "us/none" => return StatusCode::NOT_FOUND.into_response(),
        _ => good_manifest(),
    }
    .into_response()
}

#[tokio::test]
async fn a_file_comes_with_its_digest_and_its_signature() {
    let server = Server::start().await;
    for (path, signature) in [
        ("/file.wasm", None),
        ("/near", None),
        ("/private.wasm", None),
        ("/signed.wasm", Some("untrusted comment: x")),
        ("/signed.wasm?key=canary", Some("untrusted comment: x")),
    ] {
        let fetched = server.file(path).await.expect(path);
        assert_eq!((&fetched.file[..], fetched.signature.as_deref()), (FILE, signature), "{path}");
        let place = path.split('?').next().expect("a path");
        assert_eq!(fetched.from, format!("http://{}{place}#sha256={}", server.place, digest(FILE)), "without a key");
    }
}

#[tokio::test]
async fn anything_but_the_file_that_was_asked_for_is_refused() {
    let server = Server::start().await;
    for (path, expected) in [
        ("/signed.wasm.minisig", "it is another file"),
        ("/huge", "is larger than 67108864 bytes"),
        ("/huge-unsaid", "is larger than 67108864 bytes"),
        ("/long-signature.wasm", "is larger than 4096 bytes"),
        ("/busy.wasm", "answered with status 429"),
        ("/nothing", "answered with status 404"),
        ("/broken", "answered with status 500"),
        ("/round", "redirects too often"),
        ("/far", "localhost: asked without TLS"),
        ("/metadata", "169.254.169.254 leads to 169.254.169.254 (the cloud's metadata service)"),
    ] {
        let error = server.file(path).await.expect_err(path).to_string();
        assert!(error.contains(expected), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_does_not_come_in_time_is_given_up() {
    let server = Server::start().await;
    let fetcher = Fetcher { within: Duration::from_millis(50), ..server.fetcher() };
    let url = Url::parse(&format!("http://{}/slow.wasm", server.place)).expect("a URL");
    let error = fetcher.fetch(&ComponentSource::Url { url, sha256: digest(FILE) }).await.expect_err("it is too slow");
    assert!(matches!(error, FetchError::Late { .. }) && error.is_elsewhere(), "{error}");
}

#[tokio::test]
async fn a_name_with_a_local_address_is_refused_when_it_is_resolved() {
    let server = Server::start().await;
    let config = InstallConfig { plain_http: vec!["localhost".into(), "127.0.0.1".into()], ..InstallConfig::default() };
    let port = server.place.rsplit(':').next().expect("a port");
    for (private, url) in [
        (false, format!("http://localhost:{port}/file.wasm")),
        (false, format!("http://127.0.0.1:{port}/file.wasm")),
        (true, format!("http://localhost:{port}/file.wasm")),
    ] {
        let fetcher = Fetcher::new(&InstallConfig { private, ..config.clone() }, None).expect("a client");
        let source = ComponentSource::Url { url: Url::parse(&url).expect("a URL"), sha256: digest(FILE) };
        match fetcher.fetch(&source).await {
            Ok(_) => assert!(private, "{url}"),
            Err(error) => {
                assert!(!private && error.to_string().contains("(loopback)"), "{url}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn an_artifact_comes_from_a_registry_by_tag_or_digest_with_a_token_where_it_asks_for_one() {
    let server = Server::start().await;
    let resolved = digest(good_manifest().as_bytes());
    for name in ["us/email:1.0", &format!("us/email@sha256:{resolved}"), "us/open"] {
        let fetched = server.artifact(name).await.expect(name);
        assert_eq!(&fetched.file[..], FILE, "{name}");
        let expected = format!(
            "oci://{}/{}@sha256:{resolved}",
            server.place,
            &name[..name.find([':', '@']).unwrap_or(name.len())]
        );
        assert_eq!(fetched.from, expected, "the source names the digest that it resolved to");
    }
    assert_eq!(&server.artifact("us/old:1").await.expect("an older type").file[..], FILE);
}

#[tokio::test]
async fn an_invalid_answer_of_a_registry_is_refused_with_the_reason() {
    let server = Server::start().await;
    let other = digest(b"another manifest");
    for (name, expected) in [
        (&*format!("us/email@sha256:{other}"), "it is another file"),
        ("us/swapped", "it is another file"),
        ("us/picture", "does not have exactly one layer of the type application/wasm"),
        ("us/huge", "is larger than 67108864 bytes"),
        ("us/text", "its manifest cannot be read"),
        ("us/none", "answered with status 404"),
        ("us/closed", "its token service gave no token"),
        ("us/basic", "it asks for an authentication other than by token"),
    ] {
        let error = server.artifact(name).await.expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}
