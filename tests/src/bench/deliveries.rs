//! From the outbox to the mail server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{LIMIT, OUTSTANDING, everything, stage, tell};
use crate::channel;
use crate::samples;
use crate::sink::MailSink;
use crate::wait;

/// Mails that are sent.
const MAILS: u64 = 4_000;

/// Mails per second from the outbox through the sandboxed plugin to the sink; the baseline is a native client that sends
/// as many over one connection, without pipelining.
pub(super) async fn deliveries() -> Result<()> {
    let native = native_client().await?;
    let stage = stage().await?;
    channel::switch(&stage.client, "email", false).await?;
    channel::subscribe(&stage.client, &everything("git")).await?;
    let message = samples::messages()?.into_iter().find(|message| message.topic.contains(".git."));
    let message = message.context("there is a sample of git")?;
    let mut publisher = stage.publisher;
    let client = &stage.client;
    let accepted = async || anyhow::Ok(client.books().await?.remove("email").unwrap_or_default().accepted);
    let mut sent = 0;
    while sent < MAILS {
        for _ in 0..OUTSTANDING.min(MAILS - sent) {
            publisher.send(&message).await?;
            sent += 1;
        }
        wait::until("the messages are accepted", LIMIT, async || Ok((accepted().await? >= sent).then_some(()))).await?;
    }
    let began = Instant::now();
    channel::switch(client, "email", true).await?;
    while stage.sink.mails.count() < MAILS {
        ensure!(began.elapsed() < LIMIT, "{} of {MAILS} mails arrived", stage.sink.mails.count());
        sleep(Duration::from_millis(1)).await;
    }
    let rate = MAILS as f64 / began.elapsed().as_secs_f64();
    tell("deliveries_per_s", rate, "deliveries/s");
    tell("native_smtp_per_s", native, "mails/s");
    tell("deliveries_vs_native_smtp", rate / native, "ratio");
    stage.daemon.terminate().await.map(drop)
}

async fn native_client() -> Result<f64> {
    let sink = MailSink::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let stream = TcpStream::connect(sink.smtp).await?;
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut reply = async || -> Result<()> {
        loop {
            let line = lines.next_line().await?.context("the sink closed the connection")?;
            ensure!(line.starts_with(['2', '3']), "the sink said {line}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    };
    let body = "A line of text as long as lines of mails are used to be.\r\n".repeat(20);
    let data = format!("Subject: native\r\nMessage-ID: <native@tidings.example>\r\n\r\n{body}.\r\n");
    reply().await?;
    write.write_all(b"EHLO bench.example\r\n").await?;
    reply().await?;
    let began = Instant::now();
    for _ in 0..MAILS {
        for command in ["MAIL FROM:<a@tidings.example>\r\n", "RCPT TO:<b@tidings.example>\r\n", "DATA\r\n", &data] {
            write.write_all(command.as_bytes()).await?;
            reply().await?;
        }
    }
    Ok(MAILS as f64 / began.elapsed().as_secs_f64())
}
