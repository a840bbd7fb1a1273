//! What is asked and what is served: when a list may be believed, and what an invalidation does.

use std::time::Duration;

use futures::future::join_all;
use tidings_acl::{AclCache, AclSettings, Need, Unavailable, View};
use tidings_domain::acl::{Acl, Cause, Key};
use tokio::runtime::Handle;
use tokio::time::{Instant, advance, sleep};

use crate::support::{GIVEN, JOINED, LISTS, Mood, Service, asked, cache, guake, holds, packages, ready, view};

const HOUR: Duration = Duration::from_secs(3600);

fn shells() -> [Key; 1] {
    [Key::Group("shells".into())]
}

#[tokio::test(start_paused = true)]
async fn twenty_lookups_of_one_cold_package_make_one_request() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    view(&cache, "bash").await;
    service.takes(15);
    let start = Instant::now();
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move { join_all((0..20).map(|_| view(&cache, "guake"))).await }
    });
    sleep(Duration::from_secs(1)).await;
    assert!(ready(&cache, "guake").is_none());
    let warm = ready(&cache, "bash").expect("another message's list is there at once");
    assert!(holds(&warm, "dan", "bash")[0]);
    service.takes(0);
    let views = waiting.await.unwrap();
    assert!(start.elapsed() <= Duration::from_millis(15_500), "{:?}", start.elapsed());
    assert!(views.iter().all(|view| view.missing().is_empty() && holds(view, "bob", "guake")[0]));
    assert_eq!((service.calls("guake"), service.calls("shells")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn o1_one_list_answers_every_kind_rightly_whichever_is_asked_first() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    let table = [
        ("ann", [true, true, false]),
        ("bob", [true, true, false]),
        ("cid", [true, false, true]),
        ("eve", [false, false, false]),
    ];
    view(&cache, "guake").await;
    for (user, expected) in table {
        assert_eq!(holds(&ready(&cache, "guake").unwrap(), user, "guake"), expected, "{user}");
    }
    assert_eq!(service.calls("guake"), 1);
}

#[tokio::test(start_paused = true)]
async fn o2_a_failure_is_never_remembered_as_owning_nothing() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    service.feels(Mood::Failing);
    let without = view(&cache, "guake").await;
    assert_eq!(without.missing().len(), 1);
    assert_eq!((&without.missing()[0].key, without.missing()[0].reason), (&guake()[0], Unavailable::Failed));
    assert!(ready(&cache, "guake").is_none(), "a failure is not an answer");
    service.feels(Mood::Well);
    assert!(holds(&view(&cache, "guake").await, "ann", "guake")[0], "the next message gets the list");
    let figures = cache.figures().packages;
    assert_eq!((figures.unavailable, figures.unknown_entries), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn o2_a_group_s_failure_is_reported_and_the_package_s_own_holders_match() {
    let service = Service::new(LISTS);
    let broken = Service::new(LISTS);
    broken.feels(Mood::Failing);
    let cache = AclCache::new(service, broken.clone(), &AclSettings::default(), Handle::current());
    let half = view(&cache, "guake").await;
    assert_eq!(half.missing()[0].key, shells()[0]);
    assert!(holds(&half, "ann", "guake")[0] && !holds(&half, "bob", "guake")[0]);
    broken.feels(Mood::Well);
    assert!(holds(&view(&cache, "guake").await, "bob", "guake")[0]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_on_its_way_when_the_list_changed_is_not_believed() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    service.takes(10);
    let early = tokio::spawn({
        let cache = cache.clone();
        async move { view(&cache, "guake").await }
    });
    sleep(Duration::from_secs(5)).await;
    service.set(GIVEN);
    cache.invalidate(&guake(), Cause::PackageDatabase);
    assert!(ready(&cache, "guake").is_none());
    let late = view(&cache, "guake").await;
    assert!(holds(&late, "eve", "guake")[0] && !holds(&late, "ann", "guake")[0]);
    let early = early.await.unwrap();
    assert!(holds(&early, "eve", "guake")[0], "who waited before gets the newer one too");
    assert!(holds(&ready(&cache, "guake").unwrap(), "eve", "guake")[0]);
    assert_eq!((service.calls("guake"), cache.figures().packages.late), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_late_by_a_refresh_is_not_believed_either() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    view(&cache, "guake").await;
    service.takes(10);
    cache.invalidate(&guake(), Cause::PackageDatabase);
    sleep(Duration::from_secs(5)).await;
    service.set(GIVEN);
    cache.invalidate(&guake(), Cause::PackageDatabase);
    sleep(Duration::from_secs(7)).await;
    assert!(ready(&cache, "guake").is_none(), "the first answer came, and is out of date");
    let fresh = view(&cache, "guake").await;
    assert!(holds(&fresh, "eve", "guake")[0] && !holds(&fresh, "ann", "guake")[0]);
    assert_eq!(service.calls("guake"), 3);
}

#[tokio::test(start_paused = true)]
async fn after_an_invalidation_the_next_lookup_waits_for_the_list_that_is_fetched_already() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    view(&cache, "guake").await;
    service.set(GIVEN);
    service.takes(15);
    cache.invalidate(&[guake(), [Key::Package("never-seen".into())]].concat(), Cause::DistGit);
    sleep(Duration::from_secs(10)).await;
    assert!(ready(&cache, "guake").is_none());
    let start = Instant::now();
    assert!(holds(&view(&cache, "guake").await, "eve", "guake")[0]);
    assert!(start.elapsed() <= Duration::from_millis(5_100), "{:?}", start.elapsed());
    assert_eq!((service.calls("guake"), service.calls("never-seen")), (2, 0));
    assert!(cache.figures().invalidations.contains(&(Cause::DistGit, 1)));
}

#[tokio::test(start_paused = true)]
async fn n6_a_group_s_change_alone_changes_who_hears_of_its_packages() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    assert!(holds(&view(&cache, "guake").await, "bob", "guake")[1]);
    service.set(JOINED);
    cache.invalidate(&shells(), Cause::AccountSystem);
    let after = view(&cache, "guake").await;
    assert!(holds(&after, "fay", "guake")[1] && !holds(&after, "bob", "guake")[1]);
    assert_eq!((service.calls("guake"), service.calls("shells")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_list_that_cannot_be_had_anew_serves_on_and_is_retried_later() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    view(&cache, "guake").await;
    service.feels(Mood::Failing);
    cache.invalidate(&guake(), Cause::PackageDatabase);
    let stale = view(&cache, "guake").await;
    assert!(stale.missing().is_empty() && holds(&stale, "ann", "guake")[0], "the last known list");
    assert_eq!((service.calls("guake"), cache.figures().packages.stale_served), (2, 1));
    assert!(ready(&cache, "guake").is_some(), "nobody waits for a service that is down");
    assert_eq!(service.calls("guake"), 2, "nor asks it for every message");
    service.feels(Mood::Well);
    service.set(GIVEN);
    advance(Duration::from_secs(6)).await;
    assert!(holds(&ready(&cache, "guake").unwrap(), "ann", "guake")[0], "served, and being refreshed");
    sleep(Duration::from_millis(1)).await;
    assert!(holds(&ready(&cache, "guake").unwrap(), "eve", "guake")[0]);
    assert_eq!(cache.figures().packages.stale_served, 3);
}

#[tokio::test(start_paused = true)]
async fn an_old_list_is_served_at_once_and_refreshed_by_one_request() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings { max_age: HOUR, ..AclSettings::default() });
    view(&cache, "guake").await;
    advance(HOUR / 2).await;
    assert!(ready(&cache, "guake").is_some());
    assert_eq!(service.calls("guake"), 1);
    service.set(GIVEN);
    service.takes(15);
    advance(HOUR).await;
    for _ in 0..10 {
        assert!(holds(&ready(&cache, "guake").expect("nobody waits"), "ann", "guake")[0]);
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(6)).await;
    assert!(holds(&ready(&cache, "guake").unwrap(), "eve", "guake")[0]);
    assert_eq!(service.calls("guake"), 2);
    assert_eq!(cache.figures().packages.stale_served, 0, "an old list is not a wrong one");
}

#[tokio::test(start_paused = true)]
async fn that_there_is_no_such_package_is_remembered_for_a_shorter_while() {
    let service = Service::new("{}");
    let cache = cache(&service, &AclSettings::default());
    let nothing = view(&cache, "guake").await;
    assert!(nothing.missing().is_empty() && nothing.holders("guake").is_none());
    assert!(ready(&cache, "guake").is_some());
    assert_eq!((service.calls("guake"), cache.figures().packages.unknown_entries), (1, 1));
    service.set(LISTS);
    advance(HOUR + Duration::from_secs(1)).await;
    ready(&cache, "guake");
    sleep(Duration::from_millis(1)).await;
    assert!(holds(&view(&cache, "guake").await, "ann", "guake")[0]);
    assert_eq!(service.calls("guake"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_tells_of_a_new_package_ends_the_knowledge_that_there_is_none() {
    let service = Service::new("{}");
    let cache = cache(&service, &AclSettings::default());
    view(&cache, "guake").await;
    service.set(LISTS);
    cache.invalidate(&guake(), Cause::DistGit);
    assert!(holds(&view(&cache, "guake").await, "ann", "guake")[0]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_end_the_load_that_others_wait_for() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    service.takes(10);
    let first = tokio::spawn({
        let cache = cache.clone();
        async move { view(&cache, "bash").await }
    });
    sleep(Duration::from_secs(1)).await;
    let second = tokio::spawn({
        let cache = cache.clone();
        async move { view(&cache, "bash").await }
    });
    sleep(Duration::from_secs(1)).await;
    first.abort();
    assert!(holds(&second.await.unwrap(), "dan", "bash")[0]);
    assert_eq!(service.calls("bash"), 1);
}

#[tokio::test(start_paused = true)]
async fn groups_that_rules_ask_for_are_in_the_view_and_each_list_once() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    let twice = packages(&["guake", "bash", "guake"]);
    let asked = asked(&["shells", "nosuch"]);
    let need = Need { packages: &twice, groups: Some(&asked) };
    let view = cache.view(&need).await;
    assert!(view.is_member("shells", "bob") && view.members("nosuch").is_none() && view.missing().is_empty());
    assert!(holds(&view, "dan", "bash")[0] && holds(&view, "ann", "guake")[0]);
    assert_eq!((service.calls("guake"), service.calls("shells"), service.calls("nosuch")), (1, 1, 1));
    assert!(cache.ready(&need).is_some());
}

/// The same for anyone who asks by name and for anyone who asks by person.
#[tokio::test(start_paused = true)]
async fn who_is_in_a_group_that_rules_ask_about_is_known_by_person_and_follows_changes() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    let asked = asked(&["shells", "nosuch"]);
    let need = Need { packages: &[], groups: Some(&asked) };
    let of = |view: &View, users: &[&str]| {
        let mut found = Vec::new();
        view.groups_of(&packages(users), &[], &mut |group| found.push(group.to_owned()));
        found
    };
    assert!(cache.ready(&need).is_none(), "nothing is here yet");
    let view = cache.view(&need).await;
    assert_eq!((of(&view, &["ann", "bob"]), of(&view, &["fay"])), (vec!["shells".to_owned()], vec![]));
    let ready = cache.ready(&need).unwrap();
    assert_eq!(of(&ready, &["bob"]), ["shells"]);
    service.set(JOINED);
    cache.invalidate(&[Key::Group("shells".into())], Cause::AccountSystem);
    assert!(cache.ready(&need).is_none(), "it changed, and is waited for");
    let view = cache.view(&need).await;
    assert_eq!((of(&view, &["bob"]), of(&view, &["fay"])), (vec![], vec!["shells".to_owned()]));
    assert_eq!(of(&cache.ready(&need).unwrap(), &["fay"]), ["shells"]);
    assert_eq!(of(&ready, &["bob"]), ["shells"], "an older view is as it was");
    assert_eq!((service.calls("shells"), service.calls("nosuch")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn all_lists_can_be_declared_wrong_at_once() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    view(&cache, "guake").await;
    service.set(GIVEN);
    cache.invalidate_all(Cause::Reload);
    assert!(ready(&cache, "guake").is_none());
    assert!(holds(&view(&cache, "guake").await, "eve", "guake")[0]);
    assert!(cache.figures().invalidations.contains(&(Cause::Reload, 2)));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_tells_of_a_change_before_it_made_it_is_asked_once_more() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    view(&cache, "guake").await;
    cache.invalidate(&guake(), Cause::PackageDatabase);
    assert!(holds(&view(&cache, "guake").await, "ann", "guake")[0]);
    service.set(GIVEN);
    for _ in 0..60 {
        sleep(Duration::from_secs(1)).await;
        ready(&cache, "guake").expect("nobody waits");
    }
    assert!(holds(&ready(&cache, "guake").unwrap(), "eve", "guake")[0]);
    assert_eq!(service.calls("guake"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_somebody_waits_for_is_fetched_before_those_that_are_merely_old() {
    let service = Service::new(LISTS);
    let settings = AclSettings { concurrency: 2, unknown_age: HOUR, max_age: HOUR, ..AclSettings::default() };
    let cache = cache(&service, &settings);
    let old: Vec<String> = (0..40).map(|number| format!("old{number}")).collect();
    let need = Need { packages: &old, groups: None };
    cache.view(&need).await;
    view(&cache, "guake").await;
    advance(HOUR).await;
    service.takes(15);
    assert!(cache.ready(&need).is_some(), "they serve, and are fetched again");
    sleep(Duration::from_secs(1)).await;
    service.set(GIVEN);
    let start = Instant::now();
    cache.invalidate(&guake(), Cause::PackageDatabase);
    assert!(holds(&view(&cache, "guake").await, "eve", "guake")[0]);
    assert!(start.elapsed() <= Duration::from_secs(30), "{:?}", start.elapsed());
    // One that is already in their queue loses its place there to nobody.
    let start = Instant::now();
    cache.invalidate(&[Key::Package("old39".into())], Cause::PackageDatabase);
    view(&cache, "old39").await;
    assert!(start.elapsed() <= Duration::from_secs(30), "{:?}", start.elapsed());
}
