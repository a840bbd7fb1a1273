//! Sets up channels and subscriptions over the API: installs a component, creates the channel, configures, grants and
//! enables it. It waits for nothing but the answers.

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

/// Creates and enables a channel of that name, from a component file.
pub async fn install(client: &TestClient, name: &str, file: &Path, config: &Value, grants: &Value) -> Result<()> {
    let component = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let component = client.install(component).await?.digest;
    let channel = format!("/api/v1/channels/{name}");
    client.put(&channel, &PutChannelRequest { component }).await?;
    client.put(&format!("{channel}/config"), config).await?;
    client.put(&format!("{channel}/grants"), grants).await?;
    switch(client, name, true).await
}

/// Creates and enables a channel of that name that runs the plugin `email`, with a mail server on loopback, without TLS.
pub async fn install_email(client: &TestClient, name: &str, smtp: SocketAddr) -> Result<()> {
    install(client, name, &paths::plugin("email")?, &email_config(smtp), &loopback(smtp)).await
}

/// The configuration of the plugin `email` for a mail server without TLS.
pub fn email_config(smtp: SocketAddr) -> Value {
    json!({
        "host": smtp.ip().to_string(),
        "port": smtp.port().to_string(),
        "tls": "none",
        "from": "notifications@tidings.example",
    })
}

/// The grants that let a plugin connect to one port of this machine.
pub fn loopback(address: SocketAddr) -> Value {
    let (host, port) = (address.ip().to_string(), address.port());
    json!({"reach": [{"capability": "net", "host": host, "port": port, "private": true}]})
}

/// Enables or disables a channel; returns when the daemon has done so.
pub async fn switch(client: &TestClient, name: &str, on: bool) -> Result<()> {
    let action = if on { "enable" } else { "disable" };
    client.post(&format!("/api/v1/channels/{name}/{action}"), Bytes::new()).await.map(drop)
}

/// Stores a subscription; its fields `user` and `channel` are required.
pub async fn subscribe(client: &TestClient, subscription: &impl Serialize) -> Result<()> {
    let request = SubscriptionRequest::deserialize(serde_json::to_value(subscription)?).context("a subscription")?;
    let (user, channel) = (request.user.as_deref(), request.channel.as_deref());
    let (user, channel) = user.zip(channel).context("a subscription names its user and channel")?;
    client.put(&format!("/api/v1/subscriptions/{user}/{channel}"), &request).await.map(drop)
}
