//! `plugin package`: writes the files to publish, named by the plugin and its version.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use tidings_conformance::run_with;

use super::super::output::Output;
use super::{AdmittedComponent, TrialArgs, admit};

#[derive(Debug, Args)]
pub(super) struct PackageArgs {
    #[command(flatten)]
    trial: TrialArgs,
    /// The directory for the files
    #[arg(long, value_name = "DIR", default_value = "package")]
    out: PathBuf,
}

/// Writes NAME-VERSION.wasm, its digest in the format of `sha256sum`, and its manifest.
pub(super) async fn run(args: &PackageArgs, out: &mut Output) -> anyhow::Result<()> {
    let AdmittedComponent { sandbox, admitted, file, .. } = &admit(&args.trial.file.file).await?;
    let findings = run_with(sandbox, admitted, &args.trial.sample()?).await;
    if let Some(case) = findings.failures().next() {
        bail!(
            "the plugin violates the contract ({}: {}); run `tidings plugin test` for the whole report",
            case.name,
            case.verdict.why()
        );
    }
    let manifest = admitted.manifest();
    let name = format!("{}-{}.wasm", manifest.name, manifest.version);
    fs::create_dir_all(&args.out).with_context(|| format!("creating {}", args.out.display()))?;
    let digest = format!("{}  {name}\n", admitted.digest());
    let mut written = Vec::new();
    for (leaf, content) in [
        (name.clone(), file.clone()),
        (format!("{name}.sha256"), digest.into_bytes()),
        (format!("{}-{}.json", manifest.name, manifest.version), serde_json::to_vec_pretty(manifest)?),
    ] {
        let path = args.out.join(leaf);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        written.push(path);
    }
    if out.is_json() {
        return Ok(out.json(&json!({"files": written, "digest": admitted.digest()}))?);
    }
    written.iter().try_for_each(|path| out.line(&path.display().to_string()))?;
    let component = args.out.join(&name);
    out.line(&format!("Sign it:    minisign -Sm {}", component.display()))?;
    out.line(&format!("Install it: tidings channel install NAME {}", component.display()))?;
    out.line(&format!("       or   tidings channel install NAME https://HOST/{name}#sha256={}", admitted.digest()))?;
    Ok(())
}
