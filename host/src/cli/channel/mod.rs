//! Channels from the command line: from a component file to the first delivery. Each command is one or two requests to the
//! API; the plugin's requests are shown in plain words.

mod grant;
mod install;
mod settings;
mod show;
mod test_result;
mod versions;

use clap::{Args, Subcommand};
use tidings_api_types::{ChannelInfo, ListPage, TestSendRequest};

use super::client::{ApiArgs, ApiClient};
use super::component::SourceArgs;
use super::output::Output;
use grant::GrantArgs;
use show::{show, state};
use versions::VersionCommand;

pub(super) use test_result::report;

#[derive(Debug, Args)]
pub(super) struct ChannelArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: ChannelCommand,
}

#[derive(Debug, Subcommand)]
enum ChannelCommand {
    /// List all channels and their states
    List,
    /// Show a channel: its plugin, configuration and grants
    Show { name: String },
    /// Check a component and create a channel with it, or switch an existing channel to it
    Install {
        name: String,
        #[command(flatten)]
        source: SourceArgs,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Set configuration values
    Configure {
        name: String,
        /// `key=value`; `key=@FILE` takes the value from a file, `key=` removes it
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<String>,
    },
    /// Set what the plugin may reach; replaces earlier grants
    Grant(GrantArgs),
    /// Set the plugin's limits: deadline_ms, memory_bytes, connections, ... (see `--json channel show`)
    Limit {
        name: String,
        #[arg(required = true, value_name = "KEY=NUMBER")]
        values: Vec<String>,
    },
    /// Send deliveries, also those that were held
    Enable { name: String },
    /// Hold all deliveries; returns when no call is in progress
    Disable { name: String },
    /// Delete a disabled channel without pending deliveries, and its plugin's state
    Remove { name: String },
    /// Send one test message to an address
    TestSend { name: String, address: String },
    #[command(flatten)]
    Version(VersionCommand),
}

pub(super) async fn run(args: ChannelArgs, out: &mut Output) -> anyhow::Result<()> {
    let client = ApiClient::new(&args.api)?;
    match args.command {
        ChannelCommand::List => list(&client.get(&client.api(&["channels"])?).await?, out),
        ChannelCommand::Show { name } => show(&client.get(&client.api(&["channels", &name])?).await?, out),
        ChannelCommand::Install { name, source, yes } => install::run(&client, &name, &source, yes, out).await,
        ChannelCommand::Configure { name, values } => {
            let values = settings::assignments(&values)?;
            show(&client.put(&client.api(&["channels", &name, "config"])?, &values).await?, out)
        }
        ChannelCommand::Grant(args) => grant::run(&client, &args, out).await,
        ChannelCommand::Limit { name, values } => {
            let channel = client.get_tagged::<ChannelInfo>(&client.api(&["channels", &name])?).await?;
            let limits = settings::limits(&channel.value.limits, &values)?;
            show(&client.put_if(&client.api(&["channels", &name, "limits"])?, &channel, &limits).await?, out)
        }
        ChannelCommand::Enable { name } => switch(&client, &name, "enable", out).await,
        ChannelCommand::Disable { name } => switch(&client, &name, "disable", out).await,
        ChannelCommand::Remove { name } => client.delete(&client.api(&["channels", &name])?).await,
        ChannelCommand::TestSend { name, address } => {
            let url = client.api(&["channels", &name, "test-send"])?;
            report(&client.post(&url, &TestSendRequest { address }).await?, out)
        }
        ChannelCommand::Version(command) => versions::run(&client, command, out).await,
    }
}

async fn switch(client: &ApiClient, name: &str, action: &str, out: &mut Output) -> anyhow::Result<()> {
    let channel: ChannelInfo = client.post_empty(&client.api(&["channels", name, action])?).await?;
    if out.is_json() {
        return Ok(out.json(&channel)?);
    }
    Ok(out.line(&format!("{name} is {}", state(&channel.state)))?)
}

fn list(channels: &ListPage<ChannelInfo>, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(channels)?);
    }
    let rows = channels.data.iter().map(|channel| {
        let plugin = format!("{} {}", channel.manifest.name, channel.manifest.version);
        [channel.name.clone(), plugin, state(&channel.state)]
    });
    Ok(out.table(["channel", "plugin", "state"], &rows.collect::<Vec<_>>())?)
}
