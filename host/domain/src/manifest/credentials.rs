//! Whether a channel has the credentials that its plugin requires.

use std::collections::BTreeMap;

use super::{CredentialRequest, Manifest, RequestError};
use crate::grant::Grants;
use crate::network::HostName;
use crate::text::one_line;

/// A required credential that the channel lacks: it cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    #[error("it needs the credential `{name}` ({kind} for {host}), which is not granted: {why}")]
    NotGranted { name: String, kind: String, host: HostName, why: String },
    #[error("the host of the credential `{name}` is invalid: {problem}")]
    NoHost { name: String, problem: RequestError },
}

impl CredentialRequest {
    /// The host that it is asked for with this configuration. A field of the kind `url` stands for its host.
    pub fn host(&self, config: &BTreeMap<String, String>) -> Result<HostName, RequestError> {
        super::host(&self.host, config)
    }

    /// Whether the grants contain the credential that is requested: the same name, kind and host.
    pub fn is_met(&self, host: &HostName, grants: &Grants) -> bool {
        grants.credentials.iter().any(|credential| {
            credential.name == self.name
                && credential.kind.as_str() == self.kind
                && HostName::parse(&credential.host).as_ref() == Some(host)
        })
    }
}

impl Manifest {
    /// The first required credential that the channel lacks with this configuration. A credential whose host is a
    /// setting
    /// without a value is not needed: the plugin could not use it.
    pub fn check_credentials(&self, config: &BTreeMap<String, String>, grants: &Grants) -> Result<(), Lack> {
        for request in self.credentials.iter().filter(|request| request.required) {
            let (name, kind, why) = (request.name.clone(), request.kind.clone(), one_line(&request.why, 300));
            match request.host(config) {
                Ok(host) if request.is_met(&host, grants) => {}
                Err(RequestError::Unset(_)) => {}
                Ok(host) => return Err(Lack::NotGranted { name, kind, host, why }),
                Err(problem) => return Err(Lack::NoHost { name, problem }),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::{Credential, CredentialKind, KindError};
    use crate::secret::Secret;

    #[test]
    fn a_sort_is_read_with_its_header_and_nothing_else_has_one() {
        let header = || Some("x-key".to_owned());
        for (word, named, expected) in [
            ("header", header(), Ok(("header", Some("x-key")))),
            ("header", None, Err(KindError::NoHeader)),
            ("google-service-account", None, Ok(("google-service-account", None))),
            ("google-service-account", header(), Err(KindError::NotAHeader)),
            ("client-certificate", None, Ok(("client-certificate", None))),
            ("client-certificate", header(), Err(KindError::NotAHeader)),
            ("password", header(), Err(KindError::Unknown)),
            ("", None, Err(KindError::Unknown)),
        ] {
            let kind = CredentialKind::read(word, named);
            assert_eq!(kind.as_ref().map(|kind| (kind.as_str(), kind.header())), expected.as_ref().copied(), "{word}");
        }
    }

    #[test]
    fn a_required_credential_lacks_until_its_name_sort_and_host_are_granted() {
        let manifest = serde_json::json!({"name": "push", "version": "1.0.0", "summary": "s", "address_label": "a",
        "address_example": "a", "config": [], "grants": [], "credentials": [
            {"name": "key", "kind": "google-service-account", "host": "{api}", "required": true, "why": "To send."},
            {"name": "extra", "kind": "header", "host": "a.b", "required": false, "why": "To send more."},
        ]});
        let manifest: Manifest = serde_json::from_value(manifest).expect("a manifest");
        let config = |url: &str| BTreeMap::from([("api".to_owned(), url.to_owned())]);
        assert_eq!(manifest.check_credentials(&BTreeMap::new(), &Grants::default()), Ok(()), "no host, no need");
        let credential = |name: &str, kind: CredentialKind, host: &str| {
            let (name, value, host) = (name.to_owned(), Secret::new(String::new()), host.to_owned());
            Grants { reach: Vec::new(), credentials: vec![Credential { name, kind, value, host }] }
        };
        use CredentialKind::{ClientCertificate, GoogleServiceAccount};
        let lacks = "it needs the credential `key` (google-service-account for push.example.org), which is not granted: \
                     To send.";
        for (url, grants, expected) in [
            ("https://push.example.org/v1", credential("key", GoogleServiceAccount, "Push.Example.org"), None),
            ("https://push.example.org", Grants::default(), Some(lacks)),
            ("https://push.example.org", credential("other", GoogleServiceAccount, "push.example.org"), Some(lacks)),
            ("https://push.example.org", credential("key", ClientCertificate, "push.example.org"), Some(lacks)),
            ("https://push.example.org", credential("key", GoogleServiceAccount, "example.org"), Some(lacks)),
            (
                "no url",
                credential("key", GoogleServiceAccount, "push.example.org"),
                Some("the host of the credential `key` is invalid: `no url` is not a host name or an IP address"),
            ),
        ] {
            let lack = manifest.check_credentials(&config(url), &grants).err().map(|lack| lack.to_string());
            assert_eq!(lack.as_deref(), expected, "{url} {grants:?}");
        }
    }
}
