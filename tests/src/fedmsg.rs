//! A publisher that nobody here wrote: Python's fedmsg, in a process of its own.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::paths;
use crate::samples::SampleMessage;

/// From the start of the process until its socket is bound, and for one message.
const ANSWER_TIME: Duration = Duration::from_secs(60);
const PREFIX: &str = "org.fedoraproject.dev.";

/// A publisher's process. Dropping it kills it.
pub struct Fedmsg {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Fedmsg {
    /// Starts it on a loopback port.
    pub async fn start(port: u16) -> Result<Fedmsg> {
        let mut process = Command::new(paths::root().join("target/venv/bin/python"))
            .arg(paths::root().join("tests/python/publish.py"))
            .args([&port.to_string(), "dev"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting Python; `cargo xtask setup` installs what it needs")?;
        let input = process.stdin.take().context("its standard input")?;
        let output = BufReader::new(process.stdout.take().context("its standard output")?).lines();
        let mut fedmsg = Fedmsg { process, input, output };
        fedmsg.expect("bound").await?;
        Ok(fedmsg)
    }

    /// Publishes; returns when the library took the message.
    pub async fn send(&mut self, message: &SampleMessage) -> Result<()> {
        let name =
            message.topic.strip_prefix(PREFIX).with_context(|| format!("{} has another prefix", message.topic))?;
        let (modname, topic) = name.split_once('.').with_context(|| format!("{name} has no application"))?;
        let line = format!("{}\n", json!({"modname": modname, "topic": topic, "msg": message.msg}));
        self.input.write_all(line.as_bytes()).await.context("telling Python to publish")?;
        self.expect("published").await
    }

    /// SIGKILL; returns when the process is gone.
    pub async fn kill(mut self) -> Result<()> {
        self.process.kill().await.context("killing Python")
    }

    async fn expect(&mut self, word: &str) -> Result<()> {
        let line = timeout(ANSWER_TIME, self.output.next_line()).await.context("Python does not answer")??;
        ensure!(line.as_deref() == Some(word), "Python said {line:?} instead of {word}");
        Ok(())
    }
}
