//! `plugin build`: the project's own tools make the component.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::super::output::Output;
use super::language::Language;

/// The component, below the project. It has the same name in every one, so that no rename leaves an old one beside it.
pub(super) const COMPONENT: &str = "dist/plugin.wasm";

#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// The plugin's directory
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// What it is written in, where its files leave that open
    #[arg(long, value_enum)]
    lang: Option<Language>,
    /// The component; dist/plugin.wasm in the directory unless told
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &BuildArgs, out: &mut Output) -> anyhow::Result<()> {
    let dir = args.dir.canonicalize().with_context(|| format!("there is no {}", args.dir.display()))?;
    let language = args.lang.map_or_else(|| Language::of(&dir), Ok)?;
    let file = args.out.clone().unwrap_or_else(|| dir.join(COMPONENT));
    language.build(&dir, &file)?;
    let size = fs::metadata(&file).with_context(|| format!("{} was not made", file.display()))?.len();
    if out.is_json() {
        return Ok(out.json(&json!({"component": file, "bytes": size}))?);
    }
    Ok(out.line(&format!("{} ({} kB)", file.display(), size.div_ceil(1000)))?)
}
