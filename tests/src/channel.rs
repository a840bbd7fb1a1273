//! Setting up a channel over the API: install a component, create the channel, configure, grant, enable.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};
use tidings_api_types::{PutChannelRequest, SubscriptionRequest};

use crate::client::TestClient;
use crate::paths;

/// A channel of that name from a component file, enabled.
pub async fn install(client: &TestClient, name: &str, file: &Path, config: &Value, grants: &Value) -> Result<()> {
    let component = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let component = client.install(component).await?.digest;
    let channel = format!("/api/v1/channels/{name}");
    client.put(&channel, &PutChannelRequest { component }).await?;
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
pub async fn subscribe(client: &TestClient, subscription: &impl Serialize) -> Result<()> {
    let request = SubscriptionRequest::deserialize(serde_json::to_value(subscription)?).context("a subscription")?;
    let (user, channel) = (request.user.as_deref(), request.channel.as_deref());
    let (user, channel) = user.zip(channel).context("a subscription names its user and channel")?;
    client.put(&format!("/api/v1/subscriptions/{user}/{channel}"), &request).await.map(drop)
}
