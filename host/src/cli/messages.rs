//! What messages are about, and who would be told: the domain's functions over lines of standard input. Each line gives one
//! JSON object, in the same order; an invalid line gives `{"error": …}` and stops nothing.

use std::io::{BufReader, Write as _, stdin};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use tidings_domain::acl::AclTable;
use tidings_domain::event::Event;
use tidings_domain::facts::{Facts, Severity, Text};
use tidings_domain::limits;
use tidings_domain::message::{Envelope, Frame, Refusal};
use tidings_domain::rules::holding;
use tidings_domain::ruleset::Ruleset;
use tidings_domain::subscription::Subscription;

use super::input::{self, InputLine};
use super::output::Output;
use crate::config::CatalogueConfig;
use crate::static_data::{StaticData, parse};

/// The files to read messages with.
#[derive(Debug, Args)]
pub(super) struct ReferenceArgs {
    /// A directory of application files in addition to the built-in ones; a file of the same name replaces one
    #[arg(long, value_name = "DIR")]
    catalogue: Option<PathBuf>,
    /// A JSON object that maps nicks and mail addresses to account names
    #[arg(long, value_name = "FILE")]
    aliases: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct FactsArgs {
    #[command(flatten)]
    references: ReferenceArgs,
}

#[derive(Debug, Args)]
pub(super) struct MatchArgs {
    #[command(flatten)]
    references: ReferenceArgs,
    /// JSON Lines, one subscription each
    #[arg(long, value_name = "FILE")]
    subscriptions: PathBuf,
    /// A JSON object of packages with their holders by kind, and groups with their members
    #[arg(long, value_name = "FILE")]
    acls: PathBuf,
}

impl ReferenceArgs {
    pub(super) fn read(&self) -> anyhow::Result<StaticData> {
        let config = CatalogueConfig { dir: self.catalogue.clone(), aliases: self.aliases.clone() };
        StaticData::read(&config).map_err(anyhow::Error::msg)
    }
}

/// A message's facts and texts, as JSON.
#[derive(Serialize)]
struct Described<'a> {
    application: &'a Option<String>,
    title: &'a str,
    subtitle: &'a str,
    long_form: &'a Option<String>,
    link: &'a Option<String>,
    icon: &'a Option<String>,
    secondary_icon: &'a Option<String>,
    usernames: &'a [String],
    packages: &'a [String],
    containers: &'a [String],
    modules: &'a [String],
    flatpaks: &'a [String],
    groups: &'a [String],
    agent: &'a Option<String>,
    objects: &'a [String],
    severity: Option<Severity>,
}

impl<'a> Described<'a> {
    fn new(facts: &'a Facts, text: &'a Text) -> Described<'a> {
        Described {
            application: &facts.application,
            title: &text.title,
            subtitle: &text.subtitle,
            long_form: &text.long_form,
            link: &text.link,
            icon: &text.icon,
            secondary_icon: &text.secondary_icon,
            usernames: &facts.usernames,
            packages: &facts.packages,
            containers: &facts.containers,
            modules: &facts.modules,
            flatpaks: &facts.flatpaks,
            groups: &facts.groups,
            agent: &facts.agent,
            objects: &text.objects,
            severity: facts.severity,
        }
    }
}

/// `tidings facts`.
pub(super) fn facts(args: &FactsArgs, out: &mut Output) -> anyhow::Result<()> {
    let references = args.references.read()?;
    each_message(out, |envelope| {
        let event = Event::new(&references.catalogue, &references.aliases, envelope);
        serde_json::to_value(Described::new(event.facts(), event.text()))
    })
}

/// `tidings rules eval`: for each message the names of all rules without arguments that hold, sorted.
pub(super) fn true_rules(references: &StaticData, out: &mut Output) -> anyhow::Result<()> {
    each_message(out, |envelope| {
        let event = Event::new(&references.catalogue, &references.aliases, envelope);
        Ok(json!({ "true": holding(&event) }))
    })
}

/// `tidings match`: the recipients of each message, sorted.
pub(super) fn recipients(args: &MatchArgs, out: &mut Output) -> anyhow::Result<()> {
    let references = args.references.read()?;
    let acl = parse(&args.acls, AclTable::from_json).map_err(anyhow::Error::msg)?;
    let subscriptions: Vec<(usize, Subscription)> = input::json_lines(&args.subscriptions)?;
    let rules = compile(&references, subscriptions.into_iter().map(|(_, one)| one).collect())?;
    each_message(out, |envelope| {
        let event = Event::new(&references.catalogue, &references.aliases, envelope);
        let matched = rules.matches(&event, &acl).into_iter();
        let mut rows: Vec<_> = matched.map(|r| (r.user, r.channel, r.address, r.filter)).collect();
        rows.sort();
        Ok(json!({ "recipients": rows }))
    })
}

fn compile(references: &StaticData, subscriptions: Vec<Subscription>) -> anyhow::Result<Ruleset> {
    let (rules, problems) = Ruleset::build(references.catalogue.clone(), subscriptions);
    let mut log = std::io::stderr().lock();
    for problem in problems {
        let (user, channel) = (&problem.user, &problem.channel);
        writeln!(log, "{user}, {channel}, {}: rule {}: {}", problem.filter, problem.rule, problem.reason)?;
    }
    Ok(rules)
}

fn each_message(out: &mut Output, say: impl Fn(&Envelope) -> serde_json::Result<Value>) -> anyhow::Result<()> {
    let mut input = BufReader::new(stdin().lock());
    loop {
        if input.buffer().is_empty() {
            // Reading may wait: anyone who reads the answers gets those there are.
            out.flush()?;
        }
        let line = input::next_line(&mut input, limits::MESSAGE_BYTES).context("cannot read standard input")?;
        let envelope = match line {
            None => return Ok(()),
            Some(InputLine::TooLong) => Err(Refusal::TooLarge),
            Some(InputLine::Whole(body)) => Envelope::read(&Frame { topic: None, body }),
        };
        match envelope {
            Ok(envelope) => out.json(&say(&envelope)?)?,
            Err(refusal) => out.json(&json!({ "error": refusal.to_string() }))?,
        }
    }
}
