//! The tools of the repository: `cargo xtask <command>`. This file only lists the commands; each is a module.

mod audit;
mod bench;
mod check;
mod corpus;
mod plugins;
mod process;
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
    /// Checks licences, sources and advisories of all dependencies with cargo-deny, which it installs where it is missing.
    Audit,
    /// Builds the plugins into target/plugins/*.wasm, with the first toolchain that works on this machine.
    BuildPlugins(plugins::PluginBuildArgs),
    /// Builds the sample plugins in Python and JavaScript into target/plugins/*-sample.wasm.
    BuildSamples,
    /// Checks format, lints, documentation and the rules of tidy; installs nothing.
    Check,
    /// Runs daemon, bus and mail server on this machine and shows the mails on a page.
    Run(run::DemoArgs),
    /// Compares the catalogue with real messages, where they are beside this checkout.
    Corpus,
    /// Measures the components and the whole; prints one JSON object a line: name, value, unit.
    Bench,
    /// Replays the history of Fedora Notifications under five strategies; writes docs/story.md and its pictures.
    Story,
    /// Installs the programs and packages that the tests use.
    Setup,
    /// Writes docs/limits.md from the constants in the sources.
    Limits,
    /// Installs what it needs and runs every check and test.
    Test,
    /// Checks the rules that neither the compiler nor clippy knows.
    Tidy,
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Audit => audit::audit(),
        Command::BuildPlugins(args) => plugins::run(&args),
        Command::BuildSamples => samples::run(),
        Command::Run(args) => run::run(&args),
        Command::Bench => bench::run(),
        Command::Check => check::run(),
        Command::Corpus => corpus::run(),
        Command::Story => story::run(),
        Command::Setup => setup::run(),
        Command::Limits => tidy::write_limits(),
        Command::Test => test::run(),
        Command::Tidy => tidy::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
