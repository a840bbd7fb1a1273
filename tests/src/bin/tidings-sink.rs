//! A mail server for experiments: it stores mails in memory and shows them on a page. It must not relay mail.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use tidings_tests::client::TestClient;
use tidings_tests::sink::MailSink;

#[derive(Parser)]
#[command(version, about = "A mail server that shows its mail on a page")]
struct Arguments {
    /// The address at which to receive mail
    #[arg(long, default_value = "127.0.0.1:2525")]
    smtp: SocketAddr,
    /// The address of the page
    #[arg(long, default_value = "127.0.0.1:8025")]
    http: SocketAddr,
    /// The API of a daemon whose queue the page shows, as address:port
    #[arg(long, requires = "token_file")]
    daemon: Option<SocketAddr>,
    /// A file with a token for the API of the daemon
    #[arg(long)]
    token_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let token = match &arguments.token_file {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Some(text.trim().to_owned())
        }
        None => None,
    };
    let mut sink = MailSink::start(arguments.smtp).await?;
    let page = sink.show(arguments.http, arguments.daemon.map(|address| TestClient::new(address, token))).await?;
    println!("mail at {}, page at http://{page}/", sink.smtp);
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")
}
