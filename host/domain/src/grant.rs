//! Grants: what an administrator lets a plugin reach, and whether a connection is covered. Pure: callers resolve names
//! and check every resolved address here before they connect.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use crate::credential::{Credential, CredentialKind};
use crate::network::{HostName, Reach, reach};
use crate::text::one_line;

/// What a plugin does with a host that it may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Opens TCP connections, with or without TLS.
    Net,
    /// Sends HTTP requests.
    Http,
}

/// One host and port that a channel may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Grant {
    pub capability: Capability,
    /// A host name or IP address, compared without regard to case; no patterns.
    pub host: String,
    pub port: u16,
    /// Allows private, loopback and link-local addresses.
    #[serde(default)]
    pub private: bool,
    /// For `http`: allows requests without TLS.
    #[serde(default)]
    pub plain_http: bool,
}

/// All that one channel was granted.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    pub reach: Vec<Grant>,
    pub credentials: Vec<Credential>,
}

/// Permission to reach one host and port. Only [`Grants::permit`] makes one; each address needs a check of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    host: HostName,
    port: u16,
    private: bool,
    plain_http: bool,
}

/// Why a connection or a credential is refused: names the missing grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    #[error("`{0}` is not a host name or an IP address")]
    NoHost(String),
    #[error("no grant of `{capability}` for {host}:{port}")]
    NotGranted { capability: Capability, host: HostName, port: u16 },
    #[error("{host}:{port} leads to {address} ({what}), and its grant lacks `private`")]
    Private { host: HostName, port: u16, address: IpAddr, what: &'static str },
    #[error("{host}:{port} leads to {address} ({what}), which no grant covers")]
    Never { host: HostName, port: u16, address: IpAddr, what: &'static str },
    #[error("http without TLS to {host}:{port}, and its grant lacks `plain_http`")]
    PlainHttp { host: HostName, port: u16 },
    #[error("no credential `{0}` was granted")]
    NoCredential(String),
    #[error("the credential `{name}` is for {granted}, not for {host}")]
    CredentialHost { name: String, granted: String, host: HostName },
    #[error("the credential `{name}` is of the kind `{kind}`, which `{capability}` cannot use")]
    CredentialUse { name: String, kind: &'static str, capability: Capability },
}

impl Grants {
    /// Whether `host:port` may be reached by `capability`. Several grants for the same place add up.
    pub fn permit(&self, capability: Capability, host: &str, port: u16) -> Result<Permit, Denial> {
        let host = HostName::parse(host).ok_or_else(|| Denial::NoHost(one_line(host, 100)))?;
        let covers = |grant: &&Grant| {
            let same_host = || HostName::parse(&grant.host).is_some_and(|granted| granted == host);
            grant.capability == capability && grant.port == port && same_host()
        };
        let mut permit = None;
        for grant in self.reach.iter().filter(covers) {
            let permit = permit.get_or_insert((false, false));
            *permit = (permit.0 || grant.private, permit.1 || grant.plain_http);
        }
        match permit {
            Some((private, plain_http)) => Ok(Permit { host, port, private, plain_http }),
            None => Err(Denial::NotGranted { capability, host, port }),
        }
    }

    /// The credential `name`, if it may be sent where `permit` leads.
    pub fn credential(&self, name: &str, permit: &Permit) -> Result<&Credential, Denial> {
        let credential = self.credentials.iter().find(|credential| credential.name == name);
        let credential = credential.ok_or_else(|| Denial::NoCredential(one_line(name, 100)))?;
        if HostName::parse(&credential.host).is_some_and(|granted| granted == permit.host) {
            return Ok(credential);
        }
        let (name, granted) = (credential.name.clone(), credential.host.clone());
        Err(Denial::CredentialHost { name, granted, host: permit.host.clone() })
    }
}

impl Permit {
    pub fn host(&self) -> &HostName {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether `address`, to which the host resolved, may be connected to.
    pub fn address(&self, address: IpAddr) -> Result<(), Denial> {
        let (host, port) = (self.host.clone(), self.port);
        match reach(address) {
            Reach::Global => Ok(()),
            Reach::Local(_) if self.private => Ok(()),
            Reach::Local(what) => Err(Denial::Private { host, port, address, what }),
            Reach::Never(what) => Err(Denial::Never { host, port, address, what }),
        }
    }

    /// Whether HTTP without TLS is allowed.
    pub fn plain_http(&self) -> Result<(), Denial> {
        if self.plain_http { Ok(()) } else { Err(Denial::PlainHttp { host: self.host.clone(), port: self.port }) }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Capability::Net => "net",
            Capability::Http => "http",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn grant(capability: Capability, host: &str, port: u16, private: bool, plain_http: bool) -> Grant {
        Grant { capability, host: host.to_owned(), port, private, plain_http }
    }

    fn grants() -> Grants {
        use Capability::{Http, Net};
        let credential = |name: &str, host: &str| Credential {
            name: name.to_owned(),
            kind: CredentialKind::Header { header: "authorization".to_owned() },
            value: Secret::new("Bearer x".to_owned()),
            host: host.to_owned(),
        };
        Grants {
            reach: vec![
                grant(Net, "Mail.Example.org", 587, false, false),
                grant(Net, "relay.local", 25, true, false),
                grant(Net, "10.0.0.5", 25, false, false),
                grant(Http, "push.example.org", 443, false, false),
                grant(Http, "gateway.local", 8080, false, true),
                grant(Http, "gateway.local", 8080, true, false),
            ],
            credentials: vec![credential("token", "Push.Example.org"), credential("other", "elsewhere.example")],
        }
    }

    #[test]
    fn only_the_granted_host_port_and_capability_are_permitted() {
        use Capability::{Http, Net};
        for (capability, host, port, expected) in [
            (Net, "mail.example.org", 587, None),
            (Net, "MAIL.example.ORG.", 587, None),
            (Net, "mail.example.org", 25, Some("no grant of `net` for mail.example.org:25")),
            (Http, "mail.example.org", 587, Some("no grant of `http` for mail.example.org:587")),
            (Net, "evil.mail.example.org", 587, Some("no grant of `net` for evil.mail.example.org:587")),
            (Net, "mail.example.org.evil", 587, Some("no grant of `net` for mail.example.org.evil:587")),
            (Net, "example.org", 587, Some("no grant of `net` for example.org:587")),
            (Net, "", 587, Some("`` is not a host name or an IP address")),
            (Net, "*", 587, Some("`*` is not a host name or an IP address")),
            (Net, "mail.example.org\n", 587, Some("`mail.example.org\\n` is not a host name or an IP address")),
            (Http, "push.example.org", 443, None),
        ] {
            let answer = grants().permit(capability, host, port).err().map(|denial| denial.to_string());
            assert_eq!(answer.as_deref(), expected, "{capability} {host:?}:{port}");
        }
        let denial = Grants::default().permit(Net, "mail.example.org", 587);
        assert!(denial.is_err(), "no host is reachable without grants");
    }

    #[test]
    fn a_private_address_needs_private_in_the_grant_and_some_addresses_are_never_allowed() {
        use Capability::Net;
        for (host, port, address, expected) in [
            ("mail.example.org", 587, "1.2.3.4", None),
            (
                "mail.example.org",
                587,
                "127.0.0.1",
                Some("mail.example.org:587 leads to 127.0.0.1 (loopback), and its grant lacks `private`"),
            ),
            (
                "mail.example.org",
                587,
                "::ffff:10.0.0.1",
                Some("mail.example.org:587 leads to ::ffff:10.0.0.1 (private), and its grant lacks `private`"),
            ),
            (
                "10.0.0.5",
                25,
                "10.0.0.5",
                Some("10.0.0.5:25 leads to 10.0.0.5 (private), and its grant lacks `private`"),
            ),
            ("relay.local", 25, "127.0.0.1", None),
            ("relay.local", 25, "fe80::1", None),
            ("relay.local", 25, "1.2.3.4", None),
            (
                "relay.local",
                25,
                "169.254.169.254",
                Some("relay.local:25 leads to 169.254.169.254 (the cloud's metadata service), which no grant covers"),
            ),
            (
                "relay.local",
                25,
                "0.0.0.0",
                Some("relay.local:25 leads to 0.0.0.0 (unspecified), which no grant covers"),
            ),
        ] {
            let permit = grants().permit(Net, host, port).expect("granted");
            let answer = permit.address(address.parse().expect(address)).err().map(|denial| denial.to_string());
            assert_eq!(answer.as_deref(), expected, "{host} at {address}");
        }
    }

    #[test]
    fn grants_for_the_same_host_and_port_add_up_and_plain_http_needs_its_own() {
        let gateway = grants().permit(Capability::Http, "gateway.local", 8080).expect("granted");
        assert_eq!(gateway.plain_http(), Ok(()));
        assert_eq!(gateway.address([127, 0, 0, 1].into()), Ok(()));
        let push = grants().permit(Capability::Http, "push.example.org", 443).expect("granted");
        let denial = push.plain_http().expect_err("not granted");
        assert_eq!(denial.to_string(), "http without TLS to push.example.org:443, and its grant lacks `plain_http`");
    }

    #[test]
    fn a_credential_is_sent_only_to_its_host() {
        let grants = grants();
        let push = grants.permit(Capability::Http, "push.example.org", 443).expect("granted");
        let find = |name: &str| grants.credential(name, &push).map(|c| c.name.as_str()).map_err(|d| d.to_string());
        assert_eq!(find("token"), Ok("token"));
        assert_eq!(find("none"), Err("no credential `none` was granted".to_owned()));
        assert_eq!(
            find("other"),
            Err("the credential `other` is for elsewhere.example, not for push.example.org".to_owned())
        );
    }
}
