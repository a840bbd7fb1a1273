//! Postfix, as an independent mail server: with its own configuration, queue and mailboxes, on a loopback port. It delivers
//! to mail directories and must not send mail elsewhere. Only root can start it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mail_parser::{Message, MessageParser};
use tokio::net::TcpStream;

use crate::{port, wait};

const POSTFIX: &str = "/usr/sbin/postfix";
/// The time limit from its start until it accepts connections.
const START_TIME: Duration = Duration::from_secs(60);
/// The services beside the one that receives mail.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

/// A running Postfix. Dropping it stops it.
pub struct Postfix {
    dir: PathBuf,
    /// The address at which it receives mail.
    pub smtp: SocketAddr,
}

impl Postfix {
    /// Starts Postfix in an existing directory, with a mailbox for each address.
    pub async fn start(dir: &Path, addresses: &[&str]) -> Result<Postfix> {
        let smtp = SocketAddr::from(([127, 0, 0, 1], port::free()?));
        let postfix = Postfix { dir: dir.to_owned(), smtp };
        postfix.configure(addresses)?;
        postfix.command("start")?;
        wait::until("Postfix accepts connections", START_TIME, async || Ok(TcpStream::connect(smtp).await.ok()))
            .await?;
        Ok(postfix)
    }

    fn configure(&self, addresses: &[&str]) -> Result<()> {
        let (dir, etc) = (self.dir.display(), self.dir.join("etc"));
        // The processes of Postfix drop the rights of root, and must still be able to enter the directory.
        fs::set_permissions(&self.dir, fs::Permissions::from_mode(0o755))?;
        for name in ["etc", "queue", "data", "mail"] {
            fs::create_dir(self.dir.join(name))?;
        }
        let user = account("postfix")?;
        for name in ["data", "mail"] {
            std::os::unix::fs::chown(self.dir.join(name), Some(user), None)?;
        }
        let boxes: String = addresses.iter().map(|address| format!("{address} {}/\n", mailbox(address))).collect();
        fs::write(etc.join("mailboxes"), boxes)?;
        let port = self.smtp.port();
        fs::write(etc.join("master.cf"), format!("127.0.0.1:{port} inet n - n - - smtpd\n{SERVICES}"))?;
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {dir}/queue\ndata_directory = {dir}/data\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\n\
             myhostname = mta.tidings.example\nmydestination =\nalias_maps =\nalias_database =\nsmtputf8_enable = yes\n\
             default_transport = error:this server does not relay\nmaillog_file_prefixes = {dir}\n\
             maillog_file = {dir}/postfix.log\nvirtual_mailbox_domains = example.org\n\
             virtual_mailbox_base = {dir}/mail\nvirtual_mailbox_maps = texthash:{dir}/etc/mailboxes\n\
             virtual_uid_maps = static:{user}\nvirtual_gid_maps = static:{user}\n"
        );
        fs::write(etc.join("main.cf"), main).context("writing main.cf")
    }

    fn command(&self, name: &str) -> Result<()> {
        let mut command = Command::new(POSTFIX);
        command.arg("-c").arg(self.dir.join("etc")).arg(name).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("running {POSTFIX}; `cargo xtask setup` installs it"))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "postfix {name}: {}: {errors}", output.status);
        Ok(())
    }

    /// The mails in the mailbox of an address, in no order.
    pub fn mails(&self, address: &str) -> Result<Vec<Message<'static>>> {
        let dir = self.dir.join("mail").join(mailbox(address)).join("new");
        if !dir.exists() {
            return Ok(Vec::new());
        }
        let files = fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))?;
        files
            .map(|file| {
                let raw = fs::read(file?.path())?;
                let message = MessageParser::default().parse(&raw).context("a file in the mailbox is not a mail")?;
                Ok(message.into_owned())
            })
            .collect()
    }

    /// The content of the log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("postfix.log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if let Err(error) = self.command("stop") {
            eprintln!("{error:#}");
        }
        if std::thread::panicking() {
            eprintln!("--- the log of Postfix ---\n{}", self.log());
        }
    }
}

/// The directory of the mailbox of an address.
fn mailbox(address: &str) -> &str {
    address.split_once('@').map_or(address, |(local, _)| local)
}

/// The user id of a system account.
fn account(name: &str) -> Result<u32> {
    let output = Command::new("id").args(["-u", name]).output().context("running id")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .with_context(|| format!("there is no system account {name}; `cargo xtask setup` installs Postfix"))
}
