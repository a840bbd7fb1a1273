//! The load of a large installation: ten thousand users with the default filters of FMN on two channels, packages that are
//! owned by few of them, and the real messages of the corpus or, without it, the samples.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::LIMIT;
use crate::corpus::tidings;
use crate::daemon::Home;
use crate::paths;
use crate::publisher::fresh_id;
use crate::samples;
use crate::settings::{AclSection, DaemonSettings};

const USERS: usize = 10_000;
/// Includes the packages that messages name.
const PACKAGES: usize = 80_000;
const SEED: u64 = 2014;
/// The placeholder for the user in the default filters.
const SUBJECT: &str = "placeholder-user";

/// The users, packages and messages.
pub(super) struct Population {
    /// Messages of the bus; [`Population::write`] gives each a new id.
    pub(super) messages: Vec<Value>,
    users: Vec<String>,
    packages: Vec<String>,
}

impl Population {
    /// Reads the messages, and collects the users and packages that they name.
    pub(super) fn read() -> Result<Population> {
        let messages = messages()?;
        let (mut users, mut packages) = (BTreeSet::new(), BTreeSet::new());
        let input = messages.iter().map(|message| format!("{message}\n")).collect();
        for line in tidings(&["facts"], &[], input)?.lines() {
            let facts: Value = serde_json::from_str(line).context("facts")?;
            users.extend(names(&facts["usernames"]));
            packages.extend(names(&facts["packages"]));
        }
        let fill = |known: BTreeSet<String>, count: usize, prefix: &str| {
            let more = (0..count).map(|number| format!("{prefix}{number:06}"));
            known.into_iter().chain(more).take(count).collect()
        };
        Ok(Population { messages, users: fill(users, USERS, "user"), packages: fill(packages, PACKAGES, "package") })
    }

    /// Prepares the directory of a daemon with all users in its database and with these endpoints of the bus.
    pub(super) async fn home(&self, dir: &Path, endpoints: &[&str]) -> Result<Home> {
        let lists = dir.join("acls.json");
        fs::write(&lists, self.access_lists().to_string()).context("writing access lists")?;
        let subscriptions = dir.join("subscriptions.jsonl");
        fs::write(&subscriptions, self.subscriptions()?).context("writing subscriptions")?;
        let mut settings = DaemonSettings::new(dir, endpoints)?;
        settings.acl = Some(AclSection::file(lists));
        let home = Home::new(dir, settings)?;
        let file = subscriptions.to_str().context("the path is not UTF-8")?;
        let output = home.command_within(&["subscription", "import", file], LIMIT).await?;
        ensure!(output.status.success(), "the import: {}", String::from_utf8_lossy(&output.stderr));
        Ok(home)
    }

    /// Writes `count` messages as JSON Lines, each with a new id.
    pub(super) fn write(&self, file: &Path, count: usize) -> Result<()> {
        let mut out = BufWriter::new(File::create(file).with_context(|| format!("creating {}", file.display()))?);
        for message in self.messages.iter().cycle().take(count) {
            let mut message = message.clone();
            message["msg_id"] = fresh_id().into();
            serde_json::to_writer(&mut out, &message)?;
            out.write_all(b"\n")?;
        }
        out.flush().with_context(|| format!("writing {}", file.display()))
    }

    /// Three owners for each package, one of each kind. Few users own many packages.
    fn access_lists(&self) -> Value {
        let mut random = StdRng::seed_from_u64(SEED);
        let mut holder = || {
            let share = random.random::<f64>().powf(2.5);
            [&self.users[(share * self.users.len() as f64) as usize]]
        };
        let mut lists = |package: &String| {
            let lists = json!({"point of contact": holder(), "co-maintained": holder(), "watch": holder()});
            (package.clone(), lists)
        };
        let packages: BTreeMap<String, Value> = self.packages.iter().map(&mut lists).collect();
        json!({"packages": packages, "groups": {}})
    }

    fn subscriptions(&self) -> Result<String> {
        let defaults = tidings(&["rules", "defaults", SUBJECT], &["--json".to_owned()], String::new())?;
        let filters: Value = serde_json::from_str(&defaults).context("the default filters")?;
        let of = |channel: &str| {
            let address = format!("{SUBJECT}@{channel}.example");
            json!({"user": SUBJECT, "channel": channel, "addresses": [address], "filters": filters}).to_string()
        };
        let templates = ["email", "irc"].map(of);
        let mut lines = String::new();
        for user in &self.users {
            for template in &templates {
                writeln!(lines, "{}", template.replace(SUBJECT, user))?;
            }
        }
        Ok(lines)
    }
}

fn messages() -> Result<Vec<Value>> {
    if let Some(corpus) = paths::corpus("fedmsg.jsonl") {
        return Ok(samples::json_lines::<Value>(&corpus)?.into_iter().map(|line| line["msg"].clone()).collect());
    }
    let message = |one: samples::SampleMessage| json!({"topic": one.topic, "msg": one.msg, "headers": one.headers});
    Ok(samples::messages()?.into_iter().map(message).collect())
}

/// The names in a list that need no quoting.
fn names(list: &Value) -> Vec<String> {
    let plain = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c));
    list.as_array().into_iter().flatten().filter_map(Value::as_str).filter(plain).map(str::to_owned).collect()
}
