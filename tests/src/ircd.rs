//! A real IRC server that nobody here wrote: ngircd, with a configuration of its own, on a loopback port; and somebody who
//! reads along in a channel.

use std::path::{Path, PathBuf};
use std::process::Stdio;
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
    /// Starts it in an existing directory. `limits` are further lines of that section of its configuration, and whatever
    /// sections follow it.
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

    /// How many connections it has taken since it was started, beside the one that looked whether it takes any, and the one
    /// that asks: numeric 250 tells everybody who comes.
    pub async fn connections(&self) -> Result<usize> {
        let told = register(self, "counter", |line| line.split(' ').nth(1) == Some("250")).await?;
        let count = told.line.split_once('(').and_then(|(_, rest)| rest.split(' ').next()?.parse::<usize>().ok());
        count.with_context(|| format!("no count in {}", told.line))?.checked_sub(2).context("fewer than were made")
    }

    /// What `nick` answers when somebody says `text` to it in private.
    pub async fn ask(&self, nick: &str, text: &str) -> Result<String> {
        let mut asker = register(self, "asker", |line| line.split(' ').nth(1) == Some("376")).await?;
        asker.output.write_all(format!("PRIVMSG {nick} :{text}\r\n").as_bytes()).await?;
        let (from, to) = (format!(":{nick}!"), " NOTICE asker :");
        asker.until(|line| line.starts_with(&from) && line.contains(to)).await?;
        Ok(asker.line.split_once(to).map(|(_, answer)| answer.to_owned()).unwrap_or_default())
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

/// Somebody on the server.
struct Guest {
    lines: Lines<BufReader<OwnedReadHalf>>,
    output: OwnedWriteHalf,
    /// The last line that came.
    line: String,
}

impl Guest {
    /// Reads until a line is the one that is waited for.
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
        let came = timeout(START_TIME, read).await.context("the server does not say what is waited for")??;
        ensure!(came, "the server closed the connection");
        Ok(())
    }
}

/// Connects under a nick; returns when the line that is waited for has come.
async fn register(server: &Ngircd, nick: &str, wanted: impl Fn(&str) -> bool) -> Result<Guest> {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).await.with_context(|| format!("{nick} connects"))?;
    let (input, mut output) = stream.into_split();
    output.write_all(format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n").as_bytes()).await?;
    let mut guest = Guest { lines: BufReader::new(input).lines(), output, line: String::new() };
    guest.until(wanted).await?;
    Ok(guest)
}

/// What was said in a channel, and when it came.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub text: String,
    pub at: Instant,
}

/// Somebody who reads in a channel. What was said there is kept over all connections.
#[derive(Clone, Default)]
pub struct Reader {
    arrivals: Arc<Mutex<Vec<Arrival>>>,
}

impl Reader {
    /// Connects and joins; returns when it hears what is said.
    pub async fn join(&self, server: &Ngircd, channel: &str) -> Result<()> {
        let mut guest = register(server, "reader", |line| line.split(' ').nth(1) == Some("376")).await?;
        guest.output.write_all(format!("JOIN {channel}\r\n").as_bytes()).await?;
        guest.until(|line| line.split(' ').nth(1) == Some("366")).await.context("the reader cannot join")?;
        let Guest { mut lines, mut output, .. } = guest;
        let arrivals = Arc::clone(&self.arrivals);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(token) = line.strip_prefix("PING ") {
                    // The reader ends with the server.
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

    /// All of them, in the order in which they came.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
