//! The default filters of new users, as data in a catalogue file of their own.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::error::CatalogueReport;
use crate::rule_info::RuleInfo;
use crate::subscription::{Filter, Rule};

/// The name of that file.
pub const FILE: &str = "defaults.toml";
/// The placeholder for the user in arguments.
const USER: &str = "{user}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "filter")]
    filters: Vec<RawDefaultFilter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDefaultFilter {
    name: String,
    rules: Vec<Spanned<RawDefaultRule>>,
    /// Rules that must not hold.
    #[serde(default)]
    except: Vec<Spanned<RawDefaultRule>>,
}

/// A rule by its name, with arguments if it needs them.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "the name of a rule or `{ rule = …, arguments = { … } }`")]
enum RawDefaultRule {
    Name(String),
    WithArguments { rule: String, arguments: BTreeMap<String, String> },
}

/// Reads the file. Rules and arguments that `known` does not return are errors.
pub fn read<'k>(
    text: &str,
    known: impl Fn(&str) -> Option<&'k RuleInfo>,
    report: &mut CatalogueReport<'_>,
) -> Vec<Filter> {
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            report.add(error.span().map_or(0, |span| span.start), error.message().to_owned());
            return Vec::new();
        }
    };
    let mut rule = |named: Spanned<RawDefaultRule>, negated: bool| {
        let at = named.span().start;
        let (rule, arguments) = match named.into_inner() {
            RawDefaultRule::Name(rule) => (rule, BTreeMap::new()),
            RawDefaultRule::WithArguments { rule, arguments } => (rule, arguments),
        };
        match known(&rule) {
            None => report.add(at, format!("there is no rule `{rule}`")),
            Some(info) => {
                let is_known = |name: &String| info.arguments.iter().any(|argument| argument.name == *name);
                if let Some(unknown) = arguments.keys().find(|name| !is_known(name)) {
                    report.add(at, format!("the rule `{rule}` has no argument `{unknown}`"));
                }
            }
        }
        Rule { rule, arguments, negated }
    };
    let mut filters = Vec::new();
    for raw in file.filters {
        let mut rules: Vec<Rule> = raw.rules.into_iter().map(|named| rule(named, false)).collect();
        rules.extend(raw.except.into_iter().map(|named| rule(named, true)));
        filters.push(Filter { name: raw.name, oneshot: false, active: true, rules });
    }
    filters
}

/// The filters for one user.
pub fn for_user(filters: &[Filter], user: &str) -> Vec<Filter> {
    let mut filters = filters.to_vec();
    let rules = filters.iter_mut().flat_map(|filter| &mut filter.rules);
    for value in rules.flat_map(|rule| rule.arguments.values_mut()) {
        *value = value.replace(USER, user);
    }
    filters
}
