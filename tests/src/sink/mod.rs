//! A mail server that keeps what it gets in memory and shows it on a page. It can be told to misbehave. It sends nothing
//! on and listens on loopback only as long as it is told so.

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
pub use script::{Act, Phase, Script, ScriptRule};

use crate::client::TestClient;

/// A running mail server. Dropping it stops it.
pub struct MailSink {
    /// Where it takes mail.
    pub smtp: SocketAddr,
    /// What it took.
    pub mails: Mailbox,
    /// How it is to misbehave.
    pub script: Script,
    tasks: JoinSet<()>,
}

impl MailSink {
    /// Takes mail at `address`; port 0 is any free one.
    pub async fn start(address: SocketAddr) -> Result<MailSink> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        let (mails, script) = (Mailbox::default(), Script::default());
        let smtp = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(smtp::serve(listener, mails.clone(), script.clone()));
        Ok(MailSink { smtp, mails, script, tasks })
    }

    /// Shows the mails on a page at `address`, and the queue of `daemon` where there is one. Returns where it is.
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
