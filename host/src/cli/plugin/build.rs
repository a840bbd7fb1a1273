//! `plugin build`: builds the component with the tools of the project's language.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::super::output::Output;
use super::language::Language;

/// The path of the component in the project. It is the same in every project, so a renamed plugin leaves no old component.
pub(super) const COMPONENT: &str = "dist/plugin.wasm";

#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// The plugin's directory
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The language, if the files of the directory do not show it
    #[arg(long, value_enum)]
    lang: Option<Language>,
    /// The component to write; by default dist/plugin.wasm in the directory
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &BuildArgs, out: &mut Output) -> anyhow::Result<()> {
    let dir = args.dir.canonicalize().with_context(|| format!("cannot open the directory {}", args.dir.display()))?;
    let language = args.lang.map_or_else(|| Language::of(&dir), Ok)?;
    let file = args.out.clone().unwrap_or_else(|| dir.join(COMPONENT));
    language.build(&dir, &file)?;
    let size = fs::metadata(&file).with_context(|| format!("the build did not write {}", file.display()))?.len();
    if out.is_json() {
        return Ok(out.json(&json!({"component": file, "bytes": size}))?);
    }
    Ok(out.line(&format!("{} ({} kB)", file.display(), size.div_ceil(1000)))?)
}
