//! The key file of a Google service account, and the assertion that it signs to obtain a token: a JSON Web Token (RFC
//! 7519) with RS256 (RFC 7518, 3.3) as the grant of RFC 7523. Source: "Using OAuth 2.0 for Server to Server
//! Applications", Google.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SigningKey;
use rustls::{SignatureAlgorithm, SignatureScheme};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::CredentialProblem;
use crate::limits;

/// The scope of a token: sending messages only.
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";

/// A service account that can sign. Not `Debug`, since it holds the key.
pub(super) struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    key: Arc<dyn SigningKey>,
    /// The endpoint that exchanges an assertion for a token.
    pub token_uri: Url,
}

/// The members of the file that are used.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: String,
}

impl ServiceAccount {
    pub(super) fn read(text: &str) -> Result<ServiceAccount, CredentialProblem> {
        let problem = CredentialProblem::KeyFile;
        let file: KeyFile =
            serde_json::from_str(text).map_err(|_| problem("it is not JSON with the members of one"))?;
        if file.kind != "service_account" {
            return Err(problem("its type is not `service_account`"));
        }
        let token_uri = Url::parse(&file.token_uri).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        let no_key = || problem("its private_key is not an RSA key");
        let key = PrivateKeyDer::from_pem_slice(file.private_key.as_bytes()).map_err(|_| no_key())?;
        let key = ring::sign::any_supported_type(&key).map_err(|_| no_key())?;
        if key.algorithm() != SignatureAlgorithm::RSA {
            return Err(no_key());
        }
        Ok(ServiceAccount {
            email: file.client_email,
            key_id: file.private_key_id,
            key,
            token_uri: token_uri.ok_or(problem("its token_uri is not an https or http URL"))?,
        })
    }

    /// The form that requests a token, or none if the key cannot sign, which [`ServiceAccount::read`] rules out. `now`
    /// is the time since 1970-01-01 UTC.
    pub(super) fn form(&self, now: Duration) -> Option<String> {
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.key_id {
            header["kid"] = json!(id);
        }
        let (issued, expires) = (now.as_secs(), (now + limits::ASSERTION_AGE).as_secs());
        let claims =
            json!({ "iss": self.email, "scope": SCOPE, "aud": self.token_uri.as_str(), "iat": issued, "exp": expires });
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let signer = self.key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])?;
        let signature = signer.sign(signed.as_bytes()).ok()?;
        let assertion = format!("{signed}.{}", encode(&signature));
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        form.append_pair("assertion", &assertion);
        Some(form.finish())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rustls::crypto::ring::default_provider;

    use super::*;

    /// A key file with the key of the tests' samples and this token URI.
    pub(crate) fn key_file(token_uri: &str) -> String {
        let private_key = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples/service-account.pem"));
        json!({ "type": "service_account", "client_email": "tidings@project.example", "private_key": private_key,
            "private_key_id": "k1", "token_uri": token_uri })
        .to_string()
    }

    /// The claims of the assertion in a form, if the account signed it.
    pub(crate) fn verified(form: &str) -> Option<serde_json::Value> {
        let public =
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples/service-account.pub.der"));
        let assertion = url::form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "assertion")?.1;
        let (signed, signature) = assertion.rsplit_once('.')?;
        let provider = default_provider();
        let mut rs256 = provider.signature_verification_algorithms.mapping.iter();
        let rs256 = rs256.find(|(scheme, _)| *scheme == SignatureScheme::RSA_PKCS1_SHA256)?.1;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let verifies = |algorithm: &&dyn rustls::pki_types::SignatureVerificationAlgorithm| {
            algorithm.verify_signature(public, signed.as_bytes(), &signature).is_ok()
        };
        rs256.iter().find(|algorithm| verifies(algorithm))?;
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        serde_json::from_slice(&claims).ok()
    }

    #[test]
    fn the_form_carries_a_signature_that_the_token_endpoint_verifies() {
        let uri = "https://oauth2.example.org/token";
        let account = ServiceAccount::read(&key_file(uri)).map_err(|problem| problem.to_string()).expect("an account");
        let form = account.form(Duration::from_secs(1_000_000)).expect("signed");
        let claims = verified(&form).expect("a valid signature");
        assert_eq!(
            claims,
            json!({ "iss": "tidings@project.example", "scope": SCOPE, "aud": uri, "iat": 1_000_000, "exp": 1_003_600 })
        );
        assert!(form.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey"));
        assert!(verified(&form.replace("assertion=ey", "assertion=eY")).is_none(), "a changed assertion fails");
    }

    #[test]
    fn the_header_names_the_key_if_the_file_does() {
        let file: serde_json::Value =
            serde_json::from_str(&key_file("https://oauth2.example.org/token")).expect("JSON");
        let mut unnamed = file.clone();
        unnamed.as_object_mut().expect("an object").remove("private_key_id");
        for (file, expected) in [
            (file, json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" })),
            (unnamed, json!({ "alg": "RS256", "typ": "JWT" })),
        ] {
            let account = ServiceAccount::read(&file.to_string()).map_err(|problem| problem.to_string());
            let form = account.expect("an account").form(Duration::ZERO).expect("signed");
            let header = form.split_once("assertion=").and_then(|(_, rest)| rest.split_once('.')).expect("a header").0;
            let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&header).expect("JSON"), expected);
        }
    }
}
