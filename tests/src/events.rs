//! Server-Sent Events as a browser reads them (<https://html.spec.whatwg.org/#server-sent-events>), without its coming again by
//! itself.

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

/// How long the answer's head may take.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// A stream that is being read.
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
    /// Opens the stream behind that event. A status that is no success is an error with the problem's text.
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
        let response = timeout(HEAD_TIME, response).await.context("no answer")??;
        let status = response.status();
        if !status.is_success() {
            let text = response.into_body().collect().await?.to_bytes();
            anyhow::bail!("status {status}: {}", String::from_utf8_lossy(&text));
        }
        let kind = response.headers().get(header::CONTENT_TYPE);
        ensure!(kind.is_some_and(|kind| kind == "text/event-stream"), "it is no event stream: {kind:?}");
        Ok(StreamEvents { body: response.into_body(), text: String::new(), connection })
    }

    /// The next event, which comes within `limit`; none at the end of the stream.
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
                Some(Err(error)) => return Err(error).context("the stream broke"),
                Some(Ok(frame)) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    self.text += std::str::from_utf8(&bytes).context("no text")?;
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

/// None where the block is a sign of life only.
fn parse(block: &str) -> Result<Option<StreamEvent>> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
    let Some(data) = field("data:") else { return Ok(None) };
    let id = field("id:").context("an event without an id")?.parse().context("its id")?;
    Ok(Some(StreamEvent { id, data: data.to_owned() }))
}
