//! `plugin build`: the project's own tools make the component; which they are, its files say.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use tidings_component::toolchain::{js, python, rust};

use super::super::output::Output;

/// Where components go, below the project.
pub(super) const DIST: &str = "dist";

#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// The plugin's directory
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The component; dist/NAME.wasm in the directory unless told
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

type Build = fn(&Path, &Path) -> anyhow::Result<()>;

pub(super) fn run(args: &BuildArgs, out: &mut Output) -> anyhow::Result<()> {
    let dir = args.dir.canonicalize().with_context(|| format!("there is no {}", args.dir.display()))?;
    let build = tools(&dir)?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = args.out.clone().unwrap_or_else(|| dir.join(DIST).join(format!("{name}.wasm")));
    build(&dir, &file)?;
    let size = fs::metadata(&file).with_context(|| format!("{} was not made", file.display()))?.len();
    Ok(out.line(&format!("{} ({} kB)", file.display(), size.div_ceil(1000)))?)
}

/// By the file that every project in that language has.
fn tools(dir: &Path) -> anyhow::Result<Build> {
    let languages: [(&str, Build); 3] =
        [("Cargo.toml", rust::build), ("requirements.txt", python::build), ("package.json", js::build)];
    let mut found = languages.iter().filter(|(file, _)| dir.join(file).exists());
    match (found.next(), found.next()) {
        (Some((_, build)), None) => Ok(*build),
        (None, _) => bail!("{} has neither Cargo.toml nor requirements.txt nor package.json", dir.display()),
        (Some((one, _)), Some((other, _))) => bail!("{} has both {one} and {other}: which is it?", dir.display()),
    }
}
