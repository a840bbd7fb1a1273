//! The command line: the commands, and which part of the program each one calls. Commands about messages and rules are pure
//! functions of the domain and need no configuration. `token`, `secrets`, `migrate`, `replay`, `subscription import` and
//! `doctor` open the store. The others use the API of the running daemon.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 78 invalid configuration.

mod acl;
mod catalogue;
mod channel;
mod client;
mod compile;
mod component;
mod daemon;
mod deliveries;
mod digest;
mod doctor;
mod input;
mod messages;
mod output;
mod plugin;
mod rules;
mod secrets;
mod status;
mod subscription;
mod token;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};
use client::{ApiArgs, ApiClient};
use output::{Output, OutputError};

/// Invalid configuration (`EX_CONFIG` of sysexits.h): it tells a supervisor that a restart does not help.
const EXIT_CONFIG: u8 = 78;
/// Any other failure, also the end of a background task of the daemon.
const EXIT_FAILURE: u8 = 1;

/// Delivers the messages of a bus to the people whom they concern.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// The configuration file; variables TIDINGS__SECTION__KEY override it
    #[arg(
        long,
        global = true,
        env = "TIDINGS_CONFIG",
        value_name = "FILE",
        default_value = "/etc/tidings/tidings.toml"
    )]
    config: PathBuf,
    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon. SIGTERM drains, SIGHUP reads catalogue, aliases and access lists again
    Serve,
    /// Check the configuration and the files that it names
    CheckConfig,
    /// Migrate the database to the schema of this version
    Migrate,
    /// Manage tokens of the API
    Token(token::TokenArgs),
    /// Manage the key that seals channels' secrets
    Secrets(secrets::SecretsArgs),
    /// Manage channels: install, configure, grant, enable, test
    Channel(channel::ChannelArgs),
    /// Manage components, the files of plugins
    Component(component::ComponentArgs),
    /// Write a plugin: create, build, check, test, package
    Plugin(plugin::PluginArgs),
    /// Manage users' subscriptions
    Subscription(subscription::SubscriptionArgs),
    /// Manage access lists: holders of packages, members of groups
    Acl(acl::AclArgs),
    /// List and retry deliveries
    Deliveries(deliveries::DeliveriesArgs),
    /// Show the number of deliveries in each state
    Books(ApiArgs),
    /// Show the state of the daemon
    Status(ApiArgs),
    /// Process messages of a file with the database of a daemon that is not running
    Replay(daemon::ReplayArgs),
    /// Print the facts of messages, one JSON object for each line of standard input
    Facts(messages::FactsArgs),
    /// Print the recipients of messages, one JSON object for each line of standard input
    Match(messages::MatchArgs),
    /// Print the lines of a digest, one JSON array for the array of messages on standard input
    Digest(digest::DigestArgs),
    /// Check a deployer's own files of the catalogue
    Catalogue(catalogue::CatalogueArgs),
    /// List the rules for filters
    Rules(rules::RulesArgs),
    /// Check this installation for problems
    Doctor,
    /// Compile a component; the daemon runs this as a child process
    #[command(hide = true)]
    CompileComponent(compile::CompileArgs),
}

/// Parses the arguments and runs the command. Errors go to standard error.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors of clap too, and go to standard output.
            let printed = error.print();
            return if printed.is_ok() { exit_code(error.exit_code()) } else { ExitCode::FAILURE };
        }
    };
    let mut out = Output::stdout(cli.common.json);
    let done = dispatch(cli, &mut out).and_then(|code| out.flush().map(|()| code).map_err(Into::into));
    match done {
        Ok(code) => code,
        Err(error) if error.downcast_ref().is_some_and(OutputError::is_broken_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error cannot be written either, the exit code is the only report.
            let _ = writeln!(std::io::stderr(), "tidings: {error:#}");
            ExitCode::from(failure_code(&error))
        }
    }
}

fn dispatch(cli: Cli, out: &mut Output) -> anyhow::Result<ExitCode> {
    let Cli { common, command } = cli;
    let config = || Config::load(&common.config, std::env::vars());
    match command {
        Command::Serve => block_on(daemon::serve(config()?, common.config.clone()))?,
        Command::CheckConfig => daemon::check_config(&config()?, &common.config, out)?,
        Command::Migrate => block_on(daemon::migrate(&config()?, out))?,
        Command::Token(args) => block_on(token::run(args, &config()?, out))?,
        Command::Secrets(args) => block_on(secrets::run(args, &config()?, out))?,
        Command::Channel(args) => block_on(channel::run(args, out))?,
        Command::Component(args) => block_on(component::run(args, out))?,
        Command::Plugin(args) => return block_on(plugin::run(args, out)),
        Command::Subscription(args) => block_on(subscription::run(args, config, out))?,
        Command::Acl(args) => block_on(acl::run(args, out))?,
        Command::Deliveries(args) => block_on(deliveries::run(args, out))?,
        Command::Books(args) => block_on(deliveries::books(&ApiClient::new(&args)?, out))?,
        Command::Status(args) => block_on(status::run(&ApiClient::new(&args)?, out))?,
        Command::Replay(args) => block_on(daemon::replay(args, &config()?, &common.config, out))?,
        Command::Facts(args) => messages::facts(&args, out)?,
        Command::Match(args) => messages::recipients(&args, out)?,
        Command::Digest(args) => digest::run(&args, out)?,
        Command::Catalogue(args) => catalogue::run(&args, out)?,
        Command::Rules(args) => rules::run(args, out)?,
        Command::CompileComponent(args) => return Ok(compile::run(&args)),
        Command::Doctor => return block_on(doctor::run(&common.config, out)),
    }
    Ok(ExitCode::SUCCESS)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn failure_code(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() { EXIT_CONFIG } else { EXIT_FAILURE }
}

fn exit_code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_failed_task_and_an_invalid_configuration_have_exit_codes_of_their_own() {
        let task = crate::app::TaskFailure::Ended { task: "pruner" };
        assert_eq!(failure_code(&task.into()), 1);
        assert_eq!(failure_code(&ConfigError::File("an invalid catalogue".into()).into()), 78);
    }

    #[test]
    fn common_options_may_stand_anywhere() {
        for line in [
            "tidings token create ops --config x.toml --json",
            "tidings --config x.toml --json token create ops",
            "tidings token --json create --config x.toml ops --expires 30d",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).expect(line);
            assert_eq!((cli.common.config.to_str(), cli.common.json), (Some("x.toml"), true), "{line}");
        }
    }
}
