//! Attempts to reach what an address names and nobody granted. It asks in every way that the contract has; the answers
//! are returned as text.

use tidings_plugin::{http, net};

use crate::act::target;

/// More than the host follows.
const REDIRECTS: u8 = u8::MAX;

/// An HTTP request for that URL.
pub fn fetch(url: &str) -> String {
    told(&request(url, None))
}

/// A plain connection to `host:port`.
pub fn dial(place: &str) -> String {
    let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
    match net::connect(host, port.parse().unwrap_or(80), None) {
        Ok(_) => "connected".into(),
        Err(error) => format!("{error:?}"),
    }
}

/// A TLS connection to the configured host and port.
pub fn encrypted() -> String {
    let (host, port) = target();
    let options = net::TlsOptions { server_name: None, verification: net::Verification::None, identity: None };
    match net::connect(&host, port, Some(&options)) {
        Ok(_) => "connected".into(),
        Err(error) => format!("{error:?}"),
    }
}

/// A credential that was given to nobody, one that belongs to another host, and one as the identity in a handshake.
pub fn steal() -> String {
    let (host, port) = target();
    let url = format!("http://{host}:{port}/");
    let identity = Some("elsewhere".into());
    let options = net::TlsOptions { server_name: None, verification: net::Verification::None, identity };
    let shown = match net::connect(&host, port, Some(&options)) {
        Ok(_) => "connected".into(),
        Err(error) => format!("{error:?}"),
    };
    [told(&request(&url, Some("nobodys"))), told(&request(&url, Some("elsewhere"))), shown].join("; ")
}

fn request(url: &str, credential: Option<&str>) -> Result<http::Response, http::Error> {
    http::send(&http::Request {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new(),
        credential: credential.map(str::to_owned),
        redirects: REDIRECTS,
        timeout_ms: None,
    })
}

fn told(answer: &Result<http::Response, http::Error>) -> String {
    match answer {
        Ok(response) => format!("status {}, {} bytes", response.status, response.body.len()),
        Err(error) => format!("{error:?}"),
    }
}
