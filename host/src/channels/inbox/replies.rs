//! The texts of answers to users. Each answer has a bounded number of lines of bounded length, since some services send a few
//! lines a second only.

use crate::channels::limits;
use tidings_domain::rule_info::RuleInfo;
use tidings_domain::subscription::{Filter, Rule};
use tidings_domain::text::one_line;

pub(super) const HINT: &str = "Say 'help' for help or 'stop' to stop messages.";
pub(super) const UNKNOWN_ADDRESS: &str = "Nobody has set up notifications for this address.";
pub(super) const CONFIRMED: &str = "Thank you. Notifications are sent here from now on.";
pub(super) const NO_SUCH_CODE: &str = "There is no question with this code for this address, or it is too old.";
pub(super) const FAILED: &str = "Sorry, that did not work just now. Please try again later.";

pub(super) fn help() -> Vec<String> {
    [
        "start: send me notifications here",
        "stop: send me no more notifications here",
        "list filters: what I am told about",
        "list filters NAME: the rules of one filter, by its name or number",
        "list rules: the applications that there are rules for",
        "list rules APPLICATION: the rules about one of them",
        "confirm CODE: yes, send me what the question with this code was about",
    ]
    .map(str::to_owned)
    .into()
}

/// Each filter with its number.
pub(super) fn filters(filters: &[Filter]) -> Vec<String> {
    if filters.is_empty() {
        return vec!["You have no filters.".into()];
    }
    bounded(filters.iter().enumerate().map(|(place, filter)| heading(place, filter)))
}

/// One filter and its rules, all of which must hold.
pub(super) fn filter(filters: &[Filter], wanted: &str, known: &[RuleInfo]) -> Vec<String> {
    let by_name = filters.iter().position(|filter| filter.name.to_lowercase() == wanted.to_lowercase());
    let by_number = || wanted.parse::<usize>().ok()?.checked_sub(1).filter(|place| *place < filters.len());
    let Some(place) = by_name.or_else(by_number) else {
        return bounded([format!("You have no filter {wanted}. Say 'list filters' for those you have.")].into_iter());
    };
    let filter = &filters[place];
    let rules = filter.rules.iter().map(|rule| format!("- {}", sentence(rule, known)));
    let empty = filter.rules.is_empty().then(|| "It has no rules, so it matches nothing.".to_owned());
    bounded(std::iter::once(heading(place, filter)).chain(rules).chain(empty))
}

/// The applications that there are rules for.
pub(super) fn applications(known: &[RuleInfo]) -> Vec<String> {
    let mut names: Vec<&str> = known.iter().filter_map(|rule| rule.application.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let lines = names.chunks(limits::INBOX_NAMES).map(|names| names.join(", "));
    bounded(std::iter::once("Say 'list rules' with one of these:".to_owned()).chain(lines))
}

/// The rules about one application.
pub(super) fn rules(known: &[RuleInfo], application: &str) -> Vec<String> {
    let about =
        |rule: &&RuleInfo| rule.application.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(application));
    let mut lines = known.iter().filter(about).map(|rule| format!("{}: {}", rule.name, rule.title)).peekable();
    if lines.peek().is_none() {
        let none = format!("There are no rules about {application}. Say 'list rules' for the applications.");
        return bounded([none].into_iter());
    }
    bounded(lines)
}

fn heading(place: usize, filter: &Filter) -> String {
    let once = if filter.oneshot { " (once)" } else { "" };
    let off = if filter.active { "" } else { " (inactive)" };
    format!("{}. {}{once}{off}", place + 1, filter.name)
}

/// What a rule tests: its title where the catalogue knows it, and its arguments.
fn sentence(rule: &Rule, known: &[RuleInfo]) -> String {
    let title = known.iter().find(|info| info.name == rule.rule).map_or(rule.rule.as_str(), |info| &info.title);
    let not = if rule.negated { "not: " } else { "" };
    let arguments: Vec<String> = rule.arguments.iter().map(|(name, value)| format!("{name}={value}")).collect();
    match arguments[..] {
        [] => format!("{not}{title}"),
        _ => format!("{not}{title} ({})", arguments.join(", ")),
    }
}

/// The lines within the limits, and a last one with how many were left out.
fn bounded(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.map(|line| one_line(&line, limits::INBOX_LINE_CHARS)).collect();
    if lines.len() > limits::INBOX_ANSWER_LINES {
        let more = lines.len() - (limits::INBOX_ANSWER_LINES - 1);
        lines.truncate(limits::INBOX_ANSWER_LINES - 1);
        lines.push(format!("... and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn made(name: &str, rules: Vec<Rule>) -> Filter {
        Filter { name: name.to_owned(), oneshot: false, active: true, rules }
    }

    fn rule(name: &str, negated: bool, arguments: &[(&str, &str)]) -> Rule {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Rule { rule: name.to_owned(), negated, arguments: arguments.collect::<BTreeMap<_, _>>() }
    }

    fn known(name: &str, application: Option<&str>) -> RuleInfo {
        let (application, title) = (application.map(str::to_owned), format!("Title of {name}"));
        RuleInfo { name: name.to_owned(), application, title, help: String::new(), arguments: Vec::new() }
    }

    #[test]
    fn a_filter_is_shown_by_its_name_or_number_with_its_rules() {
        let rules = vec![rule("built", false, &[]), rule("user", true, &[("fasnick", "ralph")])];
        let mine = [made("Empty", Vec::new()), Filter { oneshot: true, active: false, ..made("My Builds", rules) }];
        assert_eq!(filters(&mine), ["1. Empty", "2. My Builds (once) (inactive)"]);
        let shown =
            ["2. My Builds (once) (inactive)", "- Title of built", "- not: user (fasnick=ralph)"].map(str::to_owned);
        let known = [known("built", Some("buildsys"))];
        for wanted in ["2", "my builds"] {
            assert_eq!(filter(&mine, wanted, &known), shown, "{wanted}");
        }
        assert_eq!(filter(&mine, "1", &known), ["1. Empty", "It has no rules, so it matches nothing."]);
        for wanted in ["0", "3", "other", "-1"] {
            assert_eq!(
                filter(&mine, wanted, &known),
                [format!("You have no filter {wanted}. Say 'list filters' for those you have.")]
            );
        }
        assert_eq!(filters(&[]), ["You have no filters."]);
    }

    #[test]
    fn rules_are_listed_by_application() {
        let known = [known("built", Some("buildsys")), known("user", None), known("pushed", Some("git"))];
        assert_eq!(applications(&known), ["Say 'list rules' with one of these:", "buildsys, git"]);
        assert_eq!(rules(&known, "BuildSys"), ["built: Title of built"]);
        assert_eq!(rules(&known, "x"), ["There are no rules about x. Say 'list rules' for the applications."]);
    }

    #[test]
    fn answers_are_bounded_in_lines_and_characters() {
        let many: Vec<Filter> =
            (0..tidings_domain::limits::FILTERS_PER_SUBSCRIPTION).map(|n| made(&format!("{n}\n"), vec![])).collect();
        let answer = filters(&many);
        assert_eq!(answer.len(), limits::INBOX_ANSWER_LINES);
        let left_out = tidings_domain::limits::FILTERS_PER_SUBSCRIPTION - limits::INBOX_ANSWER_LINES + 1;
        assert_eq!(answer.last(), Some(&format!("... and {left_out} more")));
        assert!(answer.iter().all(|line| !line.contains('\n')));
        let long = filter(&many, &"x".repeat(10_000), &[]);
        assert!(long[0].chars().count() <= limits::INBOX_LINE_CHARS);
    }
}
