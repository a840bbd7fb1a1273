//! The contract of matching: which filters match a message, who the recipients are, and what an invalid rule does.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tidings_domain::acl::AclTable;
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::limits;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::ruleset::{Editor, FilterVerdict, Ruleset, explain};
use tidings_domain::subscription::borrowed::SubscriptionRef;
use tidings_domain::subscription::{Filter, Rule, Style, Subscription};

const CATALOGUE: &str = r#"
application = "shop"

[defaults]
usernames = ["msg.buyer", "msg.seller"]
packages = ["msg.goods[]"]
link = "https://fedorahosted.org/{{ msg.project }}/order"

[[topic]]
topics = ["order.new"]
subtitle = "{{ msg.buyer }} bought {{ packages | join(', ') }}"

[[rule]]
name = "shop_catchall"
title = "Everything in the shop"
test = { category = "shop" }

[[rule]]
name = "shop_order"
title = "Orders"
test = { topic_ends = "shop.order.new" }

[[rule]]
name = "shop_size"
title = "Orders of some sizes"
arguments = [{ name = "sizes", kind = "list" }]
test = { rule = "shop_order", field = "msg.size", in_argument = "sizes" }
"#;

fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::load(&[("shop.toml".to_owned(), CATALOGUE.to_owned())]).unwrap())
}

fn acl() -> AclTable {
    AclTable::from_json(
        r#"{
            "packages": {"tea": {"point of contact": ["ann"], "co-maintained": ["group::brewers"], "watch": ["cid"]}},
            "groups": {"brewers": ["bob"], "sellers": ["sue"]}
        }"#,
    )
    .unwrap()
}

fn envelope(topic: &str, msg: Value) -> Envelope {
    let body = json!({"topic": topic, "msg": msg}).to_string().into_bytes();
    Envelope::read(&Frame { topic: None, body }).unwrap()
}

fn order() -> Envelope {
    let msg = json!({"buyer": "ann", "seller": "sue", "goods": ["tea", "cup"], "size": "XL", "project": "kettle", "note": "é"});
    envelope("org.example.prod.shop.order.new", msg)
}

/// `not name key=value …`
fn rule(text: &str) -> Rule {
    let (negated, text) = text.strip_prefix("not ").map_or((false, text), |text| (true, text));
    let mut words = text.split(' ');
    let rule = words.next().unwrap().to_owned();
    let arguments: BTreeMap<_, _> =
        words.map(|word| word.split_once('=').unwrap()).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    Rule { rule, arguments, negated }
}

fn filter(name: &str, rules: &[&str]) -> Filter {
    Filter { name: name.to_owned(), oneshot: false, active: true, rules: rules.iter().map(|text| rule(text)).collect() }
}

fn subscription(user: &str, channel: &str, filters: Vec<Filter>) -> Subscription {
    Subscription {
        user: user.to_owned(),
        channel: channel.to_owned(),
        enabled: true,
        addresses: vec![format!("{user}@example.org")],
        digest: None,
        style: Style::default(),
        filters,
    }
}

/// All recipients as `user channel address filter`.
fn recipients(ruleset: &Ruleset, envelope: &Envelope) -> Vec<String> {
    let aliases = Aliases::default();
    let event = Event::new(ruleset.catalogue(), &aliases, envelope);
    let found = ruleset.matches(&event, &acl());
    found.into_iter().map(|r| format!("{} {} {} {}", r.user, r.channel, r.address, r.filter)).collect()
}

/// Whether a filter of these rules matches, and the problems reported for them.
fn verdict(rules: &[&str], envelope: &Envelope) -> (bool, Vec<String>) {
    let (ruleset, problems) = Ruleset::build(catalogue(), vec![subscription("zoe", "email", vec![filter("f", rules)])]);
    let reasons = problems.into_iter().map(|problem| format!("{}: {}", problem.rule, problem.reason)).collect();
    (!recipients(&ruleset, envelope).is_empty(), reasons)
}

#[test]
fn a_filter_matches_if_it_has_rules_and_all_of_them_hold() {
    let table: &[(&[&str], bool)] = &[
        (&[], false),
        (&["shop_order"], true),
        (&["not shop_order"], false),
        (&["shop_order", "user_filter fasnick=ann"], true),
        (&["shop_order", "user_filter fasnick=eve"], false),
        (&["user_filter fasnick=eve", "shop_order"], false),
        (&["not user_filter fasnick=eve", "shop_order"], true),
        // A missing argument is false, so its negation is true.
        (&["user_filter"], false),
        (&["not user_filter"], true),
        (&["shop_size"], false),
        (&["not shop_size"], true),
    ];
    for (rules, expected) in table {
        assert_eq!(verdict(rules, &order()).0, *expected, "{rules:?}");
    }
}

#[test]
fn generic_rules_test_what_their_titles_describe() {
    let table = [
        ("user_filter fasnick=sue", true),
        ("not_user_filter fasnick=eve,joe", true),
        ("not_user_filter fasnick=eve,sue", false),
        ("not_user_filter fasnick=,", false),
        ("fas_group_member_filter group=sellers", true),
        ("fas_group_member_filter group=brewers", false),
        ("fas_group_member_filter group=nosuch", false),
        ("user_package_filter fasnick=ann", true),
        ("user_package_filter fasnick=bob", true),
        ("user_package_filter fasnick=cid", true),
        ("user_package_filter fasnick=eve", false),
        ("user_package_commit_filter fasnick=bob", true),
        ("user_package_commit_filter fasnick=cid", false),
        ("user_package_watch_filter fasnick=ann", false),
        ("user_package_watch_filter fasnick=cid", true),
        ("package_filter package=cup", true),
        ("package_filter package=cu", false),
        ("package_regex_filter pattern=^cu", true),
        ("package_regex_filter pattern=^up", false),
        ("regex_filter pattern=\"seller\":\"sue\"", true),
        ("regex_filter pattern=\\\\u00e9", true),
        ("regex_filter pattern=example", false),
        ("trac_hosted_filter project=pot,kettle", true),
        ("trac_hosted_filter project=ket", false),
        ("shop_size sizes=M, XL", true),
        ("shop_size sizes=M", false),
    ];
    for (text, expected) in table {
        let rule = match text.split_once(", ") {
            Some((start, end)) => {
                let mut rule = rule(start);
                rule.arguments.values_mut().for_each(|value| value.push_str(&format!(", {end}")));
                rule
            }
            None => rule(text),
        };
        let filter = Filter { rules: vec![rule], ..filter("f", &[]) };
        let (ruleset, problems) = Ruleset::build(catalogue(), vec![subscription("zoe", "email", vec![filter])]);
        assert_eq!(problems, [], "{text}");
        assert_eq!(!recipients(&ruleset, &order()).is_empty(), expected, "{text}");
    }
}

#[test]
fn a_rule_that_cannot_be_tested_fails_its_filter_negated_or_not() {
    let short = envelope("too.short", json!({"buyer": "ann"}));
    assert!(!verdict(&["shop_catchall"], &short).0);
    assert!(!verdict(&["not shop_catchall"], &short).0);
    // Rules are tested in order: one that fails before decides, and this one needs no category.
    assert!(verdict(&["not shop_order"], &short).0);
}

#[test]
fn an_invalid_rule_disables_only_its_filter_and_is_reported() {
    let complex = format!("regex_filter pattern={}", "(a{100}){100}".repeat(3));
    let table: &[(&str, &str)] = &[
        ("nosuch_rule", "nosuch_rule: there is no rule with this name"),
        ("regex_filter pattern=(", "regex_filter: the pattern is invalid"),
        (&complex, "regex_filter: the pattern is too complex"),
        ("user_filter fasnik=ann", "user_filter: it has no argument `fasnik`"),
    ];
    for (broken, reason) in table {
        for negated in [(*broken).to_owned(), format!("not {broken}")] {
            let filters = vec![filter("broken", &["shop_order", &negated]), filter("valid", &["shop_order"])];
            let (ruleset, problems) = Ruleset::build(catalogue(), vec![subscription("zoe", "email", filters)]);
            assert_eq!(recipients(&ruleset, &order()), ["zoe email zoe@example.org valid"], "{negated}");
            assert_eq!(problems.len(), 1, "{negated}");
            let problem = &problems[0];
            assert_eq!((&*problem.user, &*problem.channel, &*problem.filter), ("zoe", "email", "broken"));
            assert!(format!("{}: {}", problem.rule, problem.reason).starts_with(reason), "{problem:?}");
        }
    }
}

#[test]
fn a_missing_argument_is_reported() {
    let (_, reasons) = verdict(&["not user_filter"], &order());
    assert_eq!(reasons, ["user_filter: without fasnick it never holds"]);
}

#[test]
fn too_many_rules_disable_the_filter_and_further_filters_are_ignored() {
    let rules = vec!["shop_order"; limits::RULES_PER_FILTER + 1];
    let (matches, reasons) = verdict(&rules, &order());
    assert!(!matches && reasons.len() == 1, "{reasons:?}");

    let mut filters = vec![filter("no", &["not shop_order"]); limits::FILTERS_PER_SUBSCRIPTION];
    filters.push(filter("too many", &["shop_order"]));
    let (ruleset, problems) = Ruleset::build(catalogue(), vec![subscription("zoe", "email", filters)]);
    assert_eq!(recipients(&ruleset, &order()), [""; 0]);
    assert_eq!(problems.len(), 1);
}

#[test]
fn the_first_matching_filter_causes_one_delivery_for_each_address() {
    let mut first = filter("inactive", &["shop_order"]);
    first.active = false;
    let filters =
        vec![first, filter("no", &["not shop_order"]), filter("yes", &["shop_order"]), filter("also", &["shop_order"])];
    let mut email = subscription("zoe", "email", filters.clone());
    email.addresses = vec!["b@example.org".to_owned(), "a@example.org".to_owned()];
    let irc = subscription("zoe", "irc", filters.clone());
    let mut disabled = subscription("zoe", "push", filters.clone());
    disabled.enabled = false;
    let mut without_address = subscription("yan", "email", filters);
    without_address.addresses.clear();
    let (ruleset, _) = Ruleset::build(catalogue(), vec![email, irc, disabled, without_address]);
    let expected = ["zoe email a@example.org yes", "zoe email b@example.org yes", "zoe irc zoe@example.org yes"];
    assert_eq!(recipients(&ruleset, &order()), expected);
}

#[test]
fn recipients_have_the_options_of_their_subscription() {
    let mut oneshot = filter("once", &["shop_order"]);
    oneshot.oneshot = true;
    let mut options = subscription("zoe", "email", vec![oneshot]);
    options.style.markup = true;
    options.digest = Some(tidings_domain::subscription::DigestOptions { interval_seconds: 60, count: Some(5) });
    let (ruleset, _) = Ruleset::build(catalogue(), vec![options.clone()]);
    let (aliases, order) = (Aliases::default(), order());
    let recipients = ruleset.matches(&Event::new(ruleset.catalogue(), &aliases, &order), &acl());
    let [recipient] = recipients.as_slice() else { panic!("{recipients:?}") };
    assert!(recipient.oneshot);
    assert_eq!((recipient.style, recipient.digest), (options.style, options.digest));
}

/// fmn 7eefcea: a rule and its negation shared one cached result, so the second one got the result of the first.
#[test]
fn a_rule_and_its_negation_have_separate_results() {
    for order_of_users in [["a", "b"], ["b", "a"]] {
        let rules = BTreeMap::from([("a", "shop_order"), ("b", "not shop_order")]);
        let subscriptions = order_of_users.map(|user| subscription(user, "email", vec![filter("f", &[rules[user]])]));
        let (ruleset, _) = Ruleset::build(catalogue(), subscriptions.into());
        assert_eq!(recipients(&ruleset, &order()), ["a email a@example.org f"]);
    }
}

/// fmn 9b1a53b: a cached true of one rule was used as the result of the whole filter.
#[test]
fn a_cached_result_of_one_rule_does_not_decide_the_filter() {
    let first = subscription("a", "email", vec![filter("f", &["shop_order"])]);
    let second = subscription("b", "email", vec![filter("f", &["shop_order", "user_filter fasnick=eve"])]);
    let (ruleset, _) = Ruleset::build(catalogue(), vec![first, second]);
    assert_eq!(recipients(&ruleset, &order()), ["a email a@example.org f"]);
}

/// fmn 58ec850: an exception in a rule let the filter match.
#[test]
fn an_error_in_a_rule_is_no_match() {
    let short = envelope("too.short", json!({}));
    assert!(!verdict(&["not user_filter fasnick=eve", "not shop_catchall"], &short).0);
}

/// fmn 39ce3d3: rules are tested in the user's order, so the first one that fails is the explanation.
#[test]
fn rules_are_tested_in_their_order() {
    let filters = vec![
        filter("first", &["not shop_order", "user_filter fasnick=eve"]),
        filter("second", &["user_filter fasnick=eve", "not shop_order"]),
        filter("empty", &[]),
        filter("broken", &["nosuch"]),
        filter("matched", &["shop_order"]),
        filter("late", &["shop_order"]),
    ];
    let (catalogue, aliases, order) = (catalogue(), Aliases::default(), order());
    let event = Event::new(&catalogue, &aliases, &order);
    let subscription = subscription("zoe", "email", filters);
    let explained =
        explain(&catalogue, &subscription, &event, &acl()).into_iter().map(|e| e.verdict).collect::<Vec<_>>();
    let expected = [
        FilterVerdict::Failed { rule: "shop_order".to_owned(), negated: true },
        FilterVerdict::Failed { rule: "user_filter".to_owned(), negated: false },
        FilterVerdict::Empty,
        FilterVerdict::Broken { rule: "nosuch".to_owned(), reason: "there is no rule with this name".to_owned() },
        FilterVerdict::Matched,
        FilterVerdict::NotReached,
    ];
    assert_eq!(explained, expected);
}

#[test]
fn changing_one_user_changes_neither_older_snapshots_nor_other_users() {
    let users: Vec<String> = (0..1000).map(|number| format!("user{number:03}")).collect();
    let yes = |user: &str| subscription(user, "email", vec![filter("f", &["shop_order"])]);
    let mut editor = Editor::new(catalogue());
    let replace = |editor: &mut Editor, user: &str, subscriptions: &[Subscription]| {
        assert_eq!(editor.replace(user, subscriptions.iter().map(SubscriptionRef::from)), []);
        editor.ruleset()
    };
    users.iter().for_each(|user| _ = replace(&mut editor, user, &[yes(user)]));
    let old = editor.ruleset();
    let changed =
        replace(&mut editor, "user500", &[subscription("user500", "email", vec![filter("f", &["not shop_order"])])]);
    let removed = replace(&mut editor, "user500", &[]);
    let back = replace(&mut editor, "user500", &[yes("user500")]);
    assert_eq!([&old, &changed, &removed, &back].map(|set| recipients(set, &order()).len()), [1000, 999, 999, 1000]);
    assert_eq!([&old, &changed, &removed, &back].map(Ruleset::users), [1000, 1000, 999, 1000]);
}

#[test]
fn a_message_without_a_catalogue_entry_has_a_text() {
    let (aliases, envelope) = (Aliases::default(), envelope("org.example.prod.unknown.thing", json!([1])));
    let catalogue = catalogue();
    let event = Event::new(&catalogue, &aliases, &envelope);
    assert_eq!(event.facts().application, None);
    assert_eq!((&*event.text().title, &*event.text().subtitle), ("unknown.thing", "unknown.thing"));
}
