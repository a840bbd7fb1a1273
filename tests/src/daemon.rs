//! A daemon in a process of its own, started with a configuration file as by an administrator. It can be queried, stopped,
//! killed and started again with the same data.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::client::TestClient;
use crate::paths;
use crate::settings::DaemonSettings;
use crate::wait;
use tidings_api_types::{BusEndpointState, Readiness};

/// The time limit from the start of the process to `/-/ready`. The first start compiles the plugins.
const READY_TIME: Duration = Duration::from_secs(60);
/// The interval of requests for `/-/ready`. It is short because benchmarks measure the start.
const READY_PAUSE: Duration = Duration::from_millis(2);
/// The time limit from SIGTERM to the end of the process.
const STOP_TIME: Duration = Duration::from_secs(60);
/// The time limit of a command.
const COMMAND_TIME: Duration = Duration::from_secs(60);
/// How many lines of the log a failed test prints.
const LOG_LINES: usize = 200;

/// The directory of a daemon, with its configuration, data and log. The caller owns the directory; it outlives the process.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    pub settings: DaemonSettings,
}

impl Home {
    /// Writes the configuration file to an existing directory.
    pub fn new(dir: &Path, settings: DaemonSettings) -> Result<Home> {
        let home = Home { dir: dir.to_owned(), settings };
        home.settings.write(&home.config())?;
        Ok(home)
    }

    /// The path of the configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.join("tidings.toml")
    }

    /// The path of the log file. All daemons of this directory append to it.
    pub fn log(&self) -> PathBuf {
        self.dir.join("tidings.log")
    }

    /// Runs `tidings` with this configuration until it ends. `arguments` precede `--config`.
    pub async fn command(&self, arguments: &[&str]) -> Result<Output> {
        self.command_within(arguments, COMMAND_TIME).await
    }

    /// Runs a command with another time limit.
    pub async fn command_within(&self, arguments: &[&str], limit: Duration) -> Result<Output> {
        let mut command = Command::new(paths::program("tidings")?);
        command.args(arguments).arg("--config").arg(self.config()).stdin(Stdio::null()).kill_on_drop(true);
        timeout(limit, command.output())
            .await
            .with_context(|| format!("tidings {arguments:?} did not end within {limit:?}"))?
            .with_context(|| format!("tidings {arguments:?}"))
    }

    /// Creates a token of that name and returns it.
    pub async fn token(&self, name: &str) -> Result<String> {
        let output = self.command(&["token", "create", name]).await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tidings token create: {}: {errors}", output.status);
        Ok(String::from_utf8(output.stdout).context("the token")?.trim().to_owned())
    }

    fn open_log(&self) -> Result<File> {
        let path = self.log();
        OpenOptions::new().create(true).append(true).open(&path).with_context(|| format!("opening {}", path.display()))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("--- the last lines of the log of the daemon ---\n{}\n--- end of log ---", last.join("\n"));
        }
    }
}

/// The process of a daemon. Dropping it kills the process.
pub struct Daemon {
    process: Child,
    client: TestClient,
}

impl Daemon {
    /// Starts the daemon and waits until it is ready. Without a token the client can use only the public parts of the API.
    pub async fn start(home: &Home, token: Option<&str>) -> Result<Daemon> {
        let mut daemon = Daemon::spawn(home, token)?;
        let process = &mut daemon.process;
        let client = &daemon.client;
        wait::every(READY_PAUSE, "the daemon is ready", READY_TIME, async || {
            if let Some(status) = process.try_wait()? {
                bail!("the daemon ended with {status}; see {}", home.log().display());
            }
            // The connection is refused until the daemon listens.
            Ok(client.get::<Readiness>("/-/ready").await.ok().map(|_| ()))
        })
        .await?;
        Ok(daemon)
    }

    /// Starts the daemon without waiting for anything.
    pub fn spawn(home: &Home, token: Option<&str>) -> Result<Daemon> {
        let log = home.open_log()?;
        let process = Command::new(paths::program("tidings")?)
            .args(["serve", "--config"])
            .arg(home.config())
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("the log")?)
            .stderr(log)
            // A group of its own: Ctrl-C in the terminal reaches only this process, which then stops the daemon.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("starting tidings serve")?;
        let address = home.settings.api.listen.parse().context("api.listen")?;
        Ok(Daemon { process, client: TestClient::new(address, token.map(str::to_owned)) })
    }

    pub fn client(&self) -> &TestClient {
        &self.client
    }

    /// Waits until the daemon is subscribed at each endpoint of the bus.
    pub async fn subscribed(&self, limit: Duration) -> Result<()> {
        wait::until("every endpoint of the bus is subscribed", limit, async || {
            let status = self.client.status().await?;
            Ok(status.bus.iter().all(|one| one.state == BusEndpointState::Subscribed).then_some(()))
        })
        .await
    }

    /// The resident memory of the process, in bytes.
    pub fn memory(&self) -> Result<u64> {
        let id = self.process.id().context("the daemon has already ended")?;
        let status =
            fs::read_to_string(format!("/proc/{id}/status")).context("reading the status of the daemon's process")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
        Ok(kilobytes * 1024)
    }

    /// Sends SIGKILL and waits for the end of the process.
    pub async fn kill(mut self) -> Result<()> {
        self.process.kill().await.context("killing the daemon")
    }

    /// Sends SIGTERM, waits for the end of the process, and returns its status.
    pub async fn terminate(mut self) -> Result<ExitStatus> {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let id = id.context("the daemon has already ended")?;
        kill_process(id, Signal::TERM).context("sending SIGTERM")?;
        self.ended(STOP_TIME).await
    }

    /// Waits for the end of the process.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let status = timeout(limit, self.process.wait()).await;
        status.with_context(|| format!("the daemon did not end within {limit:?}"))?.context("waiting for the daemon")
    }
}
