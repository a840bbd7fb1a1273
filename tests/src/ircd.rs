//! A real IRC server that nobody here wrote: ngircd, with a configuration of its own, on a loopback port; and somebody who
//! reads along in a channel.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::{port, wait};

const NGIRCD: &str = "/usr/sbin/ngircd";
/// From starting it until it takes connections, and until a reader is in its channel.
const START_TIME: Duration = Duration::from_secs(20);
/// From SIGTERM to its end.
const STOP_TIME: Duration = Duration::from_secs(20);

/// A running ngircd. Dropping it kills it.
pub struct Ngircd {
    configuration: PathBuf,
    pub port: u16,
    process: Child,
}

impl Ngircd {
    /// Starts it in an existing directory. Its penalties for floods are off: they only make it read later.
    pub async fn start(dir: &Path) -> Result<Ngircd> {
        let port = port::free()?;
        let configuration = dir.join("ngircd.conf");
        let text = format!(
            "[Global]\nName = irc.tidings.example\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\nMotdPhrase = hello\n\
             [Limits]\nMaxConnectionsIP = 0\nMaxNickLength = 16\nMaxPenaltyTime = 0\n\
             [Options]\nDNS = no\nIdent = no\nPAM = no\n"
        );
        std::fs::write(&configuration, text).context("writing ngircd.conf")?;
        let process = spawn(&configuration)?;
        let server = Ngircd { configuration, port, process };
        server.ready().await?;
        Ok(server)
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(&mut self) -> Result<()> {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(id.context("ngircd has ended already")?, Signal::TERM).context("sending SIGTERM")?;
        timeout(STOP_TIME, self.process.wait()).await.context("ngircd does not end")?.context("waiting for ngircd")?;
        Ok(())
    }

    /// Starts it again on the same port.
    pub async fn again(&mut self) -> Result<()> {
        self.process = spawn(&self.configuration)?;
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        let address = ("127.0.0.1", self.port);
        wait::until("ngircd takes connections", START_TIME, async || Ok(TcpStream::connect(address).await.ok()))
            .await?;
        Ok(())
    }
}

fn spawn(configuration: &Path) -> Result<Child> {
    let mut command = Command::new(NGIRCD);
    command.arg("-n").arg("-f").arg(configuration).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true).spawn().with_context(|| format!("running {NGIRCD}; `cargo xtask setup` installs it"))
}

/// Somebody who reads in a channel. What was said there is kept over all connections.
#[derive(Clone, Default)]
pub struct Reader {
    texts: Arc<Mutex<Vec<String>>>,
}

impl Reader {
    /// Connects and joins; returns when it hears what is said.
    pub async fn join(&self, server: &Ngircd, channel: &str) -> Result<()> {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).await.context("the reader connects")?;
        let (input, mut output) = stream.into_split();
        let mut lines = BufReader::new(input).lines();
        output.write_all(format!("NICK reader\r\nUSER reader 0 * :reader\r\nJOIN {channel}\r\n").as_bytes()).await?;
        let joined = async {
            while let Some(line) = lines.next_line().await? {
                if line.split(' ').nth(1) == Some("366") {
                    return Ok(true);
                }
            }
            Ok::<_, std::io::Error>(false)
        };
        ensure!(
            timeout(START_TIME, joined).await.context("the reader cannot join")??,
            "the server closed the connection"
        );
        let texts = Arc::clone(&self.texts);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(token) = line.strip_prefix("PING ") {
                    // The reader ends with the server.
                    let _ = output.write_all(format!("PONG {token}\r\n").as_bytes()).await;
                } else if let Some((_, text)) = line.split_once(" PRIVMSG ").and_then(|(_, rest)| rest.split_once(" :"))
                {
                    texts.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
                }
            }
        });
        Ok(())
    }

    pub fn texts(&self) -> Vec<String> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
