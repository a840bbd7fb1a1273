//! What a start and an import cost the store: all subscriptions written at once and read in pages, as
//! text and parsed, and all access lists replaced.

#![allow(clippy::expect_used, reason = "benchmarks may panic")]

use std::time::Instant;

use serde_json::json;
use tidings_domain::acl::{AclTable, Holders};
use tidings_domain::subscription::{Filter, Rule, Style, Subscription};
use tidings_domain::time::Timestamp;
use tidings_store::{Mode, Store};

const SUBSCRIPTIONS: usize = 40_000;
/// Filters of each, and rules of each filter: a million rules in all.
const FILTERS: usize = 5;
const RULES: usize = 5;
const PACKAGES: usize = 100_000;
const PAGE: u32 = 1000;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let store = tidings_store::open(&directory.path().join("tidings.db"), Mode::Daemon).await.expect("a store");
    let now = Timestamp::from_millis(1);
    let subscriptions: Vec<Subscription> = (0..SUBSCRIPTIONS).map(subscription).collect();
    let began = Instant::now();
    store.put_subscriptions(&subscriptions, now).await.expect("written");
    per_second("store_put_subscriptions_per_s", SUBSCRIPTIONS, began);
    let began = Instant::now();
    assert_eq!(pages(store.as_ref(), false).await, SUBSCRIPTIONS);
    per_second("store_page_rows_per_s", SUBSCRIPTIONS, began);
    let began = Instant::now();
    assert_eq!(pages(store.as_ref(), true).await, SUBSCRIPTIONS);
    per_second("store_page_read_rows_per_s", SUBSCRIPTIONS, began);
    let lists = lists();
    for name in ["store_fill_packages_per_s", "store_replace_packages_per_s"] {
        let began = Instant::now();
        store.replace_access_lists(&lists, now).await.expect("replaced");
        per_second(name, PACKAGES, began);
    }
    store.close().await;
}

fn per_second(name: &str, things: usize, began: Instant) {
    let value = (things as f64 / began.elapsed().as_secs_f64()).round();
    println!("{}", json!({"name": name, "value": value, "unit": "1/s"}));
}

/// Goes through all pages; `read` parses each row as well.
async fn pages(store: &dyn Store, read: bool) -> usize {
    let (mut rows, mut after) = (0, None::<(String, String)>);
    loop {
        let from = after.as_ref().map(|(user, channel)| (user.as_str(), channel.as_str()));
        let page = store.subscription_page(from, PAGE).await.expect("a page");
        let Some(last) = page.last() else { return rows };
        after = Some((last.user.clone(), last.channel.clone()));
        rows += page.len();
        if read {
            for row in &page {
                assert_eq!(row.read().expect("good").filters.len(), FILTERS);
            }
        }
    }
}

fn subscription(n: usize) -> Subscription {
    let rule = |n: usize| Rule {
        rule: format!("koji_build_state_{n}"),
        arguments: [("fasnick".to_owned(), "contributor".to_owned())].into(),
        negated: true,
    };
    let filter = |n: usize| Filter {
        name: format!("Events of kind {n}"),
        oneshot: false,
        active: true,
        rules: (0..RULES).map(rule).collect(),
    };
    Subscription {
        user: format!("contributor{:06}", n / 2),
        channel: ["email", "irc"][n % 2].to_owned(),
        enabled: true,
        addresses: vec![format!("contributor{n}@fedoraproject.example")],
        digest: None,
        style: Style::default(),
        filters: (0..FILTERS).map(filter).collect(),
    }
}

fn lists() -> AclTable {
    let names = |from: usize, count: usize| (from..from + count).map(|n| format!("contributor{n}")).collect();
    let holders = |n: usize| Holders { point_of_contact: names(n, 1), co_maintained: names(n, 2), watch: names(n, 3) };
    AclTable {
        packages: (0..PACKAGES).map(|n| (format!("package-{n}"), holders(n))).collect(),
        groups: [("provenpackager".to_owned(), names(0, 100))].into(),
    }
}
