//! `plugin check` and `plugin inspect`: show a component. They run only its description and its check of addresses.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use tidings_conformance::sample::setup;
use tidings_conformance::{MemoryHost, Sample};
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::permissions_text;
use tidings_sandbox::ChannelSettings;

use super::super::output::Output;
use super::{AdmittedComponent, admit};

/// A port that the check does not connect to.
const UNUSED_PORT: u16 = 9;

/// Shows in plain words what the component requests, and whether a daemon would admit it.
pub(super) async fn check(path: &Path, out: &mut Output) -> anyhow::Result<ExitCode> {
    let tried = admit(path).await?;
    let manifest = tried.admitted.manifest();
    let mistake = mistake(&tried).await;
    let review = permissions_text::review(manifest);
    if out.is_json() {
        out.json(&json!({"manifest": manifest, "review": review, "mistake": mistake}))?;
    } else {
        out.line(&format!("{} {}: {}", manifest.name, manifest.version, manifest.summary))?;
        for line in review {
            out.line(&format!("  - {line}"))?;
        }
        match &mistake {
            None => {
                out.line("The component is valid: a daemon admits it. `tidings plugin test` tests its behaviour.")?
            }
            Some(mistake) => out.line(&format!("  INVALID: {mistake}"))?,
        }
    }
    Ok(if mistake.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Why the plugin refuses the manifest's own example of an address. It gets settings, since it may read them; they name an
/// unused port.
async fn mistake(tried: &AdmittedComponent) -> Option<String> {
    let (manifest, host) = (tried.admitted.manifest(), Arc::<MemoryHost>::default());
    let setup = setup(manifest, &Sample::default(), UNUSED_PORT);
    let settings = ChannelSettings {
        channel: "check".to_owned(),
        // If no settings can be made, `test` reports it.
        config: setup.map(|setup| setup.config).unwrap_or_default(),
        grants: Grants::default(),
        limits: PluginLimits::default(),
    };
    let plugin = tried.sandbox.plugin(&tried.admitted, settings, host);
    let why = match plugin.check_address(&manifest.address_example).await {
        Ok(Ok(_)) => return None,
        Ok(Err(why)) => why,
        Err((kind, detail)) => format!("it crashed ({}): {detail}", kind.as_str()),
    };
    Some(format!("the plugin refuses its own example of an address, `{}`: {why}", manifest.address_example))
}

/// Shows size, digest, imports and manifest.
pub(super) async fn inspect(path: &Path, out: &mut Output) -> anyhow::Result<()> {
    let AdmittedComponent { admitted, file, .. } = admit(path).await?;
    let manifest = admitted.manifest();
    if out.is_json() {
        let (digest, imports) = (admitted.digest(), admitted.imports());
        return Ok(out.json(&json!({
            "digest": digest, "bytes": file.len(), "imports": imports, "manifest": manifest,
        }))?);
    }
    out.line(&format!("{} {}: {}", manifest.name, manifest.version, manifest.summary))?;
    out.line(&format!("  sha256     {}", admitted.digest()))?;
    out.line(&format!("  size       {} kB", file.len().div_ceil(1000)))?;
    out.line(&format!("  lifetime   {}", manifest.lifetime.as_str()))?;
    out.line(&format!("  imports    {}", admitted.imports().join(", ")))?;
    out.line(&format!("  address    {}, e.g. {}", manifest.address_label, manifest.address_example))?;
    for field in &manifest.config {
        let need = if field.required { "required" } else { "optional" };
        let secret = if field.secret { ", secret" } else { "" };
        let default = field.default.as_ref().map(|value| format!(", `{value}` unless set")).unwrap_or_default();
        out.line(&format!("  setting    {} ({need}{secret}{default}): {}", field.name, field.help))?;
    }
    for grant in &manifest.grants {
        out.line(&format!("  requests   {} {}:{} ({})", grant.capability, grant.host, grant.port, grant.why))?;
    }
    for request in &manifest.credentials {
        let need = if request.required { "required" } else { "optional" };
        out.line(&format!(
            "  requests   {} `{}` for {} ({need}; {})",
            request.kind, request.name, request.host, request.why
        ))?;
    }
    Ok(())
}
