//! What an author does with a plugin, from nothing to a file that others install. No daemon and no configuration is needed:
//! plugins run in the same sandbox as in the daemon, against a far side on loopback.

mod bench;
mod build;
mod code;
mod language;
mod look;
mod new;
mod package;
mod trial;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use tidings_conformance::Sample;
use tidings_sandbox::{Admitted, Sandbox, SandboxOptions};
use tokio::time::timeout;

use super::component;
use super::output::Output;
use code::Code;

/// How long a command may say nothing.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Begin a plugin: a small complete one, to be changed
    New(new::NewArgs),
    /// Build the plugin in a directory into dist/plugin.wasm
    Build(build::BuildArgs),
    /// Say what a component is and asks for, and whether a daemon would take it
    Check(FileArgs),
    /// Run it against everything that far sides and messages do, and judge its answers by the contract
    Test(TrialArgs),
    /// Deliver one message and show what goes out
    Run(trial::RunArgs),
    /// Measure what a delivery costs
    Bench(TrialArgs),
    /// Show a component's size, digest, parts and manifest
    Inspect(FileArgs),
    /// Put the component, its digest and its manifest into a directory to publish
    Package(package::PackageArgs),
}

#[derive(Debug, Args)]
struct FileArgs {
    /// A component, or a directory with dist/plugin.wasm
    #[arg(default_value = ".")]
    file: PathBuf,
}

/// A component, and settings that its schema cannot tell.
#[derive(Debug, Args)]
struct TrialArgs {
    #[command(flatten)]
    file: FileArgs,
    /// A setting; `{host}`, `{port}` and `{url}` stand for the far side
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// An address that the plugin accepts; its example unless told
    #[arg(long)]
    address: Option<String>,
}

impl TrialArgs {
    fn sample(&self) -> anyhow::Result<Sample> {
        let pair = |text: &String| {
            let (name, value) = text.split_once('=').with_context(|| format!("`{text}` is not KEY=VALUE"))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        let config = self.set.iter().map(pair).collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        Ok(Sample { config, address: self.address.clone() })
    }
}

pub(super) async fn run(args: PluginArgs, out: &mut Output) -> anyhow::Result<ExitCode> {
    match args.command {
        PluginCommand::New(args) => new::run(&args, out)?,
        PluginCommand::Build(args) => build::run(&args, out)?,
        PluginCommand::Check(args) => return look::check(&args.file, out).await,
        PluginCommand::Test(args) => return trial::test(&args, out).await,
        PluginCommand::Run(args) => return trial::run(&args, out).await,
        PluginCommand::Bench(args) => bench::run(&args, out).await?,
        PluginCommand::Inspect(args) => look::inspect(&args.file, out).await?,
        PluginCommand::Package(args) => package::run(&args, out).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A component that a sandbox took, and the sandbox.
struct Tried {
    sandbox: Sandbox,
    admitted: Admitted,
    /// The component's bytes.
    file: Vec<u8>,
    _code: Code,
}

/// Reads and admits it, as a daemon would. Code is compiled in this process: anyone who runs this wrote it.
async fn admit(path: &Path) -> anyhow::Result<Tried> {
    let path = component_at(path)?;
    let file = component::read(&path)?;
    let code = Code::open()?;
    let sandbox = Sandbox::new(SandboxOptions {
        cache_dir: code.directory.clone(),
        tls_ca_file: None,
        max_instances: 8,
        compiler: tidings_sandbox::Compiler::InProcess,
    })?;
    let admitted = patiently(sandbox.admit(&file), &path).await;
    let admitted = admitted.with_context(|| format!("{} is refused", path.display()))?;
    Ok(Tried { sandbox, admitted, file, _code: code })
}

/// What comes of it, with a word to anyone who waits where that takes long: most of a minute for an interpreter's component.
async fn patiently<T>(admission: impl Future<Output = T>, path: &Path) -> T {
    let mut admission = std::pin::pin!(admission);
    match timeout(PATIENCE, admission.as_mut()).await {
        Ok(admitted) => admitted,
        Err(_) => {
            let _ = writeln!(std::io::stderr(), "compiling {} for this machine; the code is kept…", path.display());
            admission.await
        }
    }
}

/// The file itself, or what was built of the directory.
fn component_at(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let built = path.join(build::COMPONENT);
    ensure!(built.is_file(), "there is no {}; `tidings plugin build` makes it", built.display());
    Ok(built)
}
