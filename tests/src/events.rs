//! A client of Server-Sent Events (<https://html.spec.whatwg.org/#server-sent-events>). Unlike a browser, it must not
//! reconnect by itself.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The time limit from the request to the header of the response.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// An open stream.
pub struct StreamEvents {
    body: Incoming,
    text: String,
    connection: JoinHandle<hyper::Result<()>>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEvent {
    pub id: u64,
    pub data: String,
}

impl StreamEvents {
    /// Opens the stream after the event `last`. Fails with the text of the response if the status is not a success.
    pub async fn follow(address: SocketAddr, path: &str, last: Option<u64>) -> Result<StreamEvents> {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .uri(path)
            .header(header::HOST, address.to_string())
            .header(header::ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?);
        let response = timeout(HEAD_TIME, response).await.context("no response in time")??;
        let status = response.status();
        if !status.is_success() {
            let text = response.into_body().collect().await?.to_bytes();
            anyhow::bail!("status {status}: {}", String::from_utf8_lossy(&text));
        }
        let kind = response.headers().get(header::CONTENT_TYPE);
        ensure!(kind.is_some_and(|kind| kind == "text/event-stream"), "the response is not an event stream: {kind:?}");
        Ok(StreamEvents { body: response.into_body(), text: String::new(), connection })
    }

    /// Waits for the next event; `None` at the end of the stream. Fails after `limit`.
    pub async fn next(&mut self, limit: Duration) -> Result<Option<StreamEvent>> {
        timeout(limit, self.read()).await.with_context(|| format!("no event within {limit:?}"))?
    }

    async fn read(&mut self) -> Result<Option<StreamEvent>> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = parse(block)?;
                self.text = rest.to_owned();
                if let Some(event) = event {
                    return Ok(Some(event));
                }
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(error).context("reading the stream"),
                Some(Ok(frame)) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    self.text += std::str::from_utf8(&bytes).context("the stream is not UTF-8")?;
                }
            }
        }
    }
}

impl Drop for StreamEvents {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Parses a block; `None` for a block without data, which only keeps the connection open.
fn parse(block: &str) -> Result<Option<StreamEvent>> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
    let Some(data) = field("data:") else { return Ok(None) };
    let id = field("id:").context("an event without an id")?.parse().context("its id")?;
    Ok(Some(StreamEvent { id, data: data.to_owned() }))
}
