//! Host names and IP addresses, classified without network access: which texts are host names, and which addresses lead
//! into this machine or its local network. Sources: the IANA special-purpose address registries (RFC 6890 and its
//! updates).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host name or IP address in the one form that is compared: lower case, no trailing dot, no brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

impl HostName {
    /// Reads a name of ASCII letters, digits, `-` and `_` (an international name in its `xn--` form), or an address.
    /// Refuses the legacy numeric spellings of IPv4 (`127.1`, `0x7f000001`, `2130706433`), which resolvers read as
    /// addresses.
    pub fn parse(text: &str) -> Option<HostName> {
        let unbracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = unbracketed.parse::<IpAddr>() {
            let valid = unbracketed.len() == text.len() || address.is_ipv6();
            return valid.then(|| HostName(address.to_string()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|b| b.is_ascii_digit())
            || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let valid = name.len() <= 253 && name.split('.').all(is_label) && !numeric;
        valid.then_some(HostName(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, where it is one and not a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(allowed) && !label.starts_with('-') && !label.ends_with('-')
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To the internet.
    Global,
    /// To this machine or its local network: only with an administrator's grant. The text names the kind.
    Local(&'static str),
    /// Never allowed, by no grant. The text names the kind.
    Never(&'static str),
}

/// Where `address` leads. An IPv6 address that embeds an IPv4 address leads where that one leads.
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        // Metadata services: most clouds; containers of AWS (ECS, EKS); Azure and Alibaba.
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [168, 63, 129, 16] | [100, 100, 100, 200] => {
            Reach::Never("the cloud's metadata service")
        }
        [0, ..] => Reach::Never("unspecified"),
        [224..=239, ..] => Reach::Never("multicast"),
        [255, 255, 255, 255] => Reach::Never("broadcast"),
        [240..=255, ..] => Reach::Never("reserved"),
        [127, ..] => Reach::Local("loopback"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Reach::Local("private"),
        [169, 254, ..] => Reach::Local("link-local"),
        [100, 64..=127, ..] => Reach::Local("shared by a carrier"),
        [192, 0, 0, _] => Reach::Local("set aside for protocols"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Reach::Local("set aside for documentation"),
        [192, 88, 99, _] => Reach::Local("a relay of 6to4"),
        [198, 18 | 19, ..] => Reach::Local("set aside for benchmarks"),
        _ => Reach::Global,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if let Some(embedded) = embedded_v4(address) {
        return reach_v4(embedded);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Reach::Never("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Local("loopback"),
        // Metadata services of AWS (EC2, EKS) and Google.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254 | 0x0023] | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254] => {
            Reach::Never("the cloud's metadata service")
        }
        [0xff00..=0xffff, ..] => Reach::Never("multicast"),
        [0xfe80..=0xfebf, ..] => Reach::Local("link-local"),
        [0xfec0..=0xfeff, ..] => Reach::Local("site-local"),
        [0xfc00..=0xfdff, ..] => Reach::Local("private"),
        [0x0064, 0xff9b, 1, ..] => Reach::Local("a local translation to IPv4"),
        [0x2001, 0, ..] => Reach::Never("a Teredo tunnel"),
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Reach::Local("set aside for documentation"),
        [0x2001, 0..=0x01ff, ..] => Reach::Local("set aside for protocols"),
        [0x2000..=0x3fff, ..] => Reach::Global,
        _ => Reach::Never("not routed on the internet"),
    }
}

/// The IPv4 address inside an IPv4-mapped, IPv4-compatible, NAT64 (RFC 6052) or 6to4 (RFC 3056) address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => from(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] => from(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => from(high, low),
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => from(high, low),
        [0x2002, high, low, ..] => from(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_read_in_one_form() {
        for (text, expected) in [
            ("Mail.Example.ORG", Some("mail.example.org")),
            ("mail.example.org.", Some("mail.example.org")),
            ("localhost", Some("localhost")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("_dmarc.example.org", Some("_dmarc.example.org")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("2001:DB8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("::ffff:127.0.0.1", Some("::ffff:127.0.0.1")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("-a.example", None),
            ("bücher.example", None),
            ("exаmple.org", None),
            ("a b", None),
            ("a/b", None),
            ("user@host", None),
            ("host:25", None),
            ("host\r\n", None),
            ("127.1", None),
            ("2130706433", None),
            ("0x7f000001", None),
            ("0x7f.0.0.0x1", None),
            ("0177.0.0.1", None),
            ("127.0.0.1.", None),
            ("[127.0.0.1]", None),
            ("fe80::1%eth0", None),
        ] {
            assert_eq!(HostName::parse(text).as_ref().map(HostName::as_str), expected, "{text:?}");
        }
        assert!(HostName::parse(&["a"; 127].join(".")).is_some());
        assert!(HostName::parse(&["a"; 128].join(".")).is_none());
        assert!(HostName::parse(&"a".repeat(64)).is_none());
    }

    #[test]
    fn local_and_forbidden_addresses_are_distinguished_from_global_ones() {
        let word = |address: &str| match reach(address.parse().expect(address)) {
            Reach::Global => "global",
            Reach::Local(_) => "local",
            Reach::Never(_) => "never",
        };
        for (expected, addresses) in [
            (
                "global",
                "1.1.1.1 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.0.0.1 128.0.0.1 169.253.0.1 172.15.0.1
                 172.32.0.1 192.167.0.1 198.17.0.1 223.255.255.255 2606:4700::1111 2a00:1450::1 2001:200::1 3ffe::1
                 ::ffff:1.1.1.1 64:ff9b::101:101 2002:101:101::1 168.63.129.15 168.63.129.17",
            ),
            (
                "local",
                "127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.1.1 100.64.0.1
                 169.254.170.3 100.100.100.201 fd00:ec2::24 fd20:ce::253 192.0.0.8 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.9 192.88.99.1 ::1 fe80::1 febf::1
                 fec0::1 fc00::1 fdff::1 2001:db8::1 3fff::1 64:ff9b:1::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
                 ::ffff:0:10.0.0.1 ::127.0.0.1 64:ff9b::a00:1 64:ff9b::7f00:1 2002:7f00:1:: 2002:a00:1:: 2001:2::1",
            ),
            (
                "never",
                "0.0.0.0 0.1.2.3 169.254.169.254 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ff02::1
                 169.254.170.2 169.254.170.23 168.63.129.16 100.100.100.200 fd00:ec2::23 fd20:ce::254
                 ::ffff:168.63.129.16 64:ff9b::a83f:8110 fd00:ec2::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe:: 2001::1 100::1 5f00::1 4000::1
                 ::ffff:0.0.0.0",
            ),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(word(address), expected, "{address}");
            }
        }
    }
}
