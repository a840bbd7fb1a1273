//! Runs the demonstration on this machine. `cargo xtask run` builds everything and starts it.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use tidings_tests::demo::{self, Options};
use tidings_tests::paths;

#[derive(Parser)]
#[command(version, about = "From a message on the bus to a mail, on this machine")]
struct Arguments {
    /// Publish the samples once, wait for every expected mail, print a summary and stop
    #[arg(long)]
    once: bool,
    /// The address of the page; port 0 is any free one
    #[arg(long, default_value = "127.0.0.1:0")]
    page: SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let dir = paths::root().join("target/demo");
    match demo::run(Options { once: arguments.once, page: arguments.page, dir }).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
