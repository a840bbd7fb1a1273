//! The API as its document describes it: schemathesis, a foreign client, makes requests from the served OpenAPI document and
//! judges the answers. No request may end in a 5xx, each answer must have a documented status, type, headers and shape,
//! what violates the document must be refused, and nothing may be reached without a token.

use std::process::Stdio;
use std::time::Duration;

use tidings_tests::paths;
use tidings_tests::scene::Scene;
use tokio::process::Command;
use tokio::time::timeout;

/// Examples for each operation.
const EXAMPLES: &str = "10";
/// The whole run.
const RUN_TIME: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_server_error_and_no_violation_of_the_document() {
    let scene = Scene::set().await.unwrap();
    let url = format!("http://{}", scene.client.address());
    let run = Command::new(paths::root().join("target/venv/bin/schemathesis"))
        .arg("run")
        .arg(format!("{url}/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {}", scene.token)])
        // An event stream does not end.
        .args(["--exclude-path", "/stream/{token}/events"])
        // Rules that a schema does not express (which rules exist, that a host is a host) refuse valid documents.
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--generation-database", "none", "--no-color"])
        .current_dir(scene.dir.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = timeout(RUN_TIME, run).await.expect("it ends in time");
    let run = run.expect("schemathesis starts; `cargo xtask setup` installs it");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let log = std::fs::read_to_string(scene.home.log()).unwrap();
    let changes: Vec<&str> =
        log.lines().filter(|line| line.contains("method=") || line.contains("\"method\"")).collect();
    assert!(!changes.is_empty() && changes.iter().all(|line| line.contains("request_id")), "each has its request's id");
    scene.daemon.terminate().await.unwrap();
}
