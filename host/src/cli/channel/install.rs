//! Makes a channel of a component.

use std::io::{IsTerminal as _, Write as _};

use anyhow::bail;
use tidings_api_types::PutChannelRequest;

use super::show::show;
use crate::cli::client::ApiClient;
use crate::cli::component::{SourceArgs, fetch, review};
use crate::cli::output::Output;

/// Shows what the plugin requests before the channel exists.
pub(super) async fn run(
    client: &ApiClient,
    name: &str,
    source: &SourceArgs,
    yes: bool,
    out: &mut Output,
) -> anyhow::Result<()> {
    let component = fetch(client, source).await?;
    if !out.is_json() {
        review(&component, out)?;
        if !yes && !confirmed(name)? {
            bail!("the component {} is kept, and no channel was made of it", component.digest);
        }
    }
    let request = PutChannelRequest { component: component.digest };
    show(&client.put(&client.api(&["channels", name])?, &request).await?, out)
}

/// Asks the user; without a terminal the command itself is the confirmation.
fn confirmed(name: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    let mut error = std::io::stderr();
    write!(error, "Make the channel {name} of it? It may do nothing until you grant it. [y/N] ")?;
    error.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
