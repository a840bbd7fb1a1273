//! The publisher `tidings-publish` in a process of its own. It begins to publish on a command on its standard input.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::paths;

/// The time limit from the start of the process until its socket is bound.
const BIND_TIME: Duration = Duration::from_secs(10);
/// The time limit from the end of its input to the end of the process.
const STOP_TIME: Duration = Duration::from_secs(10);

/// The process of a publisher. Dropping it kills the process.
pub struct PublisherProcess {
    process: Mutex<Child>,
    input: Mutex<ChildStdin>,
    /// Stays open: a process that writes to a closed pipe is killed.
    _output: Lines<BufReader<ChildStdout>>,
    endpoint: String,
}

impl PublisherProcess {
    /// Starts the process on a free loopback port; it waits for [`PublisherProcess::go`]. `rate` is in messages per second,
    /// `None` is as fast as possible; `forever` repeats the file until the process is stopped.
    pub async fn start(file: &Path, rate: Option<f64>, forever: bool) -> Result<PublisherProcess> {
        let mut command = Command::new(paths::program("tidings-publish")?);
        command.arg("--port=0").args(rate.map(|rate| format!("--rate={rate}")));
        if forever {
            command.arg("--forever");
        }
        let mut process = command
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("starting tidings-publish")?;
        let input = process.stdin.take().context("the standard input of tidings-publish")?;
        let output = process.stdout.take().context("the standard output of tidings-publish")?;
        let mut lines = BufReader::new(output).lines();
        let line = timeout(BIND_TIME, lines.next_line())
            .await
            .context("tidings-publish did not bind its socket in time")??;
        let endpoint = line.as_deref().and_then(|line| line.strip_prefix("bound ")).map(str::to_owned);
        let endpoint = endpoint.with_context(|| format!("tidings-publish printed {line:?} instead of its endpoint"))?;
        Ok(PublisherProcess { process: Mutex::new(process), input: Mutex::new(input), _output: lines, endpoint })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Begins to publish.
    pub async fn go(&self) -> Result<()> {
        self.input.lock().await.write_all(b"go\n").await.context("sending `go` to tidings-publish")
    }

    /// Waits until the process ends, which happens only after an error.
    pub async fn ended(&self) -> Result<()> {
        let status = self.process.lock().await.wait().await.context("waiting for tidings-publish")?;
        ensure!(status.success(), "tidings-publish ended with {status}");
        Ok(())
    }

    /// Closes the input of the process and waits for its end.
    pub async fn stop(self) -> Result<()> {
        drop(self.input);
        let mut process = self.process.into_inner();
        let status = timeout(STOP_TIME, process.wait()).await.context("tidings-publish did not end in time")??;
        ensure!(status.success(), "tidings-publish ended with {status}");
        Ok(())
    }
}
