//! The fields of the settings, and the grants and credentials that the plugin requests.

use tidings_plugin::manifest::{credential, field, net};
use tidings_plugin::{CredentialRequest, Field, FieldKind, GrantRequest};

use super::IDENTITY;

/// The fields of the settings, for administrators.
pub fn fields() -> Vec<Field> {
    use FieldKind::{Boolean, Choice, Host, Port, Text};
    vec![
        field("host", Host, "Server", "The network's server, e.g. `irc.libera.chat`.").required(),
        field("port", Port, "Port", "6697 with TLS, usually 6667 without.").default("6697"),
        field("tls", Boolean, "TLS", "Encrypt, with a certificate that is valid for the server's name.")
            .default("true"),
        field("password", Text, "Server password", "For PASS; most networks have none.").max(200).secret(),
        field("nick", Text, "Nick", "The nick of the plugin on the network.").default("tidings").max(30),
        field("username", Text, "User name", "Shown before the host.").default("tidings").max(9),
        field("realname", Text, "Real name", "Shown in WHOIS.").default("Tidings notifications").max(100),
        field(
            "login",
            Choice,
            "Login",
            "sasl-plain: account and password, before registration; sasl-external: the granted client certificate; \
             nickserv: IDENTIFY, after registration.",
        )
        .default("none")
        .choices(&["none", "sasl-plain", "sasl-external", "nickserv"]),
        field("account", Text, "Account", "By default the nick.").max(100),
        field("account_password", Text, "Account's password", "For sasl-plain and nickserv.").max(200).secret(),
        field(
            "nickserv",
            Text,
            "Nick service",
            "The service that knows nicks; with a host (`NickServ@services.example.org`), only the service there.",
        )
        .default("NickServ")
        .max(100),
        field("reclaim", Choice, "Reclaim the nick", "The command that frees the nick; wait: take it when it is free.")
            .default("ghost")
            .choices(&["ghost", "regain", "wait"]),
        field(
            "services",
            Choice,
            "Identified?",
            "How to check that a user owns the nick: acc (Atheme, libera), status (Anope), whois; none: every user of \
             a nick counts as its owner.",
        )
        .default("acc")
        .choices(&["acc", "status", "whois", "none"]),
        number("burst", "Burst", "Lines that may be sent at once.", 5, (1, 1000)),
        number("interval_ms", "Interval", "After the burst, milliseconds between two lines.", 2000, (1, 10_000)),
        number(
            "reconnect_ms",
            "Reconnect",
            "The first wait after a lost connection, in milliseconds.",
            5000,
            (100, 300_000),
        ),
        field("join", Boolean, "Join channels", "Join a channel before writing to it.").default("true"),
        field("links", Choice, "Links", "full, or none. Links are not shortened.")
            .default("full")
            .choices(&["full", "none"]),
        number("digest_lines", "Lines of a digest", "The number of further lines is added.", 5, (1, 50)),
        number(
            "perishable_minutes",
            "Perishable",
            "Minutes after which a message is dropped; a digest is not.",
            60,
            (1, 10_080),
        ),
        field("reply", Choice, "Answer commands by", "Other bots do not answer a notice.")
            .default("notice")
            .choices(&["notice", "privmsg"]),
    ]
}

fn number(name: &str, label: &str, help: &str, default: i64, (min, max): (i64, i64)) -> Field {
    field(name, FieldKind::Integer, label, help).default(&default.to_string()).min(min).max(max)
}

/// The network access that the plugin requests.
pub fn grants() -> Vec<GrantRequest> {
    vec![net("{host}", "{port}", "To keep a connection to the network.")]
}

/// The credentials that the plugin requests.
pub fn credentials() -> Vec<CredentialRequest> {
    let why = "To log in where `login` is sasl-external.";
    vec![credential(IDENTITY, "client-certificate", "{host}", why)]
}
