//! Describes requests, grants and limits in sentences for the administrator who decides on them: what the plugin may do
//! at worst. It never shows secrets, and decides nothing.

use crate::grant::Grant;
use crate::limits::PluginLimits;
use crate::manifest::{Capability, CredentialRequest, GrantRequest, Lifetime, Manifest};
use crate::network::{HostName, Reach, reach};

/// What a plugin requests before anything is granted: one sentence for each request.
pub fn review(manifest: &Manifest) -> Vec<String> {
    let mut lines: Vec<String> = manifest.grants.iter().map(request).collect();
    if lines.is_empty() {
        lines.push("asks to reach nothing on the network".to_owned());
    }
    lines.extend(manifest.credentials.iter().map(credential));
    for field in manifest.config.iter().filter(|field| field.secret) {
        lines.push(format!("gets to see the secret setting `{}` ({}) when you set it", field.name, field.label));
    }
    lines.push(match manifest.lifetime {
        Lifetime::PerCall => "runs only while it delivers, and is forgotten after each batch".to_owned(),
        Lifetime::Resident => {
            "keeps running while its channel is enabled, and may act when nothing is to be delivered".to_owned()
        }
    });
    lines
}

/// A requested grant.
fn request(request: &GrantRequest) -> String {
    let (host, port) = (host_or_port(&request.host, "the host in"), host_or_port(&request.port, "the one in"));
    format!("asks to {} {host}, port {port}: \u{201c}{}\u{201d}", verb(request.capability), request.why)
}

/// A requested credential.
fn credential(request: &CredentialRequest) -> String {
    let CredentialRequest { name, kind, host, required, why } = request;
    let host = host_or_port(host, "the host in");
    let needs = if *required { "needs" } else { "can use" };
    let what = match kind.as_str() {
        "header" => format!("the secret `{name}`, which is sent to {host} as a header"),
        "google-service-account" => {
            format!("the Google service account `{name}`, for which {host} gets a token that ends after an hour")
        }
        "client-certificate" => format!("the key and certificate `{name}`, with which this server signs on at {host}"),
        other => format!("the credential `{name}` ({other}) at {host}"),
    };
    format!("{needs} {what}; the plugin never sees it: \u{201c}{why}\u{201d}")
}

/// The text for a host or port; `{name}` refers to a setting.
fn host_or_port(template: &str, of: &str) -> String {
    match template.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => format!("{of} the setting `{name}`"),
        None => template.to_owned(),
    }
}

const fn verb(capability: Capability) -> &'static str {
    match capability {
        Capability::Net => "open connections, encrypted or not, to",
        Capability::Http => "send web requests to",
    }
}

/// The grants in force: all that the channel may reach.
pub fn reachable(grants: &[Grant]) -> Vec<String> {
    if grants.is_empty() {
        return vec!["may reach nothing on the network".to_owned()];
    }
    let mut lines: Vec<String> = grants.iter().map(grant).collect();
    lines.push("may reach nothing else on the network".to_owned());
    lines
}

/// One grant.
pub fn grant(grant: &Grant) -> String {
    let Grant { capability, host, port, private, plain_http } = grant;
    let mut line = format!("may {} {host} port {port}", verb(*capability));
    match capability {
        Capability::Http if *plain_http => {
            line.push_str(", also without encryption, so that third parties on the network path can read them")
        }
        Capability::Http => line.push_str(", encrypted only"),
        Capability::Net => {}
    }
    let inside = match HostName::parse(host).and_then(|host| host.address()).map(reach) {
        Some(Reach::Global) => None,
        Some(Reach::Never(what)) => Some(format!("no connection is ever made to that address ({what})")),
        Some(Reach::Local(what)) if *private => Some(format!("the address is {} ({what})", inside(what))),
        Some(Reach::Local(what)) => {
            Some(format!("the address is {} ({what}), and without `private` it is refused", inside(what)))
        }
        None if *private => Some("even where that name leads into your own network or to this machine".to_owned()),
        None => None,
    };
    match inside {
        Some(inside) => format!("{line}; {inside}"),
        None => line,
    }
}

fn inside(what: &str) -> &'static str {
    if what == "loopback" { "this machine itself" } else { "on your own network" }
}

/// What one call may use, and what a plugin may keep.
pub fn limits(limits: &PluginLimits) -> Vec<String> {
    let mib = |bytes: u64| format!("{} MiB", bytes.div_ceil(1024 * 1024));
    let network = match limits.connections {
        0 => "may open no connection".to_owned(),
        most => format!("may have {most} connections open and move {} in a call", mib(limits.network_bytes)),
    };
    vec![
        format!(
            "may take {} s and {} of memory for a call; then it is ended and the deliveries are tried again",
            limits.deadline_ms.div_ceil(1000),
            mib(limits.memory_bytes as u64)
        ),
        network,
        format!("may keep {} of its own between calls", mib(limits.state_bytes)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Field, FieldKind};

    fn given(capability: Capability, host: &str, port: u16, private: bool, plain_http: bool) -> Grant {
        Grant { capability, host: host.to_owned(), port, private, plain_http }
    }

    #[test]
    fn a_grant_describes_the_worst_case() {
        use Capability::{Http, Net};
        for (one, expected) in [
            (
                given(Net, "mail.example.org", 587, false, false),
                "may open connections, encrypted or not, to mail.example.org port 587",
            ),
            (
                given(Net, "relay.local", 25, true, false),
                "may open connections, encrypted or not, to relay.local port 25; even where that name leads into your own \
                 network or to this machine",
            ),
            (
                given(Http, "push.example.org", 443, false, false),
                "may send web requests to push.example.org port 443, encrypted only",
            ),
            (
                given(Http, "10.1.2.3", 80, true, true),
                "may send web requests to 10.1.2.3 port 80, also without encryption, so that third parties on the \
                 network path can read them; the address is on your own network (private)",
            ),
            (
                given(Net, "127.0.0.1", 25, true, false),
                "may open connections, encrypted or not, to 127.0.0.1 port 25; the address is this machine itself \
                 (loopback)",
            ),
            (
                given(Net, "10.1.2.3", 25, false, false),
                "may open connections, encrypted or not, to 10.1.2.3 port 25; the address is on your own network \
                 (private), and without `private` it is refused",
            ),
            (
                given(Net, "169.254.169.254", 80, true, false),
                "may open connections, encrypted or not, to 169.254.169.254 port 80; no connection is ever made to that \
                 address (the cloud's metadata service)",
            ),
            (
                given(Net, "93.184.216.34", 25, true, false),
                "may open connections, encrypted or not, to 93.184.216.34 port 25",
            ),
        ] {
            assert_eq!(grant(&one), expected);
            assert_eq!(reachable(&[one]), [expected, "may reach nothing else on the network"]);
        }
        assert_eq!(reachable(&[]), ["may reach nothing on the network"]);
    }

    fn manifest() -> Manifest {
        let credential = |name: &str, kind: &str, required| CredentialRequest {
            name: name.to_owned(),
            kind: kind.to_owned(),
            host: "{host}".to_owned(),
            required,
            why: "to be let in".to_owned(),
        };
        let field = |name: &str, secret| Field {
            name: name.to_owned(),
            label: "Password".to_owned(),
            help: String::new(),
            kind: FieldKind::Text,
            default: None,
            required: true,
            secret,
            min: None,
            max: None,
            choices: Vec::new(),
        };
        Manifest {
            name: "push".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Pushes".to_owned(),
            address_label: "Device".to_owned(),
            address_example: "x".to_owned(),
            config: vec![field("host", false), field("password", true)],
            grants: vec![
                GrantRequest {
                    capability: Capability::Net,
                    host: "{host}".to_owned(),
                    port: "{port}".to_owned(),
                    why: "The relay".to_owned(),
                },
                GrantRequest {
                    capability: Capability::Http,
                    host: "push.example.org".to_owned(),
                    port: "443".to_owned(),
                    why: "The service".to_owned(),
                },
            ],
            credentials: vec![
                credential("key", "header", true),
                credential("account", "google-service-account", true),
                credential("identity", "client-certificate", false),
            ],
            lifetime: Lifetime::Resident,
            address_is_account: false,
        }
    }

    #[test]
    fn a_review_names_every_request_of_a_plugin() {
        assert_eq!(
            review(&manifest()),
            [
                "asks to open connections, encrypted or not, to the host in the setting `host`, port the one in the setting \
                 `port`: “The relay”",
                "asks to send web requests to push.example.org, port 443: “The service”",
                "needs the secret `key`, which is sent to the host in the setting `host` as a header; the plugin never sees \
                 it: “to be let in”",
                "needs the Google service account `account`, for which the host in the setting `host` gets a token that \
                 ends after an hour; the plugin never sees it: “to be let in”",
                "can use the key and certificate `identity`, with which this server signs on at the host in the setting \
                 `host`; the plugin never sees it: “to be let in”",
                "gets to see the secret setting `password` (Password) when you set it",
                "keeps running while its channel is enabled, and may act when nothing is to be delivered",
            ]
        );
        let modest = Manifest {
            config: Vec::new(),
            grants: Vec::new(),
            credentials: Vec::new(),
            lifetime: Lifetime::PerCall,
            address_is_account: false,
            ..manifest()
        };
        let expected =
            ["asks to reach nothing on the network", "runs only while it delivers, and is forgotten after each batch"];
        assert_eq!(review(&modest), expected);
    }

    #[test]
    fn limits_are_shown_in_seconds_and_mebibytes() {
        let lines = limits(&PluginLimits { deadline_ms: 1500, memory_bytes: 32 << 20, ..PluginLimits::default() });
        assert!(lines[0].starts_with("may take 2 s and 32 MiB of memory"), "{lines:?}");
        assert_eq!(lines[1], "may have 8 connections open and move 256 MiB in a call");
        assert_eq!(limits(&PluginLimits { connections: 0, ..PluginLimits::default() })[1], "may open no connection");
    }
}
