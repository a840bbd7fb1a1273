//! What keeps an installation from working: every part is looked at, and each finding is one line. It changes nothing but
//! what opening the database changes (an older schema is migrated), and the compiled code that it keeps for itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use tidings_sandbox::{Sandbox, SandboxOptions};
use tidings_store::{Maintenance, Store};

use super::client::ApiClient;
use super::daemon::open_store;
use super::output::{Output, OutputError};
use crate::config::Config;
use crate::static_data::StaticData;

/// The permission bits that the data directory must not have: it holds secrets.
const OTHERS: u32 = 0o077;

/// The result of one check.
#[derive(Serialize)]
struct Finding {
    part: &'static str,
    ok: bool,
    detail: String,
}

/// Prints the results as they come.
struct Report<'a> {
    out: &'a mut Output,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn add(&mut self, part: &'static str, result: anyhow::Result<String>) -> Result<(), OutputError> {
        let ok = result.is_ok();
        let detail = result.unwrap_or_else(|error| format!("{error:#}"));
        if !self.out.is_json() {
            self.out.line(&format!("{:7}  {part:10}  {detail}", if ok { "ok" } else { "problem" }))?;
            self.out.flush()?;
        }
        self.findings.push(Finding { part, ok, detail });
        Ok(())
    }

    fn end(self) -> Result<ExitCode, OutputError> {
        if self.out.is_json() {
            self.out.json(&self.findings)?;
        }
        let good = self.findings.iter().all(|finding| finding.ok);
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

pub(super) async fn run(file: &Path, out: &mut Output) -> anyhow::Result<ExitCode> {
    let mut report = Report { out, findings: Vec::new() };
    let config = match Config::load(file, std::env::vars()) {
        Ok(config) => config,
        Err(error) => {
            report.add("config", Err(error.into()))?;
            return Ok(report.end()?);
        }
    };
    report.add("config", Ok(file.display().to_string()))?;
    report.add("catalogue", catalogue(&config))?;
    report.add("data_dir", data_dir(&config.data_dir.0))?;
    match open_store(&config).await {
        Ok(store) => {
            report.add("store", store_takes_writes(&*store, &config).await)?;
            report.add("plugins", plugins(&*store, &config).await)?;
            store.close().await;
        }
        Err(error) => report.add("store", Err(error))?,
    }
    report.add("api", api(&config).await)?;
    for endpoint in config.bus.zeromq.iter().flat_map(|zeromq| &zeromq.endpoints) {
        report.add("bus", resolve(endpoint).await)?;
    }
    Ok(report.end()?)
}

fn catalogue(config: &Config) -> anyhow::Result<String> {
    let references = StaticData::read(&config.catalogue).map_err(anyhow::Error::msg)?;
    let mistakes = tidings_domain::examples::check_examples(&references.catalogue);
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    ensure!(lines.is_empty(), "examples do not hold: {}", lines.join("; "));
    Ok(format!("{} rules, all examples hold", references.catalogue.rules().len()))
}

fn data_dir(path: &Path) -> anyhow::Result<String> {
    let metadata = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    ensure!(metadata.is_dir(), "{} is not a directory", path.display());
    let mode = metadata.permissions().mode() & 0o777;
    ensure!(mode & OTHERS == 0, "others may look into {} (mode {mode:o}); chmod 700 it", path.display());
    Ok(path.display().to_string())
}

async fn store_takes_writes(store: &dyn Maintenance, config: &Config) -> anyhow::Result<String> {
    store.check().await?;
    let database = config.data_dir.database();
    Ok(format!("{}, schema version {}", database.display(), tidings_store::schema_version()))
}

/// Every component that a channel uses is admitted as the daemon would.
async fn plugins(store: &dyn Store, config: &Config) -> anyhow::Result<String> {
    let channels = store.channels().await?;
    if channels.is_empty() {
        return Ok("no channel is installed".into());
    }
    let sandbox = Sandbox::new(SandboxOptions {
        // The daemon's own is not opened: opening sweeps, and a daemon may be writing.
        cache_dir: config.data_dir.cache().join("doctor"),
        tls_ca_file: config.tls.ca_file.clone(),
        max_instances: config.sandbox.max_instances,
        compiler: super::compile::compiler(),
    })?;
    let mut problems = Vec::new();
    for channel in &channels {
        let admitted = async {
            let file = store.component_file(&channel.component).await?;
            let admitted = sandbox.admit(&file).await?;
            admitted.manifest().configure(&channel.config).map(drop).or_else(|mistakes| {
                let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                // One that is not enabled may still be unfinished.
                if channel.enabled { bail!("{}", mistakes.join(", ")) } else { Ok(()) }
            })
        };
        if let Err(error) = admitted.await {
            problems.push(format!("{}: {error:#}", channel.name));
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(format!("{} channels can run", channels.len()))
}

async fn api(config: &Config) -> anyhow::Result<String> {
    let mut listen = config.api.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(if listen.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    let url = format!("http://{listen}");
    ApiClient::at(&url, None, None)?.healthy().await?;
    Ok(format!("{url} answers"))
}

async fn resolve(endpoint: &str) -> anyhow::Result<String> {
    let place = endpoint.strip_prefix("tcp://").unwrap_or(endpoint);
    let mut addresses = tokio::net::lookup_host(place).await.with_context(|| endpoint.to_owned())?;
    let address = addresses.next().with_context(|| format!("{endpoint} has no address"))?;
    Ok(format!("{endpoint} is {address}"))
}
