//! Deliveries per second from the outbox to the mail server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{LIMIT, OUTSTANDING, everything, report, start_harness};
use crate::channel;
use crate::samples;
use crate::sink::MailSink;
use crate::wait;

/// The number of mails.
const MAILS: u64 = 4_000;

/// Measures mails per second from the outbox through the sandboxed plugin to the sink. The baseline is a native client that
/// sends as many over one connection, without pipelining.
pub(super) async fn deliveries() -> Result<()> {
    let native = native_client().await?;
    let harness = start_harness().await?;
    channel::switch(&harness.client, "email", false).await?;
    channel::subscribe(&harness.client, &everything("git")).await?;
    let message = samples::messages()?.into_iter().find(|message| message.topic.contains(".git."));
    let message = message.context("the samples have no message of git")?;
    let mut publisher = harness.publisher;
    let client = &harness.client;
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
    while harness.sink.mails.count() < MAILS {
        ensure!(began.elapsed() < LIMIT, "{} of {MAILS} mails arrived", harness.sink.mails.count());
        sleep(Duration::from_millis(1)).await;
    }
    let rate = MAILS as f64 / began.elapsed().as_secs_f64();
    report("deliveries_per_s", rate, "deliveries/s");
    report("native_smtp_per_s", native, "mails/s");
    report("deliveries_vs_native_smtp", rate / native, "ratio");
    harness.daemon.terminate().await.map(drop)
}

/// Mails per second of the native client.
async fn native_client() -> Result<f64> {
    let sink = MailSink::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let stream = TcpStream::connect(sink.smtp).await?;
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut reply = async || -> Result<()> {
        loop {
            let line = lines.next_line().await?.context("the sink closed the connection")?;
            ensure!(line.starts_with(['2', '3']), "the sink replied {line}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    };
    let body = "A line of text with the usual length of a line in a mail.\r\n".repeat(20);
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
