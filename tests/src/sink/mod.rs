//! A mail server that stores mails in memory and shows them on a page. It can fail on request. It must not relay mail. It
//! has no access control, so it should listen on loopback.

mod mails;
mod page;
mod script;
mod session;
mod smtp;
mod watch;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use mails::{Mail, Mailbox};
pub use script::{Phase, Script, ScriptRule, SmtpFault};

use crate::client::TestClient;

/// A running mail server. Dropping it stops it.
pub struct MailSink {
    /// The address at which it receives mail.
    pub smtp: SocketAddr,
    /// The accepted mails.
    pub mails: Mailbox,
    /// The failures on request.
    pub script: Script,
    tasks: JoinSet<()>,
}

impl MailSink {
    /// Starts to receive mail at `address`; port 0 is any free one.
    pub async fn start(address: SocketAddr) -> Result<MailSink> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        let (mails, script) = (Mailbox::default(), Script::default());
        let smtp = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(smtp::serve(listener, mails.clone(), script.clone()));
        Ok(MailSink { smtp, mails, script, tasks })
    }

    /// Shows the mails on a page at `address`, and the queue of `daemon` if there is one. Returns the address of the page.
    pub async fn show(&mut self, address: SocketAddr, daemon: Option<TestClient>) -> Result<SocketAddr> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        let bound = listener.local_addr()?;
        let watched = watch::Watched::default();
        if let Some(daemon) = daemon {
            self.tasks.spawn(watch::poll(daemon, watched.clone()));
        }
        let app = page::router(self.mails.clone(), watched)?;
        self.tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("the page stopped: {error}");
            }
        });
        Ok(bound)
    }
}
