//! The commands for authors of plugins, from an empty directory to a file that others install. They need no daemon and no
//! configuration: plugins run in the same sandbox as in the daemon, against a test server on loopback.

mod bench;
mod build;
mod code;
mod inspect;
mod language;
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

/// The time after which a command reports what it is doing.
const SILENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Create a small complete plugin to start from
    New(new::NewArgs),
    /// Build the plugin in a directory into dist/plugin.wasm
    Build(build::BuildArgs),
    /// Show what a component requests, and whether a daemon would admit it
    Check(FileArgs),
    /// Test the plugin against the contract, with all kinds of messages and servers
    Test(TrialArgs),
    /// Deliver one message and show what the plugin sends
    Run(trial::RunArgs),
    /// Measure the time and memory of a delivery
    Bench(TrialArgs),
    /// Show a component's size, digest, imports and manifest
    Inspect(FileArgs),
    /// Write the component, its digest and its manifest to a directory, for publication
    Package(package::PackageArgs),
}

#[derive(Debug, Args)]
struct FileArgs {
    /// A component, or a directory with dist/plugin.wasm
    #[arg(default_value = ".")]
    file: PathBuf,
}

/// A component, and settings that cannot be derived from its manifest.
#[derive(Debug, Args)]
struct TrialArgs {
    #[command(flatten)]
    file: FileArgs,
    /// A setting; `{host}`, `{port}` and `{url}` stand for the test server
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// An address that the plugin accepts; by default the example of its manifest
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
        PluginCommand::Check(args) => return inspect::check(&args.file, out).await,
        PluginCommand::Test(args) => return trial::test(&args, out).await,
        PluginCommand::Run(args) => return trial::run(&args, out).await,
        PluginCommand::Bench(args) => bench::run(&args, out).await?,
        PluginCommand::Inspect(args) => inspect::inspect(&args.file, out).await?,
        PluginCommand::Package(args) => package::run(&args, out).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A component that a sandbox admitted, and the sandbox.
struct AdmittedComponent {
    sandbox: Sandbox,
    admitted: Admitted,
    /// The component's bytes.
    file: Vec<u8>,
    _code: Code,
}

/// Reads and admits a component, as a daemon does. It is compiled in this process: the author trusts it.
async fn admit(path: &Path) -> anyhow::Result<AdmittedComponent> {
    let path = component_at(path)?;
    let file = component::read(&path)?;
    let code = Code::open()?;
    let sandbox = Sandbox::new(SandboxOptions {
        cache_dir: code.directory.clone(),
        tls_ca_file: None,
        max_instances: 8,
        compiler: tidings_sandbox::Compiler::InProcess,
    })?;
    let admitted = with_progress(sandbox.admit(&file), &path).await;
    let admitted = admitted.with_context(|| format!("{} is refused", path.display()))?;
    Ok(AdmittedComponent { sandbox, admitted, file, _code: code })
}

/// Waits for the admission. If it takes long (most of a minute for an interpreter's component), says what is done.
async fn with_progress<T>(admission: impl Future<Output = T>, path: &Path) -> T {
    let mut admission = std::pin::pin!(admission);
    match timeout(SILENCE, admission.as_mut()).await {
        Ok(admitted) => admitted,
        Err(_) => {
            let _ = writeln!(
                std::io::stderr(),
                "compiling {} for this machine; later commands reuse the code…",
                path.display()
            );
            admission.await
        }
    }
}

/// The file itself, or the component that was built in the directory.
fn component_at(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let built = path.join(build::COMPONENT);
    ensure!(built.is_file(), "{} does not exist; run `tidings plugin build`", built.display());
    Ok(built)
}
