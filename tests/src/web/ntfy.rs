//! A fake ntfy server, after its documentation: `POST /` with a JSON message, access tokens, and the limits of a message and
//! its JSON. It must not use code of the channel.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use serde_json::{Value, json};

use super::{RecordedRequest, Reply, WebServer, lock};

/// The longest text of a message, in bytes; the JSON may have twice as many.
const MESSAGE_BYTES: usize = 4096;

/// The running server.
pub struct Ntfy {
    pub web: WebServer,
    published: Arc<Mutex<Vec<Value>>>,
}

impl Ntfy {
    /// Starts a server that requires this access token. The topic `reserved` belongs to another user.
    pub async fn start(token: &str) -> Result<Ntfy> {
        let published = Arc::new(Mutex::new(Vec::new()));
        let (kept, wanted) = (published.clone(), format!("Bearer {token}"));
        let web = WebServer::start(move |request| publish(request, &wanted, &kept)).await?;
        Ok(Ntfy { web, published })
    }

    /// The published messages, in order.
    pub fn published(&self) -> Vec<Value> {
        lock(&self.published).clone()
    }
}

fn publish(request: &RecordedRequest, authorization: &str, published: &Mutex<Vec<Value>>) -> Reply {
    if request.method != "POST" || request.target != "/" {
        return error(404, 40401, "page not found");
    }
    if request.header("authorization") != authorization {
        return error(401, 40101, "unauthorized");
    }
    if request.body.len() > 2 * MESSAGE_BYTES {
        return error(413, 41303, "JSON body too large");
    }
    let message = request.json();
    let topic = message["topic"].as_str().unwrap_or_default();
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if topic.is_empty() || topic.len() > 64 || !topic.chars().all(named) {
        return error(400, 40009, "invalid request: topic invalid");
    }
    if topic == "reserved" {
        return error(403, 40301, "forbidden");
    }
    let text = message["message"].as_str().unwrap_or_default();
    if text.len() > MESSAGE_BYTES {
        return error(400, 40014, "invalid request: attachments not allowed");
    }
    if !message["priority"].as_u64().is_none_or(|priority| (1..=5).contains(&priority)) {
        return error(400, 40007, "invalid priority parameter");
    }
    let mut published = lock(published);
    published.push(message.clone());
    Reply::json(200, &json!({"id": format!("msg{}", published.len()), "event": "message", "topic": topic}))
}

/// An error in the format of ntfy.
pub fn error(status: u16, code: u32, text: &str) -> Reply {
    let link = "https://ntfy.sh/docs/publish/";
    Reply::json(status, &json!({"code": code, "http": status, "error": text, "link": link}))
}
