//! Channels that speak HTTP, each against a server that speaks their protocol and fails as the far side does (rows 39, 40):
//! what arrives there, under which ids, and what the daemon makes of each answer.

mod android;
mod matrix;
mod ntfy;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;
use tidings_api_types::TestSendResult;

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tidings_tests::paths;
use tidings_tests::scene::Scene;
use tidings_tests::web::{Reply, WebFault};

/// A date in the form of `Retry-After` that is always ahead.
const FAR_DATE: &str = "Fri, 31 Dec 9999 23:59:59 GMT";

fn plugin(name: &str) -> PathBuf {
    paths::plugin(name).unwrap()
}

/// Leave to speak HTTP without TLS to one port of this machine, with these credentials.
fn grants(address: SocketAddr, credentials: Value) -> Value {
    let (host, port) = (address.ip().to_string(), address.port());
    let reach = json!({"capability": "http", "host": host, "port": port, "private": true, "plain_http": true});
    json!({"reach": [reach], "credentials": credentials})
}

/// The header `authorization: Bearer TOKEN`, known to the plugin as `token`.
fn bearer(address: SocketAddr, token: &str) -> Value {
    let host = address.ip().to_string();
    json!([{"name": "token", "header": "authorization", "value": format!("Bearer {token}"), "host": host}])
}

/// What came of a message sent outside the queue: its outcome, and the wait in seconds that went with it.
async fn test_send(scene: &Scene, channel: &str, address: &str) -> (String, Option<u64>) {
    let body = json!({"address": address}).to_string();
    let path = format!("/api/v1/channels/{channel}/test-send");
    let answer = scene.client.send(Method::POST, &path, Bytes::from(body)).await.unwrap();
    let result: TestSendResult = serde_json::from_slice(&answer.success().unwrap()).unwrap();
    (result.outcome.as_str().to_owned(), result.retry_after_seconds)
}

fn say(status: u16) -> WebFault {
    WebFault::Say(Reply::status(status))
}

fn wait_for(status: u16, retry_after: &str) -> WebFault {
    WebFault::Say(Reply::status(status).with("retry-after", retry_after))
}
