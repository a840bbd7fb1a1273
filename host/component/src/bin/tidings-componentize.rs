//! Reads the core module in the file that its only argument names, and writes the component to the standard output. It
//! serves `cargo xtask build-plugins`; authors of plugins use `tidings plugin build`.

use std::io::Write as _;
use std::{env, fs, io};

use anyhow::{Context as _, Result};

fn main() -> Result<()> {
    let module = env::args_os().nth(1).context("usage: tidings-componentize MODULE")?;
    let bytes = fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
    let component = tidings_component::encode(&bytes)?;
    io::stdout().write_all(&component).context("writing the component")
}
