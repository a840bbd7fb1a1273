//! Setting up a channel over the API: install a component, create the channel, configure, grant, enable.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::TestClient;
use crate::paths;

/// A channel of that name from a component file, enabled.
pub async fn install(client: &TestClient, name: &str, file: &Path, config: &Value, grants: &Value) -> Result<()> {
    let component = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let answer: Value = serde_json::from_slice(&client.post("/api/v1/components", component).await?)?;
    let digest = answer["digest"].as_str().with_context(|| format!("no digest in {answer}"))?;
    let channel = format!("/api/v1/channels/{name}");
    client.put(&channel, &json!({"component": digest})).await?;
    client.put(&format!("{channel}/config"), config).await?;
    client.put(&format!("{channel}/grants"), grants).await?;
    switch(client, name, true).await
}

/// The channel `email`, delivering to a mail server on loopback in the clear.
pub async fn install_email(client: &TestClient, smtp: SocketAddr) -> Result<()> {
    let config = json!({
        "host": smtp.ip().to_string(),
        "port": smtp.port().to_string(),
        "tls": "none",
        "from": "notifications@tidings.example",
    });
    install(client, "email", &paths::plugin("email")?, &config, &loopback(smtp)).await
}

/// The right to connect to one port of this machine.
pub fn loopback(address: SocketAddr) -> Value {
    let (host, port) = (address.ip().to_string(), address.port());
    json!({"reach": [{"capability": "net", "host": host, "port": port, "private": true}]})
}

/// Enables or disables a channel; when it returns, the daemon has done it.
pub async fn switch(client: &TestClient, name: &str, on: bool) -> Result<()> {
    let word = if on { "enable" } else { "disable" };
    client.post(&format!("/api/v1/channels/{name}/{word}"), Bytes::new()).await.map(drop)
}

/// Stores a subscription (its own `user` and `channel` say whose).
pub async fn subscribe(client: &TestClient, subscription: &Value) -> Result<()> {
    let name = |key: &str| subscription[key].as_str().with_context(|| format!("no {key} in {subscription}"));
    client.put(&format!("/api/v1/subscriptions/{}/{}", name("user")?, name("channel")?), subscription).await.map(drop)
}
