//! The publisher as a process of its own: `tidings-publish`, told over its standard input when to begin.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::paths;

/// From the start of the process until its socket is bound.
const BIND_TIME: Duration = Duration::from_secs(10);
/// From the end of its input until the process is gone.
const STOP_TIME: Duration = Duration::from_secs(10);

/// A publisher's process. Dropping it ends it.
pub struct PublisherProcess {
    process: Mutex<Child>,
    input: Mutex<ChildStdin>,
    /// Kept open: what writes to a closed pipe ends.
    _output: Lines<BufReader<ChildStdout>>,
    endpoint: String,
}

impl PublisherProcess {
    /// Starts it on a loopback port; it waits for [`PublisherProcess::go`]. `rate` is in messages per second, none is as fast as it
    /// can; `forever` repeats the file until it is stopped.
    pub async fn start(port: u16, file: &Path, rate: Option<f64>, forever: bool) -> Result<PublisherProcess> {
        let mut command = Command::new(paths::program("tidings-publish")?);
        command.arg(format!("--port={port}")).args(rate.map(|rate| format!("--rate={rate}")));
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
        let input = process.stdin.take().context("its standard input")?;
        let output = process.stdout.take().context("its standard output")?;
        let mut lines = BufReader::new(output).lines();
        let line =
            timeout(BIND_TIME, lines.next_line()).await.context("tidings-publish does not say that it is bound")??;
        let endpoint = line.as_deref().and_then(|line| line.strip_prefix("bound ")).map(str::to_owned);
        let endpoint = endpoint.with_context(|| format!("tidings-publish said {line:?}"))?;
        Ok(PublisherProcess { process: Mutex::new(process), input: Mutex::new(input), _output: lines, endpoint })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Begins to publish.
    pub async fn go(&self) -> Result<()> {
        self.input.lock().await.write_all(b"go\n").await.context("telling tidings-publish to begin")
    }

    /// Waits until the process ends by itself, which it does only in trouble.
    pub async fn ended(&self) -> Result<()> {
        let status = self.process.lock().await.wait().await.context("waiting for tidings-publish")?;
        ensure!(status.success(), "tidings-publish ended with {status}");
        Ok(())
    }

    /// Ends its input, and with it the process.
    pub async fn stop(self) -> Result<()> {
        drop(self.input);
        let mut process = self.process.into_inner();
        let status = timeout(STOP_TIME, process.wait()).await.context("tidings-publish does not stop")??;
        ensure!(status.success(), "tidings-publish ended with {status}");
        Ok(())
    }
}
