//! The last lines of a plugin's log, and new ones as they come.

use std::time::Duration;

use tidings_api_types::{ListPage, LogLineInfo};

use crate::cli::client::ApiClient;
use crate::cli::output::{Output, time};

/// How often `--follow` asks for new lines.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn print(client: &ApiClient, name: &str, follow: bool, out: &mut Output) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let mut url = client.api(&["channels", name, "log"])?;
        url.query_pairs_mut().append_pair("after", &after.to_string());
        let lines: ListPage<LogLineInfo> = client.get(&url).await?;
        for line in &lines.data {
            after = line.number;
            if out.is_json() {
                out.json(line)?;
            } else {
                out.line(&format!("{} {:7} {} {}", time(line.at), line.level, line.version, line.line))?;
            }
        }
        if !follow {
            return Ok(());
        }
        out.flush()?;
        tokio::time::sleep(FOLLOW_INTERVAL).await;
    }
}
