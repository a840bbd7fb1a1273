//! Attempts to reach hosts and to use credentials that were not granted, with every function of the contract that can. Each
//! function returns the result as text and must not panic.

use tidings_plugin::{http, net};

use crate::act::target;

/// More redirects than the host follows.
const REDIRECTS: u8 = u8::MAX;

/// Sends an HTTP request for a URL.
pub fn fetch(url: &str) -> String {
    result_text(&request(url, None))
}

/// Connects to `host:port` without TLS.
pub fn dial(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    match net::connect(host, port.parse().unwrap_or(80), None) {
        Ok(_) => "connected".into(),
        Err(error) => format!("{error:?}"),
    }
}

/// Connects to the configured host and port with TLS.
pub fn encrypted() -> String {
    let (host, port) = target();
    let options = net::TlsOptions { server_name: None, verification: net::Verification::None, identity: None };
    match net::connect(&host, port, Some(&options)) {
        Ok(_) => "connected".into(),
        Err(error) => format!("{error:?}"),
    }
}

/// Uses a credential that does not exist, one for another host, and one for another host as the identity in a handshake.
pub fn steal() -> String {
    let (host, port) = target();
    let url = format!("http://{host}:{port}/");
    let identity = Some("elsewhere".into());
    let options = net::TlsOptions { server_name: None, verification: net::Verification::None, identity };
    let handshake = match net::connect(&host, port, Some(&options)) {
        Ok(_) => "connected".into(),
        Err(error) => format!("{error:?}"),
    };
    let requests = ["nobodys", "elsewhere"].map(|credential| result_text(&request(&url, Some(credential))));
    [requests.join("; "), handshake].join("; ")
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

fn result_text(result: &Result<http::Response, http::Error>) -> String {
    match result {
        Ok(response) => format!("status {}, {} bytes", response.status, response.body.len()),
        Err(error) => format!("{error:?}"),
    }
}
