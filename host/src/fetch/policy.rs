//! From which addresses components may come. The rules for addresses are the domain's, as for plugins; this adds what the
//! settings allow.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tidings_domain::network::{HostName, Reach, reach};
use tidings_sandbox::limits;
use url::{Host, Url};

use super::{FetchError, InstallConfig};

/// The settings, parsed.
#[derive(Clone, Debug, Default)]
pub struct FetchPolicy {
    private: bool,
    hosts: Vec<HostName>,
    plain_http: Vec<HostName>,
}

impl FetchPolicy {
    /// # Errors
    /// Names the setting with an invalid host name.
    pub fn new(config: &InstallConfig) -> Result<FetchPolicy, String> {
        let read = |setting: &str, names: &[String]| {
            let host = |name: &String| {
                HostName::parse(name)
                    .ok_or_else(|| format!("install.{setting}: `{name}` is not a host name or an IP address"))
            };
            names.iter().map(host).collect::<Result<Vec<_>, _>>()
        };
        Ok(FetchPolicy {
            private: config.private,
            hosts: read("hosts", &config.hosts)?,
            plain_http: read("plain_http", &config.plain_http)?,
        })
    }

    /// Whether the URL may be requested. Where its host is an address, the address is checked here; a name is checked when it
    /// is resolved.
    pub(super) fn url(&self, url: &Url) -> Result<HostName, FetchError> {
        let wrong = || FetchError::Url(shown(url));
        let host = url.host_str().and_then(HostName::parse).ok_or_else(wrong)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong());
        }
        match url.scheme() {
            "https" => {}
            "http" if self.plain_http.contains(&host) => {}
            "http" => return Err(FetchError::PlainHttp { host: host.to_string() }),
            _ => return Err(wrong()),
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.address(&host, address.into())?,
            Some(Host::Ipv6(address)) => self.address(&host, address.into())?,
            _ => {}
        }
        Ok(host)
    }

    /// `http` for a registry that `install.plain_http` lists, else `https`.
    pub(super) fn scheme(&self, registry: &str) -> &'static str {
        let host =
            HostName::parse(registry).or_else(|| registry.rsplit_once(':').and_then(|(host, _)| HostName::parse(host)));
        if host.is_some_and(|host| self.plain_http.contains(&host)) { "http" } else { "https" }
    }

    fn address(&self, host: &HostName, address: IpAddr) -> Result<(), FetchError> {
        let refused = |what, remedy| Err(FetchError::Address { host: host.to_string(), address, what, remedy });
        match reach(address) {
            Reach::Global => Ok(()),
            Reach::Local(_) if self.private || self.hosts.contains(host) => Ok(()),
            Reach::Local(what) => refused(what, "`install.hosts` does not list it, and `install.private` is not set"),
            Reach::Never(what) => refused(what, "no setting allows that"),
        }
    }
}

/// Resolves once, and returns only addresses that may be connected to: the client connects to those and does not resolve
/// again.
impl Resolve for FetchPolicy {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.clone();
        Box::pin(async move {
            let host = HostName::parse(name.as_str()).ok_or("not a host name")?;
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                policy.address(&host, address.ip())?;
            }
            let addresses: Addrs = Box::new(found.into_iter().take(limits::ADDRESSES_TRIED));
            Ok(addresses)
        })
    }
}

/// A URL without the parts that may be secret.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // A URL that cannot have them has none to hide.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    tidings_domain::text::one_line(url.as_str(), 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(private: bool, hosts: &[&str], plain: &[&str]) -> FetchPolicy {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        FetchPolicy::new(&InstallConfig { private, hosts: owned(hosts), plain_http: owned(plain) }).expect("host names")
    }

    #[test]
    fn a_local_address_needs_a_setting_and_some_addresses_no_setting_allows() {
        let strict = policy(false, &[], &[]);
        let open = policy(true, &[], &["10.0.0.1"]);
        let one = policy(false, &["10.0.0.1"], &[]);
        for (url, in_strict, in_one, in_open) in [
            ("https://93.184.216.34/x.wasm", true, true, true),
            ("https://plugins.example.org/x.wasm", true, true, true),
            ("https://10.0.0.1/x.wasm", false, true, true),
            ("https://10.0.0.2/x.wasm", false, false, true),
            ("https://127.0.0.1/x.wasm", false, false, true),
            ("https://127.1/x.wasm", false, false, true),
            ("https://2130706433/x.wasm", false, false, true),
            ("https://[::1]/x.wasm", false, false, true),
            ("https://[::ffff:10.0.0.2]/x.wasm", false, false, true),
            ("https://169.254.169.254/latest/meta-data", false, false, false),
            ("https://[fd00:ec2::254]/latest/meta-data", false, false, false),
            ("https://0.0.0.0/", false, false, false),
            ("http://10.0.0.1/x.wasm", false, false, true),
            ("http://plugins.example.org/x.wasm", false, false, false),
            ("https://user:pw@plugins.example.org/x.wasm", false, false, false),
            ("ftp://plugins.example.org/x.wasm", false, false, false),
            ("file:///etc/passwd", false, false, false),
        ] {
            let url = Url::parse(url).expect(url);
            let allowed = [&strict, &one, &open].map(|policy| policy.url(&url).is_ok());
            assert_eq!(allowed, [in_strict, in_one, in_open], "{url}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let url = Url::parse("https://user:hunter2@plugins.example.org/x.wasm?token=hunter3").expect("a URL");
        let error = policy(false, &[], &[]).url(&url).expect_err("it has a password").to_string();
        assert!(!error.contains("hunter"), "{error}");
    }
}
