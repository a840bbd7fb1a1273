//! Channels from the command line: from a component file to the first delivery. Each command is one or two requests to the
//! API; what a plugin asks for is shown in plain words.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use tidings_domain::time::Timestamp;

use super::client::{ApiArgs, Client};
use super::component::{SourceArgs, bring};
use super::output::{Output, time};
use super::versions::{self, VersionCommand};

#[derive(Debug, Args)]
pub(super) struct ChannelArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: ChannelCommand,
}

#[derive(Debug, Subcommand)]
enum ChannelCommand {
    /// All channels and what each is doing
    List,
    /// One channel: its plugin, configuration and grants
    Show { name: String },
    /// Check a component and make a channel of it, or switch an existing channel to it
    Install {
        name: String,
        #[command(flatten)]
        source: SourceArgs,
        /// Go on without asking
        #[arg(long)]
        yes: bool,
    },
    /// Set configuration values
    Configure {
        name: String,
        /// `key=value`; `key=@FILE` takes the value from a file, `key=` removes it
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<String>,
    },
    /// Say what the plugin may reach, instead of what it might before
    Grant(GrantArgs),
    /// Set what the plugin may use in a call: deadline_ms, memory_bytes, connections, ... (see `--json channel show`)
    Limit {
        name: String,
        #[arg(required = true, value_name = "KEY=NUMBER")]
        values: Vec<String>,
    },
    /// Send, also what was held
    Enable { name: String },
    /// Hold all deliveries; returns when no call is under way any more
    Disable { name: String },
    /// Forget a disabled channel for which nothing waits, with what its plugin kept
    Remove { name: String },
    /// Send one test message to an address
    TestSend { name: String, address: String },
    #[command(flatten)]
    Version(VersionCommand),
}

#[derive(Debug, Args)]
struct GrantArgs {
    name: String,
    /// Grant what the plugin asks for with its present configuration
    #[arg(long, required_unless_present_any = ["net", "http", "credential"], conflicts_with_all = ["net", "http"])]
    as_asked: bool,
    /// Grant TCP and TLS connections there
    #[arg(long, value_name = "HOST:PORT", num_args = 1..)]
    net: Vec<String>,
    /// Grant HTTPS requests there
    #[arg(long, value_name = "HOST:PORT", num_args = 1..)]
    http: Vec<String>,
    /// Give the host these secrets to use for the plugin, instead of those it had. KIND is google-service-account,
    /// client-certificate, header (authorization) or header/NAME; the secret is in FILE
    #[arg(long, value_name = "NAME=KIND:HOST:@FILE", num_args = 1..)]
    credential: Vec<String>,
    /// Also where names lead to private, loopback or link-local addresses
    #[arg(long)]
    private: bool,
    /// With --http: also without TLS
    #[arg(long, requires = "http")]
    plain_http: bool,
}

pub(super) async fn run(args: ChannelArgs, out: &mut Output) -> anyhow::Result<()> {
    let client = Client::new(&args.api)?;
    match args.command {
        ChannelCommand::List => list(&client.get(&client.api(&["channels"])).await?, out),
        ChannelCommand::Show { name } => show(&client.get(&client.api(&["channels", &name])).await?, out),
        ChannelCommand::Install { name, source, yes } => install(&client, &name, &source, yes, out).await,
        ChannelCommand::Configure { name, values } => {
            let values = values.iter().map(|pair| assignment(pair)).collect::<anyhow::Result<Map<_, _>>>()?;
            show(&client.put(&client.api(&["channels", &name, "config"]), &values).await?, out)
        }
        ChannelCommand::Grant(args) => {
            let url = client.api(&["channels", &args.name, "grants"]);
            let mut channel = Value::Null;
            for body in grants(&args)? {
                channel = client.put(&url, &body).await?;
            }
            show(&channel, out)
        }
        ChannelCommand::Limit { name, values } => {
            let channel: Value = client.get(&client.api(&["channels", &name])).await?;
            let mut limits = channel["limits"].as_object().cloned().unwrap_or_default();
            for pair in &values {
                let (key, value) = pair.split_once('=').ok_or_else(|| anyhow!("`{pair}` is not KEY=NUMBER"))?;
                let value: u64 = value.parse().with_context(|| format!("{key}: `{value}` is not a number"))?;
                limits.insert(key.to_owned(), value.into());
            }
            show(&client.put(&client.api(&["channels", &name, "limits"]), &limits).await?, out)
        }
        ChannelCommand::Enable { name } => switch(&client, &name, "enable", out).await,
        ChannelCommand::Disable { name } => switch(&client, &name, "disable", out).await,
        ChannelCommand::Remove { name } => client.delete(&client.api(&["channels", &name])).await.map(drop),
        ChannelCommand::TestSend { name, address } => {
            let body = json!({ "address": address }).to_string();
            sent(&client.post(&client.api(&["channels", &name, "test-send"]), body).await?, out)
        }
        ChannelCommand::Version(command) => versions::run(&client, command, out).await,
    }
}

/// What the plugin wants is shown before there is a channel of it.
async fn install(client: &Client, name: &str, source: &SourceArgs, yes: bool, out: &mut Output) -> anyhow::Result<()> {
    let component = bring(client, source).await?;
    if !out.is_json() {
        review(&component, out)?;
        if !yes && !agreed(name)? {
            bail!("the component {} is kept, and no channel was made of it", text(&component["digest"]));
        }
    }
    show(&client.put(&client.api(&["channels", name]), &json!({ "component": component["digest"] })).await?, out)
}

/// What the plugin is and wants.
pub(super) fn review(component: &Value, out: &mut Output) -> anyhow::Result<()> {
    let manifest = &component["manifest"];
    out.line(&format!("{} {}: {}", text(&manifest["name"]), text(&manifest["version"]), text(&manifest["summary"])))?;
    if let Value::String(from) = &component["from"] {
        out.line(&format!("  brought from {from}"))?;
    }
    for line in component["review"].as_array().into_iter().flatten() {
        out.line(&format!("  - {}", text(line)))?;
    }
    Ok(out.flush()?)
}

/// Whether anyone who sits there says yes; where nobody does, the command itself is the answer.
fn agreed(name: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    let mut error = std::io::stderr();
    write!(error, "Make the channel {name} of it? It may do nothing until you grant it. [y/N] ")?;
    error.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn switch(client: &Client, name: &str, word: &str, out: &mut Output) -> anyhow::Result<()> {
    let channel = client.post(&client.api(&["channels", name, word]), "").await?;
    if out.is_json() {
        return Ok(out.json(&channel)?);
    }
    Ok(out.line(&format!("{name} is {}", state(&channel)))?)
}

/// A pair of a configuration field and its value; null removes it.
pub(super) fn assignment(pair: &str) -> anyhow::Result<(String, Value)> {
    let (key, value) = pair.split_once('=').ok_or_else(|| anyhow!("`{pair}` is not KEY=VALUE"))?;
    let value = match value.strip_prefix('@') {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("{key}: cannot read {file}"))?;
            // Editors end files with a line break that is not meant.
            Value::String(text.strip_suffix('\n').unwrap_or(&text).to_owned())
        }
        None if value.is_empty() => Value::Null,
        None => Value::String(value.to_owned()),
    };
    Ok((key.to_owned(), value))
}

/// The requests that grant it, in order.
fn grants(args: &GrantArgs) -> anyhow::Result<Vec<Value>> {
    let mut bodies = Vec::new();
    if !args.credential.is_empty() {
        let given = args.credential.iter().map(|text| credential(text)).collect::<anyhow::Result<Vec<_>>>()?;
        bodies.push(json!({ "credentials": given }));
    }
    if args.as_asked {
        bodies.push(json!({ "as_asked": true, "private": args.private }));
    } else if !args.net.is_empty() || !args.http.is_empty() {
        bodies.push(json!({ "reach": reach(args)? }));
    }
    Ok(bodies)
}

/// `NAME=KIND:HOST:@FILE`. The secret itself is never an argument: those can be read by everybody on the machine.
fn credential(text: &str) -> anyhow::Result<Value> {
    let form = || anyhow!("a credential is given as NAME=KIND:HOST:@FILE");
    let (place, file) = text.split_once(":@").ok_or_else(form)?;
    let (name, place) = place.split_once('=').ok_or_else(form)?;
    let (kind, host) = place.split_once(':').ok_or_else(form)?;
    let value = std::fs::read_to_string(file).with_context(|| format!("{name}: cannot read {file}"))?;
    let value = value.strip_suffix('\n').unwrap_or(&value);
    let (kind, header) = match kind.split_once('/') {
        Some((kind, header)) => (kind, Some(header)),
        None => (kind, (kind == "header").then_some("authorization")),
    };
    let mut body = json!({ "name": name, "kind": kind, "host": host.trim_matches(['[', ']']), "value": value });
    if let Some(header) = header {
        body["header"] = header.into();
    }
    Ok(body)
}

fn reach(args: &GrantArgs) -> anyhow::Result<Vec<Value>> {
    let grant = |capability: &'static str, plain_http: bool| {
        move |place: &String| -> anyhow::Result<Value> {
            let (host, port) = place.rsplit_once(':').ok_or_else(|| anyhow!("`{place}` is not HOST:PORT"))?;
            let port: u16 = port.parse().with_context(|| format!("`{port}` is no port"))?;
            let host = host.trim_matches(['[', ']']);
            let private = args.private;
            Ok(
                json!({ "capability": capability, "host": host, "port": port, "private": private, "plain_http": plain_http }),
            )
        }
    };
    let net = args.net.iter().map(grant("net", false));
    let http = args.http.iter().map(grant("http", args.plain_http));
    net.chain(http).collect()
}

fn list(channels: &Value, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(channels)?);
    }
    let rows = channels.as_array().into_iter().flatten().map(|channel| {
        let manifest = &channel["manifest"];
        [text(&channel["name"]), format!("{} {}", text(&manifest["name"]), text(&manifest["version"])), state(channel)]
    });
    Ok(out.table(["channel", "plugin", "state"], &rows.collect::<Vec<_>>())?)
}

pub(super) fn show(channel: &Value, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(channel)?);
    }
    let manifest = &channel["manifest"];
    out.line(&format!("{}: {}", text(&channel["name"]), state(channel)))?;
    let (plugin, version) = (text(&manifest["name"]), text(&manifest["version"]));
    out.line(&format!("  plugin     {plugin} {version}: {}", text(&manifest["summary"])))?;
    out.line(&format!("  component  {}", text(&channel["component"])))?;
    for field in manifest["config"].as_array().into_iter().flatten() {
        out.line(&format!("  setting    {}", setting(field, channel)))?;
    }
    for ask in channel["asks"].as_array().into_iter().flatten() {
        let granted = if ask["granted"] == true { "granted" } else { "NOT granted" };
        out.line(&format!("  asks       {} ({}): {granted}", place(&ask["grant"]), text(&ask["why"])))?;
    }
    for ask in channel["credential_asks"].as_array().into_iter().flatten() {
        out.line(&format!("  asks       {}", credential_ask(ask)))?;
    }
    for line in channel["may"].as_array().into_iter().flatten() {
        out.line(&format!("  it         {}", text(line)))?;
    }
    for credential in channel["credentials"].as_array().into_iter().flatten() {
        out.line(&format!("  it         has the credential {}, which it never sees", text(credential)))?;
    }
    for line in life(channel) {
        out.line(&format!("  {line}"))?;
    }
    Ok(())
}

/// The other versions that the channel has, and what becomes of deliveries that wait.
fn life(channel: &Value) -> Vec<String> {
    let short = |digest: &Value| text(digest).chars().take(12).collect::<String>();
    let mut lines = Vec::new();
    let candidate = &channel["candidate"];
    if let Some(since) = candidate["since"].as_u64() {
        let (component, share) = (short(&candidate["component"]), text(&candidate["plan"]["share_percent"]));
        let since = time(Timestamp::from_millis(since));
        lines.push(format!("on trial   {component} with {share} % of the calls since {since}"));
    }
    if channel["previous"].is_string() {
        lines.push(format!("previous   {}, where rolling back leads", short(&channel["previous"])));
    }
    let (policy, after) = (&channel["policy"], text(&channel["policy"]["after_seconds"]));
    match policy["policy"].as_str() {
        Some("drop_after") => lines.push(format!("late       after {after} s a delivery is given up")),
        Some("fall_back") => {
            let other = text(&policy["channel"]);
            lines.push(format!("late       after {after} s, or in quarantine, a delivery goes by the channel {other}"));
        }
        _ => {}
    }
    lines
}

/// `port = 587`, with the default where nothing is set, and without secrets.
fn setting(field: &Value, channel: &Value) -> String {
    let name = text(&field["name"]);
    let secret = channel["secrets_set"].as_array().is_some_and(|names| names.contains(&field["name"]));
    match (&channel["config"][&name], &field["default"]) {
        _ if secret => format!("{name} is set (secret)"),
        (Value::String(value), _) => format!("{name} = {value}"),
        (_, Value::String(default)) => format!("{name} = {default} (default)"),
        _ if field["required"] == true => format!("{name} is NOT set and required: {}", text(&field["label"])),
        _ => format!("{name} is not set"),
    }
}

fn credential_ask(ask: &Value) -> String {
    let state = match (&ask["granted"], &ask["required"]) {
        (Value::Bool(true), _) => "granted",
        (_, Value::Bool(true)) => "NOT granted and required",
        _ => "NOT granted",
    };
    let host = ask["host"].as_str().unwrap_or("a host that no setting names yet");
    format!("the credential {} ({} for {host}: {}): {state}", text(&ask["name"]), text(&ask["kind"]), text(&ask["why"]))
}

fn place(grant: &Value) -> String {
    let private = if grant["private"] == true { ", private addresses too" } else { "" };
    let plain = if grant["plain_http"] == true { ", without TLS too" } else { "" };
    format!("{} to {}:{}{private}{plain}", text(&grant["capability"]), text(&grant["host"]), text(&grant["port"]))
}

/// `quarantined since 2026-11-24T12:00:00Z (it crashed)`.
fn state(channel: &Value) -> String {
    let mut state = text(&channel["state"]);
    for (word, at) in [("since", &channel["since"]), ("until", &channel["until"])] {
        if let Some(at) = at.as_u64() {
            state.push_str(&format!(" {word} {}", time(Timestamp::from_millis(at))));
        }
    }
    match &channel["reason"] {
        Value::String(reason) => format!("{state} ({reason})"),
        _ => state,
    }
}

pub(super) fn sent(outcome: &Value, out: &mut Output) -> anyhow::Result<()> {
    let (word, detail) = (text(&outcome["outcome"]), text(&outcome["detail"]));
    if out.is_json() {
        out.json(outcome)?;
    } else {
        out.line(format!("{word} {detail}").trim_end())?;
    }
    if word == "delivered" { Ok(()) } else { bail!("the test message was not delivered") }
}

/// A string as it is, anything else as JSON, null as nothing.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_values_are_set_read_from_files_and_removed() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "s3cret\n").expect("it can be written");
        let from_file = format!("password=@{}", file.path().display());
        for (pair, expected) in [
            ("host=mail.example.org", Some(("host", json!("mail.example.org")))),
            ("note=a=b", Some(("note", json!("a=b")))),
            ("host=", Some(("host", Value::Null))),
            (from_file.as_str(), Some(("password", json!("s3cret")))),
            ("key=@/nonexistent", None),
            ("host", None),
        ] {
            let read = assignment(pair).ok();
            assert_eq!(read, expected.map(|(key, value)| (key.to_owned(), value)), "{pair}");
        }
    }

    #[test]
    fn a_credential_is_read_from_its_file() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "s3cret\n").expect("it can be written");
        let header = |header: &str, host: &str| json!({ "name": "key", "kind": "header", "header": header, "host": host, "value": "s3cret" });
        for (text, expected) in [
            ("key=header:push.example.org", Some(header("authorization", "push.example.org"))),
            ("key=header/x-key:push.example.org", Some(header("x-key", "push.example.org"))),
            ("key=header:[::1]", Some(header("authorization", "::1"))),
            (
                "key=client-certificate:irc.example.org",
                Some(
                    json!({ "name": "key", "kind": "client-certificate", "host": "irc.example.org", "value": "s3cret" }),
                ),
            ),
            ("key=header", None),
            ("header:push.example.org", None),
        ] {
            assert_eq!(credential(&format!("{text}:@{}", file.path().display())).ok(), expected, "{text}");
        }
        assert!(credential("key=header:push.example.org:s3cret").is_err(), "a secret is no argument");
        assert!(credential("key=header:push.example.org:@/nonexistent").is_err());
    }

    #[test]
    fn how_a_channel_is_and_what_else_it_has_is_told() {
        for (channel, expected) in [
            (json!({ "state": "running" }), "running"),
            (json!({ "state": "failed", "reason": "no host" }), "failed (no host)"),
            (
                json!({ "state": "quarantined", "since": 0, "reason": "it crashed" }),
                "quarantined since 1970-01-01T00:00:00Z (it crashed)",
            ),
            (json!({ "state": "resting", "until": 0, "reason": "busy" }), "resting until 1970-01-01T00:00:00Z (busy)"),
        ] {
            assert_eq!(state(&channel), expected);
        }
        let digest = |digit: &str| digit.repeat(64);
        let channel = json!({
            "candidate": { "component": digest("a"), "since": 0, "plan": { "share_percent": 10 } },
            "previous": digest("b"),
            "policy": { "policy": "fall_back", "channel": "irc", "after_seconds": 600 },
        });
        let expected = [
            "on trial   aaaaaaaaaaaa with 10 % of the calls since 1970-01-01T00:00:00Z",
            "previous   bbbbbbbbbbbb, where rolling back leads",
            "late       after 600 s, or in quarantine, a delivery goes by the channel irc",
        ];
        assert_eq!(life(&channel), expected);
        assert_eq!(life(&json!({ "candidate": null, "previous": null, "policy": { "policy": "hold" } })), [""; 0]);
    }

    #[test]
    fn secrets_are_shown_as_set() {
        let field = json!({ "name": "password", "default": null, "required": true, "label": "Password" });
        for (channel, shown) in [
            (json!({ "config": {}, "secrets_set": ["password"] }), "password is set (secret)"),
            (json!({ "config": {}, "secrets_set": [] }), "password is NOT set and required: Password"),
            (json!({ "config": { "password": "x" }, "secrets_set": [] }), "password = x"),
        ] {
            assert_eq!(setting(&field, &channel), shown);
        }
    }
}
