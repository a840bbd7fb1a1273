//! One HTTP/1.1 exchange over a connection of its own, with limits on the reply.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tidings_domain::grant::Permit;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use super::{Egress, NetworkError, TlsMode};
use crate::limits;

/// A permitted request: `permit` is for the host and port of `url`.
pub(crate) struct HttpRequest<'a> {
    pub permit: &'a Permit,
    pub url: &'a Url,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpReply {
    pub status: u16,
    /// Names in lower case; bytes of values that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Egress {
    /// Sends one request and reads the whole reply. The caller bounds the time.
    pub(crate) async fn http(&self, request: HttpRequest<'_>) -> Result<HttpReply, NetworkError> {
        let stream = self.connect(request.permit, limits::CONNECT_TIMEOUT).await?;
        if request.url.scheme() == "https" {
            let host = request.permit.host().as_str();
            let stream = self.encrypt(stream, host, TlsMode::Https, None, limits::NETWORK_TIMEOUT_MAX).await?;
            self.exchange(stream, request).await
        } else {
            self.exchange(stream, request).await
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: HttpRequest<'_>,
    ) -> Result<HttpReply, NetworkError> {
        let mut builder = http1::Builder::new();
        builder.max_headers(limits::HTTP_HEADERS).max_buf_size(limits::HTTP_HEADER_BYTES);
        let handshake = builder.handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.classify_http(&error))?;
        let request = build(request)?;
        let exchange = async {
            let reply = sender.send_request(request).await.map_err(|error| self.classify_http(&error))?;
            self.read(reply).await
        };
        drive(Box::pin(connection), Box::pin(exchange)).await
    }

    async fn read(&self, reply: Response<Incoming>) -> Result<HttpReply, NetworkError> {
        let (parts, body) = reply.into_parts();
        let body = Limited::new(body, limits::HTTP_RESPONSE_BYTES).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => self.classify_http(&error),
            Err(error) if error.is::<LengthLimitError>() => {
                NetworkError::Limit(format!("a response of more than {} bytes", limits::HTTP_RESPONSE_BYTES))
            }
            Err(error) => NetworkError::Failed(error.to_string()),
        })?;
        let header = |(name, value): (&hyper::header::HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let headers = parts.headers.iter().map(header).collect();
        Ok(HttpReply { status: parts.status.as_u16(), headers, body: body.to_bytes().to_vec() })
    }

    /// hyper wraps the connection's errors; the innermost one names the cause.
    fn classify_http(&self, error: &hyper::Error) -> NetworkError {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                return self.classify(io);
            }
            source = cause.source();
        }
        NetworkError::Failed(error.to_string())
    }
}

/// Drives the connection together with the exchange, in this task, so that both end with the call.
async fn drive<T>(
    mut connection: Pin<Box<impl Future<Output = hyper::Result<()>>>>,
    mut exchange: Pin<Box<impl Future<Output = T>>>,
) -> T {
    tokio::select! {
        biased;
        done = &mut exchange => done,
        // The exchange itself returns how the connection ended.
        _ = &mut connection => exchange.await,
    }
}

fn build(request: HttpRequest<'_>) -> Result<Request<Full<Bytes>>, NetworkError> {
    let url = request.url;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let authority = match (url.host_str().unwrap_or_default(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let invalid = |what: &str| NetworkError::Failed(format!("the request has no valid {what}"));
    let mut built = Request::new(Full::new(request.body));
    *built.method_mut() = request.method;
    *built.uri_mut() = target.parse().map_err(|_| invalid("target"))?;
    *built.headers_mut() = request.headers;
    let headers = built.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&authority).map_err(|_| invalid("host"))?);
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("tidings/", env!("CARGO_PKG_VERSION"))));
    Ok(built)
}
