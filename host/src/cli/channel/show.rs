//! A channel for people: its plugin, settings, grants, state, versions and failure policy.

use tidings_api_types::{ChannelInfo, ChannelStateInfo, CredentialRequestInfo};
use tidings_domain::grant::Grant;
use tidings_domain::manifest::Field;
use tidings_domain::plugin_life::FailurePolicy;

use crate::cli::output::{Output, time};

pub(super) fn show(channel: &ChannelInfo, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(channel)?);
    }
    let manifest = &channel.manifest;
    out.line(&format!("{}: {}", channel.name, state(&channel.state)))?;
    out.line(&format!("  plugin     {} {}: {}", manifest.name, manifest.version, manifest.summary))?;
    out.line(&format!("  component  {}", channel.component))?;
    for field in &manifest.config {
        out.line(&format!("  setting    {}", setting(field, channel)))?;
    }
    for ask in &channel.asks {
        let granted = if ask.granted { "granted" } else { "NOT granted" };
        out.line(&format!("  requests   {} ({}): {granted}", place(&ask.grant), ask.why))?;
    }
    for ask in &channel.credential_asks {
        out.line(&format!("  requests   {}", credential_request(ask)))?;
    }
    for line in &channel.may {
        out.line(&format!("  it         {line}"))?;
    }
    for credential in &channel.credentials {
        out.line(&format!("  it         has the credential {credential}, which it never sees"))?;
    }
    for line in versions_and_policy(channel) {
        out.line(&format!("  {line}"))?;
    }
    Ok(())
}

/// `quarantined since 2026-11-24T12:00:00Z (it crashed)`.
pub(super) fn state(state: &ChannelStateInfo) -> String {
    match state {
        ChannelStateInfo::Disabled => "disabled".to_owned(),
        ChannelStateInfo::Running => "running".to_owned(),
        ChannelStateInfo::Resting { until, reason } => format!("resting until {} ({reason})", time(*until)),
        ChannelStateInfo::Quarantined { since, reason } => format!("quarantined since {} ({reason})", time(*since)),
        ChannelStateInfo::Failed { reason } => format!("failed ({reason})"),
    }
}

/// The other versions of the channel, and the policy for deliveries that wait.
fn versions_and_policy(channel: &ChannelInfo) -> Vec<String> {
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let mut lines = Vec::new();
    if let Some(candidate) = &channel.candidate {
        let (component, share) = (short(&candidate.component), candidate.plan.share_percent);
        let since = time(candidate.since);
        lines.push(format!("on trial   {component} with {share} % of the calls since {since}"));
    }
    if let Some(previous) = &channel.previous {
        lines.push(format!("previous   {}, which a rollback activates", short(previous)));
    }
    match &channel.policy {
        FailurePolicy::Hold => {}
        FailurePolicy::DropAfter { after_seconds } => {
            lines.push(format!("late       after {after_seconds} s a delivery is given up"));
        }
        FailurePolicy::FallBack { channel, after_seconds } => lines.push(format!(
            "late       after {after_seconds} s, or in quarantine, a delivery goes by the channel {channel}"
        )),
    }
    lines
}

/// `port = 587`, with the default if nothing is set, and without secrets.
fn setting(field: &Field, channel: &ChannelInfo) -> String {
    let name = &field.name;
    match (channel.config.get(name), &field.default) {
        _ if channel.secrets_set.contains(name) => format!("{name} is set (secret)"),
        (Some(value), _) => format!("{name} = {value}"),
        (None, Some(default)) => format!("{name} = {default} (default)"),
        (None, None) if field.required => format!("{name} is NOT set and required: {}", field.label),
        (None, None) => format!("{name} is not set"),
    }
}

fn credential_request(ask: &CredentialRequestInfo) -> String {
    let state = match (ask.granted, ask.required) {
        (true, _) => "granted",
        (false, true) => "NOT granted and required",
        (false, false) => "NOT granted",
    };
    let host = ask.host.as_deref().unwrap_or("a host that no setting names yet");
    format!("the credential {} ({} for {host}: {}): {state}", ask.name, ask.kind, ask.why)
}

fn place(grant: &Grant) -> String {
    let private = if grant.private { ", private addresses too" } else { "" };
    let plain = if grant.plain_http { ", without TLS too" } else { "" };
    format!("{} to {}:{}{private}{plain}", grant.capability, grant.host, grant.port)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tidings_domain::time::Timestamp;

    use super::*;

    fn channel(changes: &Value) -> ChannelInfo {
        let field = json!({ "name": "password", "label": "Password", "help": "", "kind": "text", "required": true,
            "secret": true, "default": null, "choices": [] });
        let mut channel = json!({
            "name": "email", "component": "c", "enabled": true, "state": "running", "config": {}, "secrets_set": [],
            "reach": [], "credentials": [], "asks": [], "credential_asks": [], "may": [], "candidate": null,
            "previous": null, "policy": { "policy": "hold" },
            "limits": tidings_domain::limits::PluginLimits::default(),
            "manifest": { "name": "email", "version": "1", "summary": "", "address_label": "", "address_example": "",
                "config": [field], "grants": [] },
        });
        for (name, value) in changes.as_object().expect("an object") {
            channel[name] = value.clone();
        }
        serde_json::from_value(channel).expect("a channel")
    }

    #[test]
    fn the_state_of_a_channel_is_one_line() {
        let (epoch, reason) = (Timestamp::from_millis(0), || "it crashed".to_owned());
        for (given, expected) in [
            (ChannelStateInfo::Running, "running"),
            (ChannelStateInfo::Failed { reason: reason() }, "failed (it crashed)"),
            (
                ChannelStateInfo::Quarantined { since: epoch, reason: reason() },
                "quarantined since 1970-01-01T00:00:00Z (it crashed)",
            ),
            (
                ChannelStateInfo::Resting { until: epoch, reason: reason() },
                "resting until 1970-01-01T00:00:00Z (it crashed)",
            ),
        ] {
            assert_eq!(state(&given), expected);
        }
    }

    #[test]
    fn other_versions_and_the_policy_are_shown() {
        let digest = |digit: &str| digit.repeat(64);
        let with_versions = channel(&json!({
            "candidate": { "component": digest("a"), "since": 0, "plan": { "share_percent": 10 } },
            "previous": digest("b"),
            "policy": { "policy": "fall_back", "channel": "irc", "after_seconds": 600 },
        }));
        let expected = [
            "on trial   aaaaaaaaaaaa with 10 % of the calls since 1970-01-01T00:00:00Z",
            "previous   bbbbbbbbbbbb, which a rollback activates",
            "late       after 600 s, or in quarantine, a delivery goes by the channel irc",
        ];
        assert_eq!(versions_and_policy(&with_versions), expected);
        assert_eq!(versions_and_policy(&channel(&json!({}))), [""; 0]);
    }

    #[test]
    fn secrets_are_shown_as_set() {
        for (changes, shown) in [
            (json!({ "secrets_set": ["password"] }), "password is set (secret)"),
            (json!({}), "password is NOT set and required: Password"),
            (json!({ "config": { "password": "x" } }), "password = x"),
        ] {
            let channel = channel(&changes);
            assert_eq!(setting(&channel.manifest.config[0], &channel), shown);
        }
    }
}
