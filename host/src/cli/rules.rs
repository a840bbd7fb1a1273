//! The rules of a catalogue: which there are, what each means, and which hold for messages.

use anyhow::anyhow;
use clap::{Args, Subcommand};
use tidings_domain::rule_info::{ArgumentKind, RuleInfo};

use super::messages::{self, ReferenceArgs};
use super::output::Output;

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// List all rules
    List {
        #[command(flatten)]
        references: ReferenceArgs,
        /// List only the rules of one application
        #[arg(long, value_name = "NAME")]
        application: Option<String>,
    },
    /// Show one rule with its arguments
    Show {
        name: String,
        #[command(flatten)]
        references: ReferenceArgs,
    },
    /// Print the default filters of a new user, as JSON
    Defaults {
        user: String,
        #[command(flatten)]
        references: ReferenceArgs,
    },
    /// Print which rules without arguments hold, one JSON object for each line of standard input
    Eval {
        #[command(flatten)]
        references: ReferenceArgs,
    },
}

pub(super) fn run(args: RulesArgs, out: &mut Output) -> anyhow::Result<()> {
    match args.command {
        RulesCommand::List { references, application } => {
            let catalogue = references.read()?.catalogue;
            let wanted = |rule: &&RuleInfo| application.is_none() || rule.application == application;
            let rules: Vec<&RuleInfo> = catalogue.rules().iter().filter(wanted).collect();
            list(&rules, out)
        }
        RulesCommand::Show { name, references } => {
            let catalogue = references.read()?.catalogue;
            let rule = catalogue.rules().iter().find(|rule| rule.name == name);
            show(rule.ok_or_else(|| anyhow!("there is no rule {name}; `tidings rules list` names all"))?, out)
        }
        RulesCommand::Defaults { user, references } => Ok(out.json(&references.read()?.catalogue.defaults(&user))?),
        RulesCommand::Eval { references } => messages::true_rules(&references.read()?, out),
    }
}

fn list(rules: &[&RuleInfo], out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(&rules)?);
    }
    let row = |rule: &&RuleInfo| {
        let arguments: Vec<&str> = rule.arguments.iter().map(|argument| argument.name.as_str()).collect();
        let application = rule.application.clone().unwrap_or_else(|| "-".into());
        [rule.name.clone(), application, arguments.join(", "), rule.title.clone()]
    };
    Ok(out.table(["rule", "application", "arguments", "title"], &rules.iter().map(row).collect::<Vec<_>>())?)
}

fn show(rule: &RuleInfo, out: &mut Output) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(rule)?);
    }
    out.line(&rule.name)?;
    out.line(&format!("  {}", rule.title))?;
    for line in rule.help.lines() {
        out.line(&format!("  {line}"))?;
    }
    if let Some(application) = &rule.application {
        out.line(&format!("  application: {application}"))?;
    }
    for argument in &rule.arguments {
        out.line(&format!("  {} ({}): {}", argument.name, kind(argument.kind), argument.help))?;
    }
    Ok(())
}

const fn kind(kind: ArgumentKind) -> &'static str {
    match kind {
        ArgumentKind::User => "an account name",
        ArgumentKind::Users => "account names, separated by commas",
        ArgumentKind::Package => "a package",
        ArgumentKind::Group => "a group",
        ArgumentKind::Pattern => "a regular expression",
        ArgumentKind::Text => "text",
        ArgumentKind::List => "texts, separated by commas",
    }
}
