//! Publishes a file of messages on a ZeroMQ PUB socket, in the wire format of fedmsg. It prints `bound ENDPOINT` and begins
//! after the line `go` on its standard input, so that a subscriber can connect before. It ends at the end of its input.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use tidings_tests::publisher::TestPublisher;
use tidings_tests::samples;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::time::{MissedTickBehavior, interval};

#[derive(Parser)]
#[command(version, about = "Publish a file of bus messages over ZeroMQ")]
struct Arguments {
    /// One JSON object on each line, with `topic` and `msg`
    file: PathBuf,
    /// The loopback port to listen on; 0 is any free one
    #[arg(long)]
    port: u16,
    /// Messages per second; by default as fast as possible
    #[arg(long)]
    rate: Option<f64>,
    /// Begin again at the end of the file
    #[arg(long)]
    forever: bool,
    /// Begin immediately, without waiting for `go`
    #[arg(long)]
    now: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.rate.is_none_or(|rate| rate > 0.0 && rate.is_finite()), "--rate must be more than 0");
    let mut publisher = TestPublisher::bind(arguments.port).await?;
    println!("bound {}", publisher.endpoint());
    let mut lines = BufReader::new(stdin()).lines();
    if !arguments.now && !wait_for_go(&mut lines).await? {
        return Ok(());
    }
    tokio::select! {
        result = publish(&mut publisher, &arguments) => result?,
        _ = input_ends(&mut lines) => return Ok(()),
    }
    // The socket must stay open until all messages are sent.
    input_ends(&mut lines).await;
    Ok(())
}

async fn publish(publisher: &mut TestPublisher, arguments: &Arguments) -> Result<()> {
    let messages = samples::json_lines(&arguments.file)?;
    ensure!(!messages.is_empty(), "{} has no messages", arguments.file.display());
    let mut pace = arguments.rate.map(|rate| interval(Duration::from_secs_f64(1.0 / rate)));
    if let Some(pace) = &mut pace {
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        for message in &messages {
            match &mut pace {
                Some(pace) => drop(pace.tick().await),
                None => tokio::task::yield_now().await,
            }
            publisher.send(message).await?;
        }
        if !arguments.forever {
            return Ok(());
        }
    }
}

/// Waits for the line `go`; returns false at the end of the input.
async fn wait_for_go(lines: &mut Lines<BufReader<Stdin>>) -> Result<bool> {
    while let Some(line) = lines.next_line().await? {
        if line.trim() == "go" {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn input_ends(lines: &mut Lines<BufReader<Stdin>>) {
    while let Ok(Some(_)) = lines.next_line().await {}
}
