//! Components from the command line: the installed ones, and the installation of another: from a local file, which is
//! uploaded, or from a URL or a registry, from which the daemon fetches it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use clap::{Args, Subcommand};
use tidings_api_types::{ComponentDetails, InstallRequest, ListPage};
use tidings_domain::limits;

use super::client::{ApiArgs, ApiClient};
use super::output::Output;

#[derive(Debug, Args)]
pub(super) struct ComponentArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: ComponentCommand,
}

#[derive(Debug, Subcommand)]
enum ComponentCommand {
    /// List the installed components
    List,
    /// Check and store a component, without a channel
    Fetch(SourceArgs),
    /// Delete a component that no channel has as active, candidate or previous version
    Remove {
        /// The whole digest, as `list` shows it
        digest: String,
    },
}

/// The source of a component.
#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// A file; `https://HOST/PATH#sha256=DIGEST`; or `oci://REGISTRY/REPOSITORY` with `:TAG` or `@sha256:DIGEST`
    source: String,
    /// minisign's signature of the file; by default the one beside the file (`.minisig`), if there is one
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

pub(super) async fn run(args: ComponentArgs, out: &mut Output) -> anyhow::Result<()> {
    let client = ApiClient::new(&args.api)?;
    match args.command {
        ComponentCommand::List => list(&client.get(&client.api(&["components"])?).await?, out),
        ComponentCommand::Remove { digest } => client.delete(&client.api(&["components", &digest])?).await,
        ComponentCommand::Fetch(source) => show(&fetch(&client, &source).await?, out),
    }
}

fn list(components: &ListPage<ComponentDetails>, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(components)?);
    }
    let rows = components.data.iter().map(|component| {
        let plugin = format!("{} {}", component.manifest.name, component.manifest.version);
        [component.digest.clone(), plugin, component.signed_by.clone().unwrap_or_default()]
    });
    Ok(out.table(["digest", "plugin", "signed by"], &rows.collect::<Vec<_>>())?)
}

fn show(component: &ComponentDetails, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(component)?);
    }
    out.line(&format!("{} {}", component.manifest.name, component.manifest.version))?;
    out.line(&format!("  {:<10} {}", "digest", component.digest))?;
    for (word, value) in [("signed by", &component.signed_by), ("from", &component.from)] {
        if let Some(value) = value {
            out.line(&format!("  {word:<10} {value}"))?;
        }
    }
    Ok(())
}

/// Prints what the plugin is and what it requests.
pub(super) fn review(component: &ComponentDetails, out: &mut Output) -> anyhow::Result<()> {
    let manifest = &component.manifest;
    out.line(&format!("{} {}: {}", manifest.name, manifest.version, manifest.summary))?;
    if let Some(from) = &component.from {
        out.line(&format!("  fetched from {from}"))?;
    }
    for line in &component.review {
        out.line(&format!("  - {line}"))?;
    }
    Ok(out.flush()?)
}

/// Reads a component's file. Fails if it is larger than a component may be; the size is checked first.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let unreadable = || format!("cannot read {}", file.display());
    let size = std::fs::metadata(file).with_context(unreadable)?.len();
    ensure!(
        size <= limits::COMPONENT_BYTES as u64,
        "{} is larger than a component may be ({} bytes)",
        file.display(),
        limits::COMPONENT_BYTES
    );
    std::fs::read(file).with_context(unreadable)
}

/// Has the daemon check and store a component.
pub(super) async fn fetch(client: &ApiClient, args: &SourceArgs) -> anyhow::Result<ComponentDetails> {
    let signature = |file: &Path| {
        std::fs::read_to_string(file).with_context(|| format!("cannot read the signature {}", file.display()))
    };
    let mut url = client.api(&["components"])?;
    if let Some(mut request) = remote_source(&args.source)? {
        if let Some(file) = &args.signature {
            request.signature = Some(signature(file)?);
        }
        return client.post(&url, &request).await;
    }
    let file = Path::new(&args.source);
    let bytes = read(file)?;
    let beside = PathBuf::from(format!("{}.minisig", file.display()));
    if let Some(file) = args.signature.as_ref().or(Some(&beside).filter(|beside| beside.exists())) {
        url.query_pairs_mut().append_pair("signature", &signature(file)?);
    }
    client.upload(&url, bytes).await
}

/// What the daemon fetches; none if the source is a local file.
fn remote_source(source: &str) -> anyhow::Result<Option<InstallRequest>> {
    if source.starts_with("oci://") {
        return Ok(Some(InstallRequest { oci: Some(source.to_owned()), ..InstallRequest::default() }));
    }
    if !source.starts_with("https://") && !source.starts_with("http://") {
        return Ok(None);
    }
    let (url, digest) = source.split_once("#sha256=").ok_or_else(|| {
        anyhow!("`{source}` does not name the file's digest: give URL#sha256=DIGEST (`sha256sum` prints it)")
    })?;
    let (url, sha256) = (Some(url.to_owned()), Some(digest.to_owned()));
    Ok(Some(InstallRequest { url, sha256, ..InstallRequest::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_local_file_unless_it_is_a_url() {
        let at = |url: &str, sha256: &str| InstallRequest {
            url: Some(url.into()),
            sha256: Some(sha256.into()),
            ..InstallRequest::default()
        };
        let oci = |reference: &str| InstallRequest { oci: Some(reference.into()), ..InstallRequest::default() };
        for (source, expected) in [
            ("email.wasm", Some(None)),
            ("./oci/email.wasm", Some(None)),
            ("https://a.example/e.wasm#sha256=00ff", Some(Some(at("https://a.example/e.wasm", "00ff")))),
            ("oci://ghcr.io/us/email:1", Some(Some(oci("oci://ghcr.io/us/email:1")))),
            ("https://a.example/e.wasm", None),
        ] {
            assert_eq!(remote_source(source).ok(), expected, "{source}");
        }
    }
}
