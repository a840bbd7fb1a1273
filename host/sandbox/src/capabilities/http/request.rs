//! A plugin's HTTP request: what makes it valid, and which request follows a redirect. It sends nothing.

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, header};
use tidings_domain::grant::Permit;
use tidings_domain::text::one_line;
use url::Url;

use crate::credentials::AuthHeader;
use crate::limits;
use crate::network::{HttpError, HttpReply, HttpRequest};

/// A request as the plugin makes it.
pub(crate) struct PluginHttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The name of a granted credential.
    pub credential: Option<String>,
    pub redirects: u8,
    pub timeout_ms: Option<u32>,
}

/// Headers that the host writes, or that concern one connection only. A plugin that could set them could smuggle a
/// second request.
const HOST_HEADERS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that identify the sender. They are not sent to another origin.
const IDENTITY_HEADERS: &[HeaderName] = &[header::AUTHORIZATION, header::COOKIE];

/// One request of a chain of redirects.
pub(super) struct RequestHop {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    credential: Option<String>,
}

impl RequestHop {
    /// The plugin's own request. Refuses CONNECT, which is not a request, and TRACE, since a server that echoes the
    /// request would reveal the credential to the plugin.
    pub(super) fn first(ask: PluginHttpRequest) -> Result<RequestHop, HttpError> {
        let method = Method::from_bytes(ask.method.as_bytes());
        let method = method.ok().filter(|method| ![Method::CONNECT, Method::TRACE].contains(method));
        let method = method
            .ok_or_else(|| HttpError::Invalid(format!("`{}` is not a valid method", one_line(&ask.method, 40))))?;
        Ok(RequestHop {
            method,
            url: parse_url(&ask.url)?,
            headers: parse_headers(&ask.headers)?,
            body: Bytes::from(ask.body),
            credential: ask.credential,
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The name of the credential that it carries.
    pub(super) fn credential(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    pub(super) fn request<'a>(&'a self, permit: &'a Permit, auth: Option<&AuthHeader>) -> HttpRequest<'a> {
        let mut headers = self.headers.clone();
        if let Some(auth) = auth {
            headers.insert(auth.header.clone(), auth.value.clone());
        }
        HttpRequest { permit, url: &self.url, method: self.method.clone(), headers, body: self.body.clone() }
    }

    /// The request that follows a redirect, or none if the reply is final. As in browsers, 303, and 301 and 302 after a
    /// POST, become a GET without a body.
    pub(super) fn follow(&self, reply: &HttpReply) -> Result<Option<RequestHop>, HttpError> {
        let to_get = match StatusCode::from_u16(reply.status) {
            Ok(StatusCode::SEE_OTHER) => self.method != Method::HEAD,
            Ok(StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND) => self.method == Method::POST,
            Ok(StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) => false,
            _ => return Ok(None),
        };
        let Some((_, location)) = reply.headers.iter().find(|(name, _)| name == "location") else { return Ok(None) };
        let location = self.url.join(location).map(String::from);
        let url = parse_url(&location.map_err(|_| HttpError::Invalid("a redirect has an invalid URL".to_owned()))?)?;
        let (mut headers, mut credential) = (self.headers.clone(), self.credential.clone());
        if url.origin() != self.url.origin() {
            credential = None;
            for name in IDENTITY_HEADERS {
                headers.remove(name);
            }
        }
        let (method, body) = if to_get {
            headers.remove(header::CONTENT_TYPE);
            (Method::GET, Bytes::new())
        } else {
            (self.method.clone(), self.body.clone())
        };
        Ok(Some(RequestHop { method, url, headers, body, credential }))
    }
}

/// Parses an absolute http or https URL without user information. Drops the fragment.
fn parse_url(text: &str) -> Result<Url, HttpError> {
    let invalid = |what: &str| HttpError::Invalid(format!("the URL {what}"));
    if text.len() > limits::URL_BYTES {
        return Err(invalid("is too long"));
    }
    let mut url = Url::parse(text).map_err(|error| invalid(&format!("does not parse: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("carries a user name"));
    }
    url.set_fragment(None);
    Ok(url)
}

fn parse_headers(pairs: &[(String, String)]) -> Result<HeaderMap, HttpError> {
    let invalid = |name: &str, what: &str| HttpError::Invalid(format!("the header `{}` {what}", one_line(name, 60)));
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if pairs.len() > limits::HTTP_HEADERS || bytes > limits::HTTP_HEADER_BYTES {
        return Err(HttpError::Invalid("there are too many headers".to_owned()));
    }
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(name, "has no valid name"))?;
        if HOST_HEADERS.contains(&key.as_str()) {
            return Err(invalid(name, "is written by the host"));
        }
        let value = HeaderValue::from_str(value).map_err(|_| invalid(name, "has no valid value"))?;
        headers.append(key, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, url: &str, headers: &[(&str, &str)]) -> PluginHttpRequest {
        PluginHttpRequest {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            body: b"body".to_vec(),
            credential: Some("token".to_owned()),
            redirects: 5,
            timeout_ms: None,
        }
    }

    #[test]
    fn an_invalid_request_is_refused_with_the_reason() {
        let long = format!("https://a.example/{}", "x".repeat(limits::URL_BYTES));
        let many = vec![("x-a", "b"); limits::HTTP_HEADERS + 1];
        for (method, url, headers, expected) in [
            ("POST", "https://a.example/x?y#z", &[("x-a", "b")][..], None),
            ("GE T", "https://a.example/", &[], Some("`GE T` is not a valid method")),
            ("CONNECT", "https://a.example/", &[], Some("`CONNECT` is not a valid method")),
            ("TRACE", "https://a.example/", &[], Some("`TRACE` is not a valid method")),
            ("trace", "https://a.example/", &[], None),
            ("GET", "a.example", &[], Some("does not parse")),
            ("GET", "/path", &[], Some("does not parse")),
            ("GET", "file:///etc/passwd", &[], Some("neither http nor https")),
            ("GET", "https://user:pw@a.example/", &[], Some("carries a user name")),
            ("GET", &long, &[], Some("too long")),
            ("GET", "https://a.example/", &[("Host", "b.example")], Some("`Host` is written by the host")),
            ("GET", "https://a.example/", &[("Content-Length", "0")], Some("`Content-Length` is written")),
            ("GET", "https://a.example/", &[("transfer-encoding", "chunked")], Some("is written by the host")),
            ("GET", "https://a.example/", &[("x a", "b")], Some("has no valid name")),
            ("GET", "https://a.example/", &[("x-a", "b\r\nx-c: d")], Some("has no valid value")),
            ("GET", "https://a.example/", &many, Some("too many headers")),
        ] {
            let error = match RequestHop::first(ask(method, url, headers)) {
                Ok(_) => None,
                Err(HttpError::Invalid(what)) => Some(what),
                Err(other) => panic!("unexpected {other:?}"),
            };
            let fits = |expected: &str| error.as_ref().is_some_and(|error| error.contains(expected));
            assert!(expected.map_or(error.is_none(), fits), "{method} {url}: {error:?}");
        }
    }

    #[test]
    fn a_redirect_keeps_identity_for_the_same_origin_only() {
        let (post, get) = (Method::POST, Method::GET);
        for (status, location, expected) in [
            (200, "https://a.example/b", None),
            (302, "", None),
            (302, "/b", Some((&get, "https://a.example/b", true, ""))),
            (301, "https://a.example/b", Some((&get, "https://a.example/b", true, ""))),
            (303, "b?c#d", Some((&get, "https://a.example/b?c", true, ""))),
            (307, "/b", Some((&post, "https://a.example/b", true, "body"))),
            (308, "//a.example/b", Some((&post, "https://a.example/b", true, "body"))),
            (308, "https://b.example/", Some((&post, "https://b.example/", false, "body"))),
            (307, "http://a.example/b", Some((&post, "http://a.example/b", false, "body"))),
            (307, "https://a.example:444/b", Some((&post, "https://a.example:444/b", false, "body"))),
        ] {
            let ask = ask("POST", "https://a.example/a", &[("Authorization", "x"), ("cookie", "y"), ("x-z", "z")]);
            let hop = RequestHop::first(ask).expect("a request");
            let headers = [("location".to_owned(), location.to_owned())];
            let headers = if location.is_empty() { Vec::new() } else { headers.to_vec() };
            let next = hop.follow(&HttpReply { status, headers, body: Vec::new() }).expect("a valid redirect");
            assert_eq!(next.is_some(), expected.is_some(), "{status} {location}");
            let (Some(next), Some((method, url, same, body))) = (next, expected) else { continue };
            assert_eq!((&next.method, next.url.as_str(), &next.body[..]), (method, url, body.as_bytes()));
            assert_eq!(next.credential.is_some(), same, "credential to {url}");
            assert_eq!(next.headers.contains_key("authorization"), same, "authorization to {url}");
            assert_eq!(next.headers.contains_key("cookie"), same, "cookie to {url}");
            assert!(next.headers.contains_key("x-z"));
        }
    }

    #[test]
    fn a_redirect_out_of_http_is_refused() {
        let hop = RequestHop::first(ask("GET", "https://a.example/", &[])).expect("a request");
        for location in ["file:///etc/passwd", "gopher://a.example/", "https://u:p@a.example/", "https://"] {
            let headers = vec![("location".to_owned(), location.to_owned())];
            assert!(hop.follow(&HttpReply { status: 302, headers, body: Vec::new() }).is_err(), "{location}");
        }
    }
}
