//! Server-side request forgery: a plugin asks for internal hosts by address, by spelling, by name, by redirect, and by
//! a name whose address changes. Each is denied with the reason, for HTTP and TCP, unless it was granted. Row numbers
//! are those of the list of failures.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

mod common;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::net::{ScriptedResolver, ServerScript, scripted_server};
use common::{SandboxFixture, delivery, high_limits, rejected, requests};
use tidings_domain::grant::Grant;
use tidings_domain::manifest::Capability;
use tidings_sandbox::{Admitted, CallReport};

fn grants(host: &str, port: u16, private: bool) -> Vec<Grant> {
    let grant = |capability| Grant { capability, host: host.to_owned(), port, private, plain_http: true };
    vec![grant(Capability::Http), grant(Capability::Net)]
}

/// Delivers with `behaviour`, e.g. `fetch@http://inside.example/`.
async fn deliver_as(fixture: &SandboxFixture, hostile: &Admitted, grants: Vec<Grant>, behaviour: &str) -> CallReport {
    let plugin = fixture.plugin(hostile, high_limits(), grants, 9);
    plugin.deliver(&requests(&[delivery(behaviour)])).await
}

/// Addresses that need a grant with `private`, by their kind.
const PRIVATE: &[(&str, &str)] = &[
    ("loopback", "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::"),
    ("private", "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fdff::1 ::ffff:10.0.0.1 64:ff9b::a00:1"),
    ("link-local", "169.254.1.1 fe80::1 ::ffff:169.254.1.1"),
    ("site-local", "fec0::1"),
    ("shared by a carrier", "100.64.0.1 100.127.255.255 ::ffff:100.64.0.1"),
    ("a local translation to IPv4", "64:ff9b:1::1"),
    ("set aside for benchmarks", "198.18.0.1"),
    ("set aside for documentation", "192.0.2.1 2001:db8::1"),
];

/// Addresses that no grant covers, by their kind.
const NEVER: &[(&str, &str)] = &[
    (
        "the cloud's metadata service",
        "169.254.169.254 fd00:ec2::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe:: 169.254.170.2
         169.254.170.23 fd00:ec2::23 168.63.129.16 ::ffff:168.63.129.16 100.100.100.200 fd20:ce::254",
    ),
    ("unspecified", "0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0"),
    ("multicast", "224.0.0.1 239.255.255.255 ff02::1"),
    ("broadcast", "255.255.255.255"),
    ("reserved", "240.0.0.1"),
    ("a Teredo tunnel", "2001::1"),
    ("not routed on the internet", "100::1 4000::1"),
];

#[tokio::test]
async fn row_49_an_internal_address_is_denied_whatever_name_resolves_to_it() {
    let names = Arc::<ScriptedResolver>::default();
    let fixture = SandboxFixture::with_resolver(&names);
    let hostile = fixture.hostile().await;
    let rows = PRIVATE.iter().map(|row| (row, false)).chain(NEVER.iter().flat_map(|row| [(row, false), (row, true)]));
    for ((what, addresses), private) in rows {
        for address in addresses.split_whitespace() {
            let never = NEVER.iter().any(|(name, _)| name == what);
            let parsed: IpAddr = address.parse().expect(address);
            let literal = if parsed.is_ipv6() { format!("[{address}]") } else { address.to_owned() };
            names.set("metadata.google.internal", address);
            let end = if never { "which no grant covers" } else { "and its grant lacks `private`" };
            let expected = format!("leads to {parsed} ({what}), {end}");
            for (host, granted) in [("metadata.google.internal", "metadata.google.internal"), (&literal, address)] {
                for behaviour in [format!("fetch@http://{host}/"), format!("dial@{host}:80")] {
                    let report = deliver_as(&fixture, &hostile, grants(granted, 80, private), &behaviour).await;
                    let reason = rejected(&report);
                    assert!(reason.contains("Denied") && reason.contains(&expected), "{behaviour}: {reason}");
                    assert_eq!(report.stats.egress_denials, 1, "{behaviour}");
                }
            }
        }
    }
}

/// URLs that are not granted, while `granted.example` is granted at port 80 and resolves to 10.0.0.1.
const URLS: &[(&str, &str)] = &[
    ("http://2130706433/", "no grant of `http` for 127.0.0.1:80"),
    ("http://0x7f.1/", "no grant of `http` for 127.0.0.1:80"),
    ("http://0x7f000001/", "no grant of `http` for 127.0.0.1:80"),
    ("http://017700000001/", "no grant of `http` for 127.0.0.1:80"),
    ("http://0177.0.0.1/", "no grant of `http` for 127.0.0.1:80"),
    ("http://127.1/", "no grant of `http` for 127.0.0.1:80"),
    ("http://127.0.0.1./", "no grant of `http` for 127.0.0.1:80"),
    ("http://127%2e0%2e0%2e1/", "no grant of `http` for 127.0.0.1:80"),
    ("http://①②⑦.0.0.1/", "no grant of `http` for 127.0.0.1:80"),
    ("http://127。0。0。1/", "no grant of `http` for 127.0.0.1:80"),
    ("http://0/", "no grant of `http` for 0.0.0.0:80"),
    ("http://2852039166/latest/meta-data/", "no grant of `http` for 169.254.169.254:80"),
    ("http://[::ffff:7f00:1]/", "no grant of `http` for ::ffff:127.0.0.1:80"),
    ("http://[::1]:8080/", "no grant of `http` for ::1:8080"),
    ("http://localhost/", "no grant of `http` for localhost:80"),
    ("http://metadata.google.internal/", "no grant of `http` for metadata.google.internal:80"),
    ("http://granted.example:8080/", "no grant of `http` for granted.example:8080"),
    ("http://granted.example:22/", "no grant of `http` for granted.example:22"),
    ("https://granted.example/", "no grant of `http` for granted.example:443"),
    ("http://granted.example.evil.example/", "no grant of `http` for granted.example.evil.example:80"),
    ("http://granted.example%2eevil.example/", "no grant of `http` for granted.example.evil.example:80"),
    ("http://sub.granted.example/", "no grant of `http` for sub.granted.example:80"),
    ("http://grаnted.example/", "no grant of `http` for xn--grnted-4nf.example:80"),
    ("http://xn--grnted-4nf.example/", "no grant of `http` for xn--grnted-4nf.example:80"),
    ("http://evil.example#@granted.example/", "no grant of `http` for evil.example:80"),
    ("http://evil.example?@granted.example/", "no grant of `http` for evil.example:80"),
    ("http://granted.example@evil.example/", "carries a user name"),
    ("http://granted.example:80@127.0.0.1/", "carries a user name"),
    ("file:///etc/passwd", "neither http nor https"),
    ("ftp://granted.example/", "neither http nor https"),
    ("gopher://granted.example:25/_HELO", "neither http nor https"),
    ("http://GRANTED.Example./", "granted.example:80 leads to 10.0.0.1 (private)"),
    ("http://granted%2Eexample/", "granted.example:80 leads to 10.0.0.1 (private)"),
    ("http://ｇranted.example/", "granted.example:80 leads to 10.0.0.1 (private)"),
];

#[tokio::test]
async fn row_49_no_spelling_of_a_url_leads_past_the_grants() {
    let names = Arc::<ScriptedResolver>::default();
    names.set("granted.example", "10.0.0.1");
    let fixture = SandboxFixture::with_resolver(&names);
    let hostile = fixture.hostile().await;
    for (url, expected) in URLS {
        let report =
            deliver_as(&fixture, &hostile, grants("granted.example", 80, false), &format!("fetch@{url}")).await;
        assert!(rejected(&report).contains(expected), "{url}: {}", rejected(&report));
    }
}

#[tokio::test]
async fn row_49_no_spelling_of_a_host_leads_past_the_grants() {
    let names = Arc::<ScriptedResolver>::default();
    names.set("granted.example", "10.0.0.1");
    let fixture = SandboxFixture::with_resolver(&names);
    let hostile = fixture.hostile().await;
    for (target, expected) in [
        ("2130706433:80", "`2130706433` is not a host name or an IP address"),
        ("0x7f.1:80", "is not a host name"),
        ("0x7f000001:80", "is not a host name"),
        ("017700000001:80", "is not a host name"),
        ("127.1:80", "is not a host name"),
        ("127.0.0.1.:80", "is not a host name"),
        ("127.0.0.1:80", "no grant of `net` for 127.0.0.1:80"),
        ("[::1]:80", "no grant of `net` for ::1:80"),
        ("::ffff:127.0.0.1:80", "no grant of `net` for ::ffff:127.0.0.1:80"),
        ("fe80::1%lo:80", "is not a host name"),
        ("grаnted.example:80", "is not a host name"),
        ("granted。example:80", "is not a host name"),
        ("xn--grnted-4nf.example:80", "no grant of `net` for xn--grnted-4nf.example:80"),
        ("granted.example%2eevil:80", "is not a host name"),
        ("user@granted.example:80", "is not a host name"),
        ("granted.example/x:80", "is not a host name"),
        ("granted.example\r\n:80", "is not a host name"),
        ("*.example:80", "is not a host name"),
        ("granted.example:81", "no grant of `net` for granted.example:81"),
        ("granted.example:0", "no grant of `net` for granted.example:0"),
        ("GRANTED.example.:80", "granted.example:80 leads to 10.0.0.1 (private)"),
    ] {
        let report =
            deliver_as(&fixture, &hostile, grants("granted.example", 80, false), &format!("dial@{target}")).await;
        assert!(rejected(&report).contains(expected), "{target:?}: {}", rejected(&report));
        assert_eq!(report.stats.egress_denials, 1, "{target:?}");
    }
}

#[tokio::test]
async fn row_49_a_redirect_to_any_of_them_is_refused() {
    let names = Arc::<ScriptedResolver>::default();
    names.set("granted.example", "10.0.0.1");
    let fixture = SandboxFixture::with_resolver(&names);
    let hostile = fixture.hostile().await;
    let addresses = PRIVATE.iter().chain(NEVER).flat_map(|(_, addresses)| addresses.split_whitespace());
    let literals = addresses.filter_map(|address| match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => Some((format!("http://{address}/"), "no grant of `http` for")),
        IpAddr::V6(_) => Some((format!("//[{address}]/"), "no grant of `http` for")),
    });
    for (to, expected) in URLS.iter().map(|(url, expected)| ((*url).to_owned(), *expected)).chain(literals) {
        let reply = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        let port = scripted_server(ServerScript::Reply(reply.into_bytes())).await;
        let all = [grants("127.0.0.1", port, true), grants("granted.example", 80, false)].concat();
        let report = deliver_as(&fixture, &hostile, all, &format!("fetch@http://127.0.0.1:{port}/")).await;
        assert!(rejected(&report).contains(expected), "{to}: {}", rejected(&report));
    }
}

#[tokio::test]
async fn row_49_a_name_is_resolved_once_and_the_address_that_was_checked_is_connected_to() {
    let names = Arc::<ScriptedResolver>::default();
    let fixture = SandboxFixture::with_resolver(&names);
    let hostile = fixture.hostile().await;
    let port = scripted_server(ServerScript::Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())).await;
    let url = format!("fetch@http://rebind.example:{port}/");
    let granted = || grants("rebind.example", port, true);
    // The next address of the name does not affect the checked connection; the next connection is checked again.
    names.set("rebind.example", "127.0.0.1;169.254.169.254");
    let first = deliver_as(&fixture, &hostile, granted(), &url).await;
    assert_eq!((rejected(&first), names.lookups.load(Ordering::Relaxed)), ("status 200, 2 bytes", 1));
    let second = deliver_as(&fixture, &hostile, granted(), &url).await;
    assert!(rejected(&second).contains("leads to 169.254.169.254"), "{}", rejected(&second));
    // Only the addresses that the grant covers are tried.
    names.set("rebind.example", "169.254.169.254 0.0.0.0 127.0.0.1");
    assert_eq!(rejected(&deliver_as(&fixture, &hostile, granted(), &url).await), "status 200, 2 bytes");
    let narrow = grants("rebind.example", port, false);
    let refused = deliver_as(&fixture, &hostile, narrow, &url).await;
    assert!(rejected(&refused).contains("Denied"), "{}", rejected(&refused));
    names.set("rebind.example", "");
    let nowhere = deliver_as(&fixture, &hostile, granted(), &url).await;
    assert!(rejected(&nowhere).contains("rebind.example has no address"), "{}", rejected(&nowhere));
    let unknown = deliver_as(&fixture, &hostile, grants("other.example", 80, true), "dial@other.example:80").await;
    assert!(rejected(&unknown).contains("Unresolved"), "{}", rejected(&unknown));
}

#[tokio::test]
async fn row_49_each_hop_of_a_redirect_is_resolved_and_checked_anew() {
    let names = Arc::<ScriptedResolver>::default();
    names.set("rebind.example", "127.0.0.1;169.254.169.254");
    let fixture = SandboxFixture::with_resolver(&names);
    let hostile = fixture.hostile().await;
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n".to_vec();
    let port = scripted_server(ServerScript::Reply(redirect)).await;
    let url = format!("fetch@http://rebind.example:{port}/");
    let report = deliver_as(&fixture, &hostile, grants("rebind.example", port, true), &url).await;
    assert!(rejected(&report).contains("leads to 169.254.169.254"), "{}", rejected(&report));
    assert_eq!(names.lookups.load(Ordering::Relaxed), 2);
}
