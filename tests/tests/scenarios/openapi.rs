//! The API and its document: the independent client schemathesis generates requests from the served OpenAPI document and
//! checks the responses. No response may be a 5xx. Each must have a documented status, type, headers and schema. Requests
//! that violate the document and requests without a token must be refused.

use std::process::Stdio;
use std::time::Duration;

use tidings_tests::harness::Harness;
use tidings_tests::paths;
use tokio::process::Command;
use tokio::time::timeout;

/// The number of examples for each operation.
const EXAMPLES: &str = "10";
/// The time limit of the run.
const RUN_TIME: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_server_error_and_no_violation_of_the_document() {
    let harness = Harness::start().await.unwrap();
    let url = format!("http://{}", harness.client.address());
    let run = Command::new(paths::root().join("target/venv/bin/schemathesis"))
        .arg("run")
        .arg(format!("{url}/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {}", harness.token)])
        // The response of an event stream does not end.
        .args(["--exclude-path", "/stream/{token}/events"])
        // The daemon refuses requests that are valid for the schema, for example with an unknown rule or an invalid host.
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--generation-database", "none", "--no-color"])
        .current_dir(harness.dir.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let run = timeout(RUN_TIME, run).await.expect("schemathesis ends in time");
    let run = run.expect("schemathesis starts; `cargo xtask setup` installs it");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let log = std::fs::read_to_string(harness.home.log()).unwrap();
    let changes: Vec<&str> =
        log.lines().filter(|line| line.contains("method=") || line.contains("\"method\"")).collect();
    assert!(
        !changes.is_empty() && changes.iter().all(|line| line.contains("request_id")),
        "each line has the id of its request"
    );
    harness.daemon.terminate().await.unwrap();
}
