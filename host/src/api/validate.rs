//! Validates subscriptions: bounds, names, rules that the catalogue knows. All errors are returned, each with its path. The
//! channel's plugin checks the addresses.

use std::collections::HashSet;
use std::sync::Arc;

use tidings_domain::catalogue::Catalogue;
use tidings_domain::limits;
use tidings_domain::rules::RuleProblem;
use tidings_domain::ruleset::Editor;
use tidings_domain::subscription::{DigestOptions, Filter, Rule, Subscription};
use tidings_domain::text::{is_one_line, one_line};

use tidings_api_types::FieldError;

use crate::channels::is_channel_name;

/// All errors; empty if the subscription may be stored.
pub fn errors(subscription: &Subscription, catalogue: &Arc<Catalogue>) -> Vec<FieldError> {
    let mut errors = bounds(subscription);
    // Compile only what is within its bounds.
    if errors.is_empty() {
        let mut rules = Editor::new(Arc::clone(catalogue));
        let problems = rules.replace(&subscription.user, [subscription.into()]);
        errors.extend(problems.iter().map(|problem| rule_error(subscription, problem)));
    }
    errors
}

fn bounds(subscription: &Subscription) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut check = |valid: bool, path: &str, what: String| {
        if !valid {
            errors.push(FieldError::new(path, what));
        }
    };
    check(is_name(&subscription.user, limits::USER_CHARS), "user", not_a_name(limits::USER_CHARS));
    check(
        is_channel_name(&subscription.channel),
        "channel",
        "not a channel name: lower-case letters, digits and `-`".into(),
    );
    let addresses = subscription.addresses.len();
    let most = limits::ADDRESSES_PER_SUBSCRIPTION;
    check(addresses <= most, "addresses", format!("{addresses} addresses; at most {most}"));
    for (n, address) in subscription.addresses.iter().take(most).enumerate() {
        let valid = is_name(address, limits::ADDRESS_CHARS);
        check(valid, &format!("addresses[{n}]"), not_a_name(limits::ADDRESS_CHARS));
    }
    if let Some(DigestOptions { interval_seconds, count }) = subscription.digest {
        let (longest, largest) = (limits::DIGEST_INTERVAL_SECONDS, limits::DIGEST_COUNT);
        let valid = (1..=longest).contains(&interval_seconds);
        check(valid, "digest.interval_seconds", format!("not 1 to {longest}"));
        check(count.is_none_or(|count| (1..=largest).contains(&count)), "digest.count", format!("not 1 to {largest}"));
    }
    let filters = subscription.filters.len();
    let most = limits::FILTERS_PER_SUBSCRIPTION;
    check(filters <= most, "filters", format!("{filters} filters; at most {most}"));
    let mut names = HashSet::new();
    for (n, filter) in subscription.filters.iter().take(most).enumerate() {
        let unique = names.insert(filter.name.as_str());
        check(unique, &format!("filters[{n}].name"), "another filter of this subscription has that name".into());
        filter_errors(filter, &format!("filters[{n}]"), &mut check);
    }
    errors
}

fn filter_errors(filter: &Filter, path: &str, check: &mut impl FnMut(bool, &str, String)) {
    let named = is_name(&filter.name, limits::FILTER_NAME_CHARS);
    check(named, &format!("{path}.name"), not_a_name(limits::FILTER_NAME_CHARS));
    let (rules, most) = (filter.rules.len(), limits::RULES_PER_FILTER);
    check(rules <= most, &format!("{path}.rules"), format!("{rules} rules; at most {most}"));
    for (n, Rule { rule, arguments, .. }) in filter.rules.iter().take(most).enumerate() {
        let named = is_name(rule, limits::LABEL_CHARS);
        check(named, &format!("{path}.rules[{n}].rule"), not_a_name(limits::LABEL_CHARS));
        let bytes: usize = arguments.iter().map(|(name, value)| name.len() + value.len()).sum();
        let what = format!("{bytes} bytes; at most {}", limits::ARGUMENTS_BYTES);
        check(bytes <= limits::ARGUMENTS_BYTES, &format!("{path}.rules[{n}].arguments"), what);
    }
}

/// The problem with its path: the first rule of that name in the filter, or the filter.
fn rule_error(subscription: &Subscription, problem: &RuleProblem) -> FieldError {
    let filter = subscription.filters.iter().enumerate().find(|(_, filter)| filter.name == problem.filter);
    let path = filter.map_or_else(String::new, |(n, filter)| {
        match filter.rules.iter().position(|rule| rule.rule == problem.rule) {
            Some(rule) => format!("filters[{n}].rules[{rule}]"),
            None => format!("filters[{n}]"),
        }
    });
    let (filter, rule) = (one_line(&problem.filter, 100), one_line(&problem.rule, 100));
    FieldError::new(path, format!("filter `{filter}`, rule `{rule}`: {}", problem.reason))
}

/// Text of one line, not empty, without spaces around it.
fn is_name(text: &str, most_chars: usize) -> bool {
    // In a URL, `.` and `..` name other paths.
    let is_dots = matches!(text, "." | "..");
    !text.is_empty() && !is_dots && text.trim() == text && is_one_line(text) && text.chars().count() <= most_chars
}

fn not_a_name(most_chars: usize) -> String {
    format!("not 1 to {most_chars} characters of one line, without spaces around them")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn subscription() -> Subscription {
        let rule = |name: &str| Rule { rule: name.into(), arguments: BTreeMap::new(), negated: false };
        let filter = |name: &str, rules| Filter { name: name.into(), oneshot: false, active: true, rules };
        Subscription {
            user: "ralph".into(),
            channel: "email".into(),
            enabled: true,
            addresses: vec!["ralph@example.org".into()],
            digest: Some(DigestOptions { interval_seconds: 60, count: Some(10) }),
            style: Default::default(),
            filters: vec![filter("builds", vec![]), filter("mine", vec![rule("a"), rule("b")])],
        }
    }

    #[test]
    fn each_bound_is_reported_with_its_path() {
        type Change = fn(&mut Subscription);
        let cases: &[(&[&str], Change)] = &[
            (&[], |_| {}),
            (&["user"], |s| s.user = "a\nb".into()),
            (&["user"], |s| s.user = String::new()),
            (&["channel"], |s| s.channel = "E-Mail".into()),
            (&["addresses"], |s| s.addresses = vec!["a".into(); limits::ADDRESSES_PER_SUBSCRIPTION + 1]),
            (&["addresses[0]"], |s| s.addresses[0] = "a@b\r\nBcc: c@d".into()),
            (&["addresses[0]"], |s| s.addresses[0] = "x".repeat(limits::ADDRESS_CHARS + 1)),
            (&["digest.interval_seconds", "digest.count"], |s| {
                s.digest = Some(DigestOptions { interval_seconds: 0, count: Some(0) });
            }),
            (&["filters[1].name"], |s| s.filters[1].name = "builds".into()),
            (&["filters[1].name"], |s| s.filters[1].name = " mine".into()),
            (&["filters"], |s| {
                let filter = s.filters[0].clone();
                s.filters = (0..=limits::FILTERS_PER_SUBSCRIPTION)
                    .map(|n| Filter { name: n.to_string(), ..filter.clone() })
                    .collect();
            }),
            (&["filters[1].rules"], |s| {
                s.filters[1].rules = vec![s.filters[1].rules[0].clone(); limits::RULES_PER_FILTER + 1];
            }),
            (&["filters[1].rules[1].arguments"], |s| {
                let value = "x".repeat(limits::ARGUMENTS_BYTES);
                s.filters[1].rules[1].arguments = BTreeMap::from([("pattern".into(), value)]);
            }),
        ];
        for (n, (expected, change)) in cases.iter().enumerate() {
            let mut changed = subscription();
            change(&mut changed);
            let paths: Vec<String> = bounds(&changed).into_iter().map(|error| error.path).collect();
            assert_eq!(paths, *expected, "case {n}");
        }
    }

    #[test]
    fn a_rule_problem_names_filter_and_rule() {
        let problem = |filter: &str, rule: &str| RuleProblem {
            user: "ralph".into(),
            channel: "email".into(),
            filter: filter.into(),
            rule: rule.into(),
            reason: "no such rule".into(),
        };
        for (problem, path) in [
            (problem("mine", "b"), "filters[1].rules[1]"),
            (problem("builds", "x"), "filters[0]"),
            (problem("x", "b"), ""),
        ] {
            let error = rule_error(&subscription(), &problem);
            assert_eq!(error.path, path);
            assert!(error.detail.contains("no such rule"), "{error:?}");
        }
    }
}
