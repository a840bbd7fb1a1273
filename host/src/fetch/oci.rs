//! Artifacts of OCI registries (Distribution Specification 1.1): the manifest, then the one layer that is WebAssembly. A
//! registry that asks for a token for a public artifact gets one as its `WWW-Authenticate` says (the token authentication of
//! the Distribution project). The digests of both documents are checked.

use bytes::Bytes;
use serde::Deserialize;
use tidings_domain::secret::Secret;
use url::Url;

use super::http::{FetchClient, FetchRequest, FetchResponse, registry};
use super::reference::{OciReference, OciVersion};
use super::{ComponentDigest, FetchError, Fetched, check, digest, limits};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media types of components: that of the CNCF's WebAssembly artifacts, and an older one.
const COMPONENTS: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];

/// An image manifest, as far as it is used.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

pub(super) async fn fetch(web: &FetchClient, reference: &OciReference) -> Result<Fetched, FetchError> {
    let manifest_url = url(web, reference, &format!("manifests/{}", reference.version))?;
    let mut session = Session { web, token: None };
    let document = session.get(&manifest_url, MANIFEST, limits::OCI_MANIFEST_BYTES).await?;
    let resolved = digest(&document);
    if let OciVersion::Digest(expected) = &reference.version {
        check(&document, expected).await?;
    }
    let manifest: Result<Manifest, _> = serde_json::from_slice(&document);
    let manifest =
        manifest.map_err(|error| registry(&manifest_url, format!("its manifest cannot be read: {error}")))?;
    let (layer, size) = component(&manifest).map_err(|detail| registry(&manifest_url, detail))?;
    if size > tidings_domain::limits::COMPONENT_BYTES as u64 {
        let (host, most) = (reference.registry.clone(), tidings_domain::limits::COMPONENT_BYTES);
        return Err(FetchError::TooLarge { host, most });
    }
    let blob = url(web, reference, &format!("blobs/sha256:{layer}"))?;
    let file = session.get(&blob, "*/*", tidings_domain::limits::COMPONENT_BYTES).await?;
    check(&file, &layer).await?;
    let from = format!("oci://{}/{}@sha256:{resolved}", reference.registry, reference.repository);
    Ok(Fetched { file, signature: None, from })
}

/// The digest and the size of the one layer that is a component.
fn component(manifest: &Manifest) -> Result<(ComponentDigest, u64), String> {
    let mut layers = manifest.layers.iter().filter(|layer| COMPONENTS.contains(&&*layer.media_type));
    let (Some(layer), None) = (layers.next(), layers.next()) else {
        return Err(format!("the artifact does not have exactly one layer of the type {}", COMPONENTS[0]));
    };
    let digest = layer.digest.strip_prefix("sha256:").and_then(|digest| digest.parse().ok());
    digest.map(|digest| (digest, layer.size)).ok_or_else(|| "the layer has no SHA-256 digest".to_owned())
}

fn url(web: &FetchClient, reference: &OciReference, end: &str) -> Result<Url, FetchError> {
    let OciReference { registry, repository, .. } = reference;
    let text = format!("{}://{registry}/v2/{repository}/{end}", web.policy().scheme(registry));
    Url::parse(&text).map_err(|_| FetchError::Url(text))
}

/// Requests to one registry; the token that it gave is used for the next.
struct Session<'w> {
    web: &'w FetchClient,
    token: Option<Secret>,
}

impl Session<'_> {
    async fn get(&mut self, url: &Url, accept: &'static str, most: usize) -> Result<Bytes, FetchError> {
        let ask = FetchRequest { url, accept, token: self.token.as_ref(), most };
        let wanted = match self.web.ask(&ask).await? {
            FetchResponse::Body(body) => return Ok(body),
            FetchResponse::Challenge(wanted) => wanted,
        };
        let realm = realm(&wanted).ok_or_else(|| registry(url, "it asks for an authentication other than by token"))?;
        let token = self.token.insert(self.token_of(url, &realm).await?);
        self.web.get(&FetchRequest { url, accept, token: Some(token), most }).await
    }

    /// The token for an anonymous client.
    async fn token_of(&self, url: &Url, realm: &Url) -> Result<Secret, FetchError> {
        #[derive(Deserialize)]
        struct Grant {
            token: Option<String>,
            access_token: Option<String>,
        }
        let body = self.web.get(&FetchRequest::of(realm, limits::OCI_TOKEN_BYTES)).await?;
        // The parser's error could quote the token.
        let grant: Option<Grant> = serde_json::from_slice(&body).ok();
        let token = grant.and_then(|grant| grant.token.or(grant.access_token));
        token.map(Secret::new).ok_or_else(|| registry(url, "its token service gave no token"))
    }
}

/// The URL of the token service that a challenge `Bearer realm="…",service="…",scope="…"` names, with its query.
fn realm(challenge: &str) -> Option<Url> {
    let (scheme, mut rest) = challenge.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut realm = None;
    let mut query = Vec::new();
    while let Some((name, after)) = rest.trim_start_matches([' ', ',']).split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        match name {
            "realm" => realm = Some(Url::parse(value).ok()?),
            "service" | "scope" => query.push((name, value)),
            _ => {}
        }
        rest = after;
    }
    let mut realm = realm?;
    realm.query_pairs_mut().extend_pairs(query);
    Some(realm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_where_tokens_are() {
        for (challenge, expected) in [
            (
                r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:us/email:pull,push""#,
                Some("https://auth.example/token?service=r.example&scope=repository%3Aus%2Femail%3Apull%2Cpush"),
            ),
            (r#"bearer service="s", realm="https://a.example/t?x=1""#, Some("https://a.example/t?x=1&service=s")),
            (r#"Basic realm="https://auth.example""#, None),
            (r#"Bearer service="s""#, None),
            (r#"Bearer realm="/token""#, None),
            (r#"Bearer realm="https://a.example"#, None),
            ("", None),
        ] {
            assert_eq!(realm(challenge).as_ref().map(Url::as_str), expected, "{challenge}");
        }
    }
}
