//! Channels with HTTP, each with a fake server of its protocol that fails on request (rows 39, 40): the requests and their
//! ids, and the outcome of each response.

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
use tidings_tests::harness::Harness;
use tidings_tests::paths;
use tidings_tests::web::{Reply, WebFault};

/// A date for `Retry-After` that is always in the future.
const FAR_DATE: &str = "Fri, 31 Dec 9999 23:59:59 GMT";

fn plugin(name: &str) -> PathBuf {
    paths::plugin(name).unwrap()
}

/// Grants for HTTP without TLS to one port of this machine, with these credentials.
fn grants(address: SocketAddr, credentials: Value) -> Value {
    let (host, port) = (address.ip().to_string(), address.port());
    let reach = json!({"capability": "http", "host": host, "port": port, "private": true, "plain_http": true});
    json!({"reach": [reach], "credentials": credentials})
}

/// A credential with the name `token` and the header `authorization: Bearer TOKEN`.
fn bearer(address: SocketAddr, token: &str) -> Value {
    let host = address.ip().to_string();
    json!([{"name": "token", "header": "authorization", "value": format!("Bearer {token}"), "host": host}])
}

/// Sends a test message; returns its outcome and the wait in seconds.
async fn test_send(harness: &Harness, channel: &str, address: &str) -> (String, Option<u64>) {
    let body = json!({"address": address}).to_string();
    let path = format!("/api/v1/channels/{channel}/test-send");
    let answer = harness.client.send(Method::POST, &path, Bytes::from(body)).await.unwrap();
    let result: TestSendResult = serde_json::from_slice(&answer.success().unwrap()).unwrap();
    (result.outcome.as_str().to_owned(), result.retry_after_seconds)
}

fn respond(status: u16) -> WebFault {
    WebFault::Respond(Reply::status(status))
}

fn respond_retry_after(status: u16, retry_after: &str) -> WebFault {
    WebFault::Respond(Reply::status(status).with("retry-after", retry_after))
}
