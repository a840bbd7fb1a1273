//! An independent publisher: the fedmsg library for Python, in a process of its own.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::paths;
use crate::samples::SampleMessage;

/// The time limit from the start of the process until its socket is bound, and of one message.
const REPLY_TIME: Duration = Duration::from_secs(60);
const PREFIX: &str = "org.fedoraproject.dev.";

/// The process of a publisher. Dropping it kills the process.
pub struct Fedmsg {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Fedmsg {
    /// Starts the process; it publishes on this loopback port.
    pub async fn start(port: u16) -> Result<Fedmsg> {
        let mut process = Command::new(paths::root().join("target/venv/bin/python"))
            .arg(paths::root().join("tests/python/publish.py"))
            .args([&port.to_string(), "dev"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting Python; `cargo xtask setup` installs what it needs")?;
        let input = process.stdin.take().context("the standard input of Python")?;
        let output = BufReader::new(process.stdout.take().context("the standard output of Python")?).lines();
        let mut fedmsg = Fedmsg { process, input, output };
        fedmsg.expect("bound").await?;
        Ok(fedmsg)
    }

    /// Publishes a message; returns when the library has accepted it.
    pub async fn send(&mut self, message: &SampleMessage) -> Result<()> {
        let name =
            message.topic.strip_prefix(PREFIX).with_context(|| format!("{} has another prefix", message.topic))?;
        let (modname, topic) = name.split_once('.').with_context(|| format!("{name} has no application"))?;
        let line = format!("{}\n", json!({"modname": modname, "topic": topic, "msg": message.msg}));
        self.input.write_all(line.as_bytes()).await.context("sending a message to Python")?;
        self.expect("published").await
    }

    /// Sends SIGKILL and waits for the end of the process.
    pub async fn kill(mut self) -> Result<()> {
        self.process.kill().await.context("killing Python")
    }

    async fn expect(&mut self, reply: &str) -> Result<()> {
        let line = timeout(REPLY_TIME, self.output.next_line()).await.context("Python did not reply in time")??;
        ensure!(line.as_deref() == Some(reply), "Python printed {line:?} instead of {reply}");
        Ok(())
    }
}
