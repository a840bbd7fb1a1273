//! The rule cache against its races, and against the faults of both FMNs (named as in the inventory of their weaknesses).

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tempfile::TempDir;
use tidings_domain::acl::AclTable;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::subscription::{Edit, Filter, Rule, Style, Subscription};
use tidings_domain::time::Timestamp;
use tidings_store::{Mode, Store};

use super::*;
use crate::config::DataDir;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

struct Stand {
    _dir: TempDir,
    config: Config,
    store: Arc<dyn Store>,
}

impl Stand {
    async fn new() -> Stand {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = Config { data_dir: DataDir(dir.path().to_owned()), ..Config::default() };
        let store = tidings_store::open(&config.data_dir.database(), Mode::Daemon).await.expect("a new database");
        Stand { _dir: dir, config, store }
    }

    async fn load(&self) -> Arc<MatchingState> {
        let loaded =
            MatchingState::load(&self.config, self.store.clone(), self.store.clone(), Arc::default(), |_| {}).await;
        Arc::new(loaded.expect("the embedded catalogue is valid"))
    }

    async fn put(&self, user: &str, rules: &[&str]) {
        self.store.put_subscription(&subscription(user, rules), NOW).await.expect("it is stored");
    }
}

fn subscription(user: &str, rules: &[&str]) -> Subscription {
    let rule = |name: &&str| Rule { rule: (*name).to_owned(), arguments: [].into(), negated: false };
    let rules = rules.iter().map(rule).collect();
    Subscription {
        user: user.to_owned(),
        channel: "email".to_owned(),
        enabled: true,
        addresses: vec![format!("{user}@example.org")],
        digest: None,
        style: Style::default(),
        filters: vec![Filter { name: "mine".to_owned(), oneshot: false, active: true, rules }],
    }
}

/// The users who are notified of a message.
fn recipients(snapshot: &Snapshot, topic: &str) -> Vec<String> {
    let body = json!({ "topic": format!("org.fedoraproject.prod.{topic}"), "msg": {} }).to_string().into_bytes();
    let envelope = Envelope::read(&Frame { topic: None, body }).expect("a message");
    let StaticData { catalogue, aliases } = &*snapshot.static_data;
    let event = Event::new(catalogue, aliases, &envelope);
    snapshot.rules.matches(&event, &AclTable::default()).into_iter().map(|recipient| recipient.user).collect()
}

const PUSH: &str = "git.receive";
const RULE: &[&str] = &["git_receive"];
const OTHER: &[&str] = &["bodhi_catchall"];

#[tokio::test]
async fn o3_every_way_of_changing_a_subscription_is_in_force_at_once() {
    let stand = Stand::new().await;
    let state = stand.load().await;
    let recipients_now = async || {
        state.catch_up().await.expect("the store answers");
        recipients(&state.snapshot(), PUSH)
    };
    stand.put("ann", RULE).await;
    assert_eq!(recipients_now().await, ["ann"], "created");
    let mut renamed = subscription("ann", RULE);
    renamed.filters[0].name = "renamed".into();
    stand.store.put_subscription(&renamed, NOW).await.expect("stored");
    state.catch_up().await.expect("the store answers");
    let sizes = state.snapshot().sizes;
    assert_eq!((sizes.users, sizes.filters), (1, 1));
    renamed.filters.clear();
    stand.store.put_subscription(&renamed, NOW).await.expect("stored");
    assert_eq!(recipients_now().await, [""; 0], "all filters deleted");
    stand.put("ann", RULE).await;
    assert_eq!(recipients_now().await, ["ann"]);
    stand.store.edit_subscription("ann", "email", &Edit::Enable(false), NOW).await.expect("stored");
    assert_eq!(recipients_now().await, [""; 0], "disabled");
    stand.store.edit_subscription("ann", "email", &Edit::Enable(true), NOW).await.expect("stored");
    assert_eq!(recipients_now().await, ["ann"], "enabled");
    let address = Edit::RemoveAddress("ann@example.org".into());
    stand.store.edit_subscription("ann", "email", &address, NOW).await.expect("stored");
    assert_eq!(recipients_now().await, [""; 0], "without an address");
    stand.put("ann", RULE).await;
    stand.store.delete_subscription("ann", "email", NOW).await.expect("stored");
    assert_eq!(recipients_now().await, [""; 0], "deleted");
    stand.store.put_subscriptions(&[subscription("bob", RULE), subscription("cid", OTHER)], NOW).await.expect("stored");
    assert_eq!(recipients_now().await, ["bob"], "many at once");
}

/// Pstatic_data were read minutes before the queue of changes existed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o4_an_edit_while_the_rules_are_first_read_is_not_missed() {
    let stand = Stand::new().await;
    let many: Vec<Subscription> = (0..2000).map(|n| subscription(&format!("user{n:04}"), OTHER)).collect();
    stand.store.put_subscriptions(&many, NOW).await.expect("stored");
    let (store, stop) = (Arc::clone(&stand.store), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let editing = tokio::spawn(async move {
        let mut edits = 0;
        while !stopped.load(Ordering::Relaxed) {
            let user = format!("user{:04}", edits * 7 % 2000);
            store
                .put_subscription(&subscription(&user, if edits % 2 == 0 { RULE } else { OTHER }), NOW)
                .await
                .expect("stored");
            edits += 1;
        }
        edits
    });
    let state = stand.load().await;
    stop.store(true, Ordering::Relaxed);
    let edits = editing.await.expect("it ends");
    state.catch_up().await.expect("the store answers");
    assert!(edits > 0, "nothing was edited while the rules were read");
    let fresh = stand.load().await;
    assert_eq!(recipients(&state.snapshot(), PUSH), recipients(&fresh.snapshot(), PUSH), "after {edits} edits");
}

/// FMN merged a cached rule back into the database when it matched with it.
#[tokio::test]
async fn n1_matching_with_old_rules_writes_nothing_back() {
    let stand = Stand::new().await;
    stand.put("ann", RULE).await;
    let state = stand.load().await;
    let old = state.snapshot();
    stand.store.delete_subscription("ann", "email", NOW).await.expect("stored");
    assert_eq!(recipients(&old, PUSH), ["ann"], "a snapshot is the same for ever");
    state.catch_up().await.expect("the store answers");
    assert_eq!(recipients(&old, PUSH), ["ann"]);
    assert_eq!(recipients(&state.snapshot(), PUSH), [""; 0]);
    assert_eq!(stand.store.subscriptions_of("ann").await.expect("read"), [], "and stays deleted");
}

/// The index of what is followed was built from rules that were older than the edit.
#[tokio::test]
async fn n2_a_new_rule_is_found_by_the_index_as_soon_as_it_is_in_force() {
    let stand = Stand::new().await;
    let state = stand.load().await;
    for number in 0..20 {
        stand.put(&format!("user{number:02}"), RULE).await;
        state.catch_up().await.expect("the store answers");
        assert_eq!(recipients(&state.snapshot(), PUSH).len(), number + 1);
    }
}

/// An invalid rule raised in the middle of everybody's message.
#[tokio::test]
async fn n7_a_bad_rule_silences_its_own_filter_and_nobody_else() {
    let stand = Stand::new().await;
    stand.put("ann", &["no_such_rule"]).await;
    stand.put("bob", RULE).await;
    let mut both = subscription("cid", &["no_such_rule"]);
    both.filters.push(subscription("cid", RULE).filters.remove(0));
    stand.store.put_subscription(&both, NOW).await.expect("stored");
    let state = stand.load().await;
    assert_eq!(recipients(&state.snapshot(), PUSH), ["bob", "cid"]);
    let users: Vec<String> = state.problems().await.into_iter().map(|problem| problem.user).collect();
    assert_eq!(users, ["ann", "cid"]);
}

#[tokio::test]
async fn what_another_process_changes_comes_by_the_feed() {
    let stand = Stand::new().await;
    let state = stand.load().await;
    let other = tidings_store::open(&stand.config.data_dir.database(), Mode::Tool).await.expect("a tool may open it");
    let stop = CancellationToken::new();
    let following = tokio::spawn({
        let (state, stop) = (Arc::clone(&state), stop.clone());
        async move { state.follow(stop).await }
    });
    other.put_subscription(&subscription("ann", RULE), NOW).await.expect("stored");
    let seen = async {
        while recipients(&state.snapshot(), PUSH).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("the edit is in force");
    stop.cancel();
    following.await.expect("it ends");
}

#[tokio::test]
async fn a_reload_keeps_edits_that_are_made_meanwhile() {
    let stand = Stand::new().await;
    let many: Vec<Subscription> = (0..1000).map(|n| subscription(&format!("user{n:04}"), OTHER)).collect();
    stand.store.put_subscriptions(&many, NOW).await.expect("stored");
    let state = stand.load().await;
    let edit = async {
        tokio::task::yield_now().await;
        stand.put("ann", RULE).await;
        state.catch_up().await
    };
    let (reloaded, edited) = tokio::join!(state.reload(&stand.config), edit);
    reloaded.expect("the files are valid");
    edited.expect("the store answers");
    assert_eq!(recipients(&state.snapshot(), PUSH), ["ann"]);
    assert_eq!(state.snapshot().sizes.users, 1001);
}
