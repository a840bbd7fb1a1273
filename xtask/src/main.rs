//! The repository's own tools: `cargo xtask <command>`. This file only says which commands there are; each is a module.

mod bench;
mod corpus;
mod plugins;
mod run;
mod samples;
mod setup;
mod story;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

/// Tools for building, running and testing Tidings from a clone.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Builds the plugins into target/plugins/*.wasm, by the first way that works here.
    BuildPlugins(plugins::Args),
    /// Builds the sample plugins in Python and JavaScript into target/plugins/*-sample.wasm.
    BuildSamples,
    /// Runs the whole on this machine, from a message on the bus to a mail, and shows it on a page.
    Run(run::Args),
    /// Compares the catalogue with real messages, where they are beside this checkout; fails below the bar.
    Corpus,
    /// Prints what the whole does here, one JSON object a line: name, value, unit.
    Bench,
    /// Replays the story of Fedora Notifications under five strategies; writes docs/story.md and its pictures.
    Story,
    /// Installs what the tests use and is not ours.
    Setup,
    /// Writes docs/limits.md from the constants in the sources.
    Limits,
    /// Sets up what it needs and runs every check and test.
    Test,
    /// Checks the rules that neither the compiler nor clippy knows.
    Tidy,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::BuildPlugins(args) => plugins::run(&args),
        Command::BuildSamples => samples::run(),
        Command::Run(args) => run::run(&args),
        Command::Bench => bench::run(),
        Command::Corpus => corpus::run(),
        Command::Story => story::run(),
        Command::Setup => setup::run(),
        Command::Limits => tidy::write_limits(),
        Command::Test => test::all(),
        Command::Tidy => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
