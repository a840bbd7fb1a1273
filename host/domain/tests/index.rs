//! Compares the match index with the evaluation of every filter rule by rule, on random rules, access lists, messages
//! and edits. There are few names, so that rules and messages often have one in common.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tidings_domain::acl::{AclTable, Holders};
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::ruleset::{Editor, FilterVerdict, Matcher, Ruleset, explain};
use tidings_domain::subscription::borrowed::SubscriptionRef;
use tidings_domain::subscription::{Filter, Rule, Style, Subscription};

const CATALOGUE: &str = r#"
application = "shop"
categories = ["shop", "stall"]

[defaults]
usernames = ["msg.who[]"]
packages = ["msg.what[]"]
link = "https://fedorahosted.org/{{ msg.size }}/order"

[[topic]]
topics = ["order.new"]
subtitle = "bought"

[[rule]]
name = "catchall"
title = "All"
test = { category = "shop" }

[[rule]]
name = "order"
title = "Orders"
test = { topic_ends = "shop.order.new" }

[[rule]]
name = "exact"
title = "An exact topic"
test = { topic = "shop.order.gone" }

[[rule]]
name = "new_or_gone"
title = "Two topics"
test = { any = [{ topic_ends = "order.new" }, { all = [{ category = "stall" }, { topic_ends = ".gone" }] }] }

[[rule]]
name = "ends"
title = "The end of a word"
test = { topic_ends = "ew" }

[[rule]]
name = "contains"
title = "A part of a topic"
test = { topic_contains = "order" }

[[rule]]
name = "large"
title = "No category needed"
test = { field = "msg.size", equals = "XL" }

[[rule]]
name = "small"
title = "Not large, and in a category"
test = { category = "shop", not = { field = "msg.size", equals = "XL" } }

[[rule]]
name = "size"
title = "Sizes"
arguments = [{ name = "sizes", kind = "list" }]
test = { rule = "order", field = "msg.size", in_argument = "sizes" }

[[rule]]
name = "any_case"
title = "A size or a colour in any case"
arguments = [{ name = "words", kind = "list", default = "red" }]
test = { any = [
    { field = "msg.size", in_argument = "words", ignore_case = true },
    { field = "msg.colour", in_argument = "words", ignore_case = true },
] }

[[rule]]
name = "either"
title = "A word or a topic"
arguments = [{ name = "words", kind = "list" }]
test = { any = [{ rule = "exact" }, { field = "msg.size", in_argument = "words" }] }
"#;

static SHOP: LazyLock<Arc<Catalogue>> =
    LazyLock::new(|| Arc::new(Catalogue::load(&[("shop.toml".to_owned(), CATALOGUE.to_owned())]).unwrap()));

const USERS: [&str; 5] = ["ann", "bob", "cid", "dot", "eve"];
const PACKAGES: [&str; 4] = ["tea", "pot", "cup", "tray"];
const GROUPS: [&str; 3] = ["brewers", "sellers", "nosuch"];
const TOPICS: [&str; 8] = [
    "org.example.prod.shop.order.new",
    "org.example.prod.shop.order.gone",
    "org.example.dev.stall.order.new",
    "org.example.prod.stall.bid.gone",
    "org.example.prod.shop",
    "org.example.prod.other.view",
    "too.short",
    "new",
];

fn rule() -> impl Strategy<Value = Rule> {
    let with = |name: &'static str, argument: &'static str, values: Vec<&'static str>| {
        select(values).prop_map(move |value| (name, BTreeMap::from([(argument.to_owned(), value.to_owned())])))
    };
    let plain = ["catchall", "order", "exact", "new_or_gone", "ends", "contains", "large", "small"];
    let some = prop_oneof![
        6 => select(plain.to_vec()).prop_map(|name| (name, BTreeMap::new())),
        3 => with("user_filter", "fasnick", USERS.to_vec()),
        2 => with("not_user_filter", "fasnick", vec!["ann", "ann,bob", "cid, dot,eve", ","]),
        2 => with("fas_group_member_filter", "group", GROUPS.to_vec()),
        3 => with("user_package_filter", "fasnick", USERS.to_vec()),
        2 => with("user_package_commit_filter", "fasnick", USERS.to_vec()),
        2 => with("user_package_watch_filter", "fasnick", USERS.to_vec()),
        3 => with("package_filter", "package", PACKAGES.to_vec()),
        2 => with("package_regex_filter", "pattern", vec!["^t", "p$", "t.a", "(cup|pot)", "x"]),
        2 => with("regex_filter", "pattern", vec!["XL", "\"size\":\"[SM]\"", "ann|bob", "^x"]),
        1 => with("trac_hosted_filter", "project", vec!["XL", "S,M", "none"]),
        2 => with("size", "sizes", vec!["XL", "S, M", "xl", ","]),
        2 => with("any_case", "words", vec!["xl,RED", "Blue", "s"]),
        1 => with("either", "words", vec!["XL", "S,M"]),
        1 => select(vec!["user_filter", "size", "any_case", "nosuch"]).prop_map(|name| (name, BTreeMap::new())),
    ];
    (some, prop::bool::weighted(0.4)).prop_map(|((name, arguments), negated)| Rule {
        rule: name.to_owned(),
        arguments,
        negated,
    })
}

/// A filter like the default ones: about the user's own packages, without the user's own actions.
fn about_own(user: &'static str) -> impl Strategy<Value = Vec<Rule>> {
    let about = |rule: &str, negated| Rule {
        rule: rule.to_owned(),
        arguments: BTreeMap::from([("fasnick".to_owned(), user.to_owned())]),
        negated,
    };
    let kinds = ["user_package_filter", "user_package_commit_filter", "user_package_watch_filter", "user_filter"];
    (select(kinds.to_vec()), select(kinds.to_vec()), any::<bool>(), vec(rule(), 0..3)).prop_map(
        move |(first, second, negated, mut rest)| {
            rest.extend([about(first, false), about(second, negated)]);
            rest
        },
    )
}

fn filter(user: &'static str) -> impl Strategy<Value = Filter> {
    let rules = prop_oneof![3 => vec(rule(), 0..5), 1 => about_own(user)];
    (rules, prop::bool::weighted(0.9), any::<bool>(), "[a-c]").prop_map(|(rules, active, oneshot, name)| Filter {
        name,
        oneshot,
        active,
        rules,
    })
}

fn subscriptions(user: &'static str) -> impl Strategy<Value = Vec<Subscription>> {
    let one = (vec(filter(user), 0..5), prop::bool::weighted(0.9), 0..3_usize);
    vec(one, 0..3).prop_map(move |all| {
        let make = |(n, (filters, enabled, addresses)): (usize, (Vec<Filter>, bool, usize))| Subscription {
            user: user.to_owned(),
            channel: ["email", "irc"][n].to_owned(),
            enabled,
            addresses: (0..addresses).map(|n| format!("{user}{n}@example.org")).collect(),
            digest: None,
            style: Style::default(),
            filters,
        };
        all.into_iter().enumerate().map(make).collect()
    })
}

/// Edits in order: the user, and the subscriptions that replace the old ones.
fn edits() -> impl Strategy<Value = Vec<(&'static str, Vec<Subscription>)>> {
    vec(select(USERS.to_vec()).prop_flat_map(|user| (Just(user), subscriptions(user))), 1..10)
}

fn acl() -> impl Strategy<Value = AclTable> {
    let holders = || btree_set(select(vec!["ann", "bob", "cid", "dot", "group::brewers", "group::nosuch"]), 0..3);
    let holders = (holders(), holders(), holders()).prop_map(|(owner, commit, watch)| {
        let texts = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        Holders { point_of_contact: texts(owner), co_maintained: texts(commit), watch: texts(watch) }
    });
    let members = btree_set(select(USERS.to_vec()), 0..3);
    (vec(option::of(holders), PACKAGES.len()), vec(members, 2)).prop_map(|(holders, members)| AclTable {
        packages: PACKAGES
            .iter()
            .zip(holders)
            .filter_map(|(package, holders)| Some(((*package).to_owned(), holders?)))
            .collect(),
        groups: GROUPS
            .iter()
            .zip(members)
            .map(|(group, members)| ((*group).to_owned(), members.into_iter().map(str::to_owned).collect()))
            .collect::<HashMap<_, _>>(),
    })
}

fn message() -> impl Strategy<Value = Envelope> {
    let who = vec(select(USERS.to_vec()), 0..3);
    let what = vec(select(PACKAGES.to_vec()), 0..3);
    let size = option::of(select(vec!["XL", "S", "xl", "M"]));
    let colour = option::of(select(vec!["red", "BLUE"]));
    (select(TOPICS.to_vec()), who, what, size, colour).prop_map(|(topic, who, what, size, colour)| {
        envelope(topic, &json!({"who": who, "what": what, "size": size, "colour": colour}))
    })
}

fn envelope(topic: &str, msg: &Value) -> Envelope {
    let body = json!({"topic": topic, "msg": msg}).to_string().into_bytes();
    Envelope::read(&Frame { topic: None, body }).unwrap()
}

/// The recipients as `user channel address filter`, found by testing every rule.
fn by_evaluation<'s>(all: impl Iterator<Item = &'s Subscription>, event: &Event<'_>, acl: &AclTable) -> Vec<String> {
    let mut found_recipients = Vec::new();
    for subscription in all {
        let explained = explain(event.catalogue(), subscription, event, acl);
        if let Some(first) = explained.iter().find(|one| one.verdict == FilterVerdict::Matched) {
            let Subscription { user, channel, addresses, .. } = subscription;
            found_recipients
                .extend(addresses.iter().map(|address| format!("{user} {channel} {address} {}", first.filter)));
        }
    }
    found_recipients.sort();
    found_recipients
}

fn by_index(ruleset: &Ruleset, matcher: &mut Matcher, event: &Event<'_>, acl: &AclTable) -> Vec<String> {
    let recipients = matcher.run(ruleset, event, acl).flat_map(|found| found.recipients());
    let mut found_recipients: Vec<_> =
        recipients.map(|r| format!("{} {} {} {}", r.user, r.channel, r.address, r.filter)).collect();
    found_recipients.sort();
    found_recipients
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// 1000 cases of up to ten edits, each matched with ten messages: about 100,000 messages.
    #[test]
    fn the_index_finds_the_recipients_of_the_evaluation(edits in edits(), acl in acl(), messages in vec(message(), 10)) {
        let aliases = Aliases::default();
        let mut editor = Editor::new(SHOP.clone());
        let mut matcher = Matcher::new();
        let mut all: BTreeMap<&str, Vec<Subscription>> = BTreeMap::new();
        let mut before = (editor.ruleset(), all.clone());
        for (user, subscriptions) in edits {
            editor.replace(user, subscriptions.iter().map(SubscriptionRef::from));
            all.insert(user, subscriptions);
            let now = (editor.ruleset(), all.clone());
            for message in &messages {
                let event = Event::new(&SHOP, &aliases, message);
                for (ruleset, subscriptions) in [&now, &before] {
                    let expected = by_evaluation(subscriptions.values().flatten(), &event, &acl);
                    prop_assert_eq!(by_index(ruleset, &mut matcher, &event, &acl), expected, "{}", message.value());
                }
            }
            before = now;
        }
        let together: Vec<Subscription> = all.values().flatten().cloned().collect();
        let (built, _) = Ruleset::build(SHOP.clone(), together);
        for message in &messages {
            let event = Event::new(&SHOP, &aliases, message);
            let (ruleset, subscriptions) = &before;
            let edited = by_index(ruleset, &mut matcher, &event, &acl);
            prop_assert_eq!(by_index(&built, &mut matcher, &event, &acl), edited, "the set built at once equals the edited one");
            prop_assert_eq!(subscriptions, &all);
        }
        for user in USERS {
            editor.replace(user, []);
        }
        let sizes = editor.sizes();
        prop_assert_eq!((sizes.users, sizes.filters, sizes.entries, sizes.anywhere), (0, 0, 0, 0), "all entries are released");
        prop_assert_eq!(editor.ruleset().groups().len(), 0);
    }
}
