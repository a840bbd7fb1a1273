//! ngircd, as an independent IRC server with its own configuration on a loopback port, and a client that reads the lines of
//! an IRC channel.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::{port, wait};

const NGIRCD: &str = "/usr/sbin/ngircd";
/// The time limit from the start until the server accepts connections, and of each wait for a line.
const START_TIME: Duration = Duration::from_secs(20);
/// The time limit from SIGTERM to the end of the process.
const STOP_TIME: Duration = Duration::from_secs(20);

/// A running ngircd. Dropping it kills the process.
pub struct Ngircd {
    configuration: PathBuf,
    pub port: u16,
    process: Child,
}

impl Ngircd {
    /// Starts the server in an existing directory. `limits` has further lines of the section `Limits` of its configuration,
    /// and further sections.
    pub async fn start(dir: &Path, limits: &str) -> Result<Ngircd> {
        let port = port::free()?;
        let configuration = dir.join("ngircd.conf");
        let text = format!(
            "[Global]\nName = irc.tidings.example\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\nMotdPhrase = hello\n\
             [Limits]\nMaxConnectionsIP = 0\nMaxNickLength = 16\n{limits}\n\
             [Options]\nDNS = no\nIdent = no\nPAM = no\n"
        );
        std::fs::write(&configuration, text).context("writing ngircd.conf")?;
        let process = spawn(&configuration)?;
        let server = Ngircd { configuration, port, process };
        server.ready().await?;
        Ok(server)
    }

    /// Sends SIGTERM and waits for the end of the process.
    pub async fn stop(&mut self) -> Result<()> {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(id.context("ngircd has already ended")?, Signal::TERM).context("sending SIGTERM")?;
        timeout(STOP_TIME, self.process.wait())
            .await
            .context("ngircd did not end in time")?
            .context("waiting for ngircd")?;
        Ok(())
    }

    /// Starts the server again, on the same port.
    pub async fn restart(&mut self) -> Result<()> {
        self.process = spawn(&self.configuration)?;
        self.ready().await
    }

    /// Counts the connections since the start of the server, as numeric 250 reports them, without the one of
    /// [`Ngircd::start`] and the one of this call.
    pub async fn connections(&self) -> Result<usize> {
        let client = register(self, "counter", |line| line.split(' ').nth(1) == Some("250")).await?;
        let count = client.line.split_once('(').and_then(|(_, rest)| rest.split(' ').next()?.parse::<usize>().ok());
        let count = count.with_context(|| format!("there is no count in {}", client.line))?;
        count.checked_sub(2).context("the server counts fewer connections than were made")
    }

    /// Sends `text` to `nick` in private, and returns the reply.
    pub async fn ask(&self, nick: &str, text: &str) -> Result<String> {
        let mut asker = register(self, "asker", |line| line.split(' ').nth(1) == Some("376")).await?;
        asker.output.write_all(format!("PRIVMSG {nick} :{text}\r\n").as_bytes()).await?;
        let (from, to) = (format!(":{nick}!"), " NOTICE asker :");
        asker.until(|line| line.starts_with(&from) && line.contains(to)).await?;
        Ok(asker.line.split_once(to).map(|(_, reply)| reply.to_owned()).unwrap_or_default())
    }

    async fn ready(&self) -> Result<()> {
        let address = ("127.0.0.1", self.port);
        wait::until("ngircd accepts connections", START_TIME, async || Ok(TcpStream::connect(address).await.ok()))
            .await?;
        Ok(())
    }
}

fn spawn(configuration: &Path) -> Result<Child> {
    let mut command = Command::new(NGIRCD);
    command.arg("-n").arg("-f").arg(configuration).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true).spawn().with_context(|| format!("running {NGIRCD}; `cargo xtask setup` installs it"))
}

/// A client that is connected to the server.
struct IrcClient {
    lines: Lines<BufReader<OwnedReadHalf>>,
    output: OwnedWriteHalf,
    /// The last line from the server.
    line: String,
}

impl IrcClient {
    /// Reads until a line is wanted.
    async fn until(&mut self, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let read = async {
            while let Some(line) = self.lines.next_line().await? {
                self.line = line;
                if wanted(&self.line) {
                    return Ok(true);
                }
            }
            Ok::<_, std::io::Error>(false)
        };
        let found = timeout(START_TIME, read).await.context("the expected line did not arrive in time")??;
        ensure!(found, "the server closed the connection before the expected line");
        Ok(())
    }
}

/// Connects with a nick; returns when a line is wanted.
async fn register(server: &Ngircd, nick: &str, wanted: impl Fn(&str) -> bool) -> Result<IrcClient> {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).await.with_context(|| format!("{nick} connects"))?;
    let (input, mut output) = stream.into_split();
    output.write_all(format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n").as_bytes()).await?;
    let mut client = IrcClient { lines: BufReader::new(input).lines(), output, line: String::new() };
    client.until(wanted).await?;
    Ok(client)
}

/// A line in an IRC channel, and the time of its arrival.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub text: String,
    pub at: Instant,
}

/// A client that reads an IRC channel. It keeps the lines of all its connections.
#[derive(Clone, Default)]
pub struct Reader {
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    pings: Arc<AtomicUsize>,
}

impl Reader {
    /// Connects and joins the IRC channel; returns when the server has confirmed that.
    pub async fn join(&self, server: &Ngircd, channel: &str) -> Result<()> {
        let mut client = register(server, "reader", |line| line.split(' ').nth(1) == Some("376")).await?;
        client.output.write_all(format!("JOIN {channel}\r\n").as_bytes()).await?;
        client.until(|line| line.split(' ').nth(1) == Some("366")).await.context("joining the IRC channel")?;
        let IrcClient { mut lines, mut output, .. } = client;
        let (arrivals, pings) = (Arc::clone(&self.arrivals), Arc::clone(&self.pings));
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(token) = line.strip_prefix("PING ") {
                    pings.fetch_add(1, Ordering::Relaxed);
                    // A write fails only when the server has ended; then the next read ends this task.
                    let _ = output.write_all(format!("PONG {token}\r\n").as_bytes()).await;
                } else if let Some((_, text)) = line.split_once(" PRIVMSG ").and_then(|(_, rest)| rest.split_once(" :"))
                {
                    let arrival = Arrival { text: text.to_owned(), at: Instant::now() };
                    arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
                }
            }
        });
        Ok(())
    }

    /// Every line of the channel so far, in order of arrival.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the PINGs of the server. The server sends one to a client that has been idle for its `PingTimeout`.
    pub fn pings(&self) -> usize {
        self.pings.load(Ordering::Relaxed)
    }
}
