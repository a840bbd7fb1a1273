//! Components from the command line: what is installed, and how another one gets there: from a file here, which is uploaded,
//! or from a URL or a registry, which the daemon asks.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidings_domain::limits;

use super::channel::text;
use super::client::{ApiArgs, Client};
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
    /// What is installed
    List,
    /// Check a component and keep it, without a channel
    Fetch(SourceArgs),
    /// Forget one that no channel has active, on trial or to return to
    Remove {
        /// Its whole digest, as `list` shows it
        digest: String,
    },
}

/// Where a component is.
#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// A file; `https://HOST/PATH#sha256=DIGEST`; or `oci://REGISTRY/REPOSITORY` with `:TAG` or `@sha256:DIGEST`
    source: String,
    /// minisign's signature of the file; without it, the one beside the file (`.minisig`) where that is there
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

pub(super) async fn run(args: ComponentArgs, out: &mut Output) -> anyhow::Result<()> {
    let client = Client::new(&args.api)?;
    match args.command {
        ComponentCommand::List => {
            let components = client.get(&client.api(&["components"])).await?;
            if out.is_json() {
                return Ok(out.json(&components)?);
            }
            let rows = components.as_array().into_iter().flatten().map(|component| {
                let manifest = &component["manifest"];
                let plugin = format!("{} {}", text(&manifest["name"]), text(&manifest["version"]));
                [text(&component["digest"]), plugin, text(&component["signed_by"])]
            });
            Ok(out.table(["digest", "plugin", "signed by"], &rows.collect::<Vec<_>>())?)
        }
        ComponentCommand::Remove { digest } => client.delete(&client.api(&["components", &digest])).await.map(drop),
        ComponentCommand::Fetch(source) => {
            let component = bring(&client, &source).await?;
            if out.is_json() {
                return Ok(out.json(&component)?);
            }
            let manifest = &component["manifest"];
            out.line(&format!("{} {}", text(&manifest["name"]), text(&manifest["version"])))?;
            for (word, value) in
                [("digest", &component["digest"]), ("signed by", &component["signed_by"]), ("from", &component["from"])]
            {
                if !value.is_null() {
                    out.line(&format!("  {word:<10} {}", text(value)))?;
                }
            }
            Ok(())
        }
    }
}

/// A component's file, unless it is larger than a component may be; its size is looked at first.
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

/// Has the daemon check a component and keep it; what the daemon says of it.
pub(super) async fn bring(client: &Client, args: &SourceArgs) -> anyhow::Result<Value> {
    let signature = |file: &Path| {
        std::fs::read_to_string(file).with_context(|| format!("cannot read the signature {}", file.display()))
    };
    let url = client.api(&["components"]);
    if let Some(mut place) = elsewhere(&args.source)? {
        if let Some(file) = &args.signature {
            place["signature"] = signature(file)?.into();
        }
        return client.post_json(&url, &place).await;
    }
    let file = Path::new(&args.source);
    let bytes = read(file)?;
    let beside = PathBuf::from(format!("{}.minisig", file.display()));
    let mut url = url;
    if let Some(file) = args.signature.as_ref().or(Some(&beside).filter(|beside| beside.exists())) {
        url.query_pairs_mut().append_pair("signature", &signature(file)?);
    }
    client.post(&url, bytes).await
}

/// What the daemon is to ask for; none where the source is a file here.
fn elsewhere(source: &str) -> anyhow::Result<Option<Value>> {
    if source.starts_with("oci://") {
        return Ok(Some(json!({ "oci": source })));
    }
    if !source.starts_with("https://") && !source.starts_with("http://") {
        return Ok(None);
    }
    let (url, digest) = source
        .split_once("#sha256=")
        .ok_or_else(|| anyhow!("`{source}`: say which file it must be: URL#sha256=DIGEST (`sha256sum` tells it)"))?;
    Ok(Some(json!({ "url": url, "sha256": digest })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file_here_unless_it_says_otherwise() {
        for (source, expected) in [
            ("email.wasm", Some(None)),
            ("./oci/email.wasm", Some(None)),
            (
                "https://a.example/e.wasm#sha256=00ff",
                Some(Some(json!({ "url": "https://a.example/e.wasm", "sha256": "00ff" }))),
            ),
            ("oci://ghcr.io/us/email:1", Some(Some(json!({ "oci": "oci://ghcr.io/us/email:1" })))),
            ("https://a.example/e.wasm", None),
        ] {
            assert_eq!(elsewhere(source).ok(), expected, "{source}");
        }
    }
}
