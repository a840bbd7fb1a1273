//! The cache before a service that is slow, broken or changing, in tokio's paused time: what it asks, what it serves, and
//! how long anybody waits.

mod support;

use std::time::Duration;

use futures::future::join_all;
use support::{GIVEN, JOINED, LISTS, Mood, Service, cache, holds, packages, ready, view};
use tidings_acl::{BreakerState, LoadResult, Need, Settings, Unavailable};
use tidings_domain::acl::{Acl, Cause, Key};
use tokio::time::{Instant, advance, sleep};

const HOUR: Duration = Duration::from_secs(3600);

fn guake() -> [Key; 1] {
    [Key::Package("guake".into())]
}

fn shells() -> [Key; 1] {
    [Key::Group("shells".into())]
}

#[tokio::test(start_paused = true)]
async fn twenty_lookups_of_one_cold_package_make_one_request() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &Settings::default());
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
    let cache = cache(&service, &Settings::default());
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
    let cache = cache(&service, &Settings::default());
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
    let runtime = tokio::runtime::Handle::current();
    let cache = tidings_acl::AclCache::new(service, broken.clone(), &Settings::default(), runtime);
    let half = view(&cache, "guake").await;
    assert_eq!(half.missing()[0].key, shells()[0]);
    assert!(holds(&half, "ann", "guake")[0] && !holds(&half, "bob", "guake")[0]);
    broken.feels(Mood::Well);
    assert!(holds(&view(&cache, "guake").await, "bob", "guake")[0]);
}

#[tokio::test(start_paused = true)]
async fn a_cold_list_is_tried_again_while_the_message_waits() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &Settings::default());
    service.feels(Mood::Failing);
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move { view(&cache, "guake").await }
    });
    sleep(Duration::from_millis(500)).await;
    service.feels(Mood::Well);
    assert!(waiting.await.unwrap().missing().is_empty());
    assert_eq!(service.calls("guake"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_on_its_way_when_the_list_changed_is_not_believed() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &Settings::default());
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
    let cache = cache(&service, &Settings::default());
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
    let cache = cache(&service, &Settings::default());
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
    let cache = cache(&service, &Settings::default());
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
    let cache = cache(&service, &Settings::default());
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
async fn retries_of_a_list_become_rarer() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &Settings { breaker_failures: 1000, ..Settings::default() });
    view(&cache, "guake").await;
    service.feels(Mood::Failing);
    cache.invalidate(&guake(), Cause::PackageDatabase);
    for _ in 0..3600 {
        sleep(Duration::from_secs(1)).await;
        assert!(ready(&cache, "guake").is_some());
    }
    let calls = service.calls("guake");
    assert!((12..=20).contains(&calls), "{calls} requests in an hour");
}

#[tokio::test(start_paused = true)]
async fn an_old_list_is_served_at_once_and_refreshed_by_one_request() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &Settings { max_age: HOUR, ..Settings::default() });
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
    let cache = cache(&service, &Settings::default());
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
    let cache = cache(&service, &Settings::default());
    view(&cache, "guake").await;
    service.set(LISTS);
    cache.invalidate(&guake(), Cause::DistGit);
    assert!(holds(&view(&cache, "guake").await, "ann", "guake")[0]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_end_the_load_that_others_wait_for() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &Settings::default());
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
async fn a_provider_that_never_answers_is_given_up_within_bounds() {
    let service = Service::new(LISTS);
    let settings = Settings { breaker_failures: 1000, ..Settings::default() };
    let cache = cache(&service, &settings);
    view(&cache, "bash").await;
    service.takes(1_000_000);
    let start = Instant::now();
    assert_eq!(view(&cache, "guake").await.missing()[0].reason, Unavailable::TimedOut);
    assert_eq!(start.elapsed(), settings.wait);
    cache.invalidate(&[Key::Package("bash".into())], Cause::DistGit);
    let start = Instant::now();
    assert!(holds(&view(&cache, "bash").await, "dan", "bash")[0], "the last known list");
    assert!(start.elapsed() <= settings.timeout, "{:?}", start.elapsed());
    assert!(cache.figures().packages.loads.iter().any(|(result, n)| *result == LoadResult::TimedOut && *n > 0));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_again_and_again_is_left_alone_and_tried_by_one_request() {
    let service = Service::new(LISTS);
    let settings = Settings { breaker_failures: 3, ..Settings::default() };
    let cache = cache(&service, &settings);
    view(&cache, "bash").await;
    service.feels(Mood::Failing);
    assert_eq!(view(&cache, "guake").await.missing()[0].reason, Unavailable::Failed);
    assert_eq!(cache.figures().packages.breaker, BreakerState::Open);
    let start = Instant::now();
    assert_eq!(view(&cache, "zsh").await.missing()[0].reason, Unavailable::Resting);
    cache.invalidate(&[Key::Package("bash".into())], Cause::DistGit);
    assert!(holds(&view(&cache, "bash").await, "dan", "bash")[0], "what is known serves meanwhile");
    assert_eq!(start.elapsed(), Duration::ZERO, "nobody waits for a service that is left alone");
    assert_eq!((service.calls("zsh"), service.calls("bash")), (0, 1));
    service.feels(Mood::Well);
    service.takes(5);
    advance(settings.breaker_rest).await;
    let probe = tokio::spawn({
        let cache = cache.clone();
        async move { view(&cache, "guake").await }
    });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(cache.figures().packages.breaker, BreakerState::HalfOpen);
    assert_eq!(view(&cache, "zsh").await.missing()[0].reason, Unavailable::Resting, "one request is enough to try");
    assert!(holds(&probe.await.unwrap(), "ann", "guake")[0]);
    assert_eq!(cache.figures().packages.breaker, BreakerState::Closed);
    assert!(view(&cache, "zsh").await.missing().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_at_once_than_are_allowed() {
    let service = Service::new("{}");
    let cache = cache(&service, &Settings { concurrency: 3, ..Settings::default() });
    service.takes(1);
    let names: Vec<String> = (0..12).map(|n| format!("package-{n}")).collect();
    let start = Instant::now();
    assert!(cache.view(&Need { packages: &names, groups: &[] }).await.missing().is_empty());
    assert_eq!((service.most_at_once(), start.elapsed().as_secs()), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn more_cold_lists_than_may_wait_are_reported_at_once() {
    let service = Service::new("{}");
    let cache = cache(&service, &Settings::default());
    service.takes(1_000_000);
    let names: Vec<String> = (0..=tidings_domain::limits::ACL_FLIGHTS).map(|n| format!("package-{n}")).collect();
    let view = cache.view(&Need { packages: &names, groups: &[] }).await;
    let refused = view.missing().iter().filter(|missing| missing.reason == Unavailable::Overloaded).count();
    assert_eq!(refused, 1);
}

#[tokio::test(start_paused = true)]
async fn memory_stays_in_bounds_and_what_was_evicted_is_fetched_again() {
    let members: Vec<String> = (0..100).map(|n| format!("\"member-{n:04}-of-a-large-group\"")).collect();
    let lists: Vec<String> =
        (0..400).map(|n| format!("\"package-{n}\": {{\"watch\": [{}]}}", members.join(","))).collect();
    let service = Service::new(&format!("{{\"packages\": {{{}}}}}", lists.join(",")));
    let settings = Settings { package_bytes: 1024 * 1024, ..Settings::default() };
    let cache = cache(&service, &settings);
    for round in 0..2 {
        for n in 0..400 {
            let name = format!("package-{n}");
            assert!(holds(&view(&cache, &name).await, "member-0007-of-a-large-group", &name)[2], "{name} in round {round}");
        }
    }
    let figures = cache.figures().packages;
    assert!(figures.bytes <= settings.package_bytes, "{} bytes", figures.bytes);
    assert!(figures.entries > 50 && figures.entries < 400, "{} entries", figures.entries);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_hurts_one_load_only() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &Settings::default());
    service.feels(Mood::Panicking);
    assert_eq!(view(&cache, "guake").await.missing()[0].reason, Unavailable::Lost);
    service.feels(Mood::Well);
    assert!(holds(&view(&cache, "guake").await, "ann", "guake")[0]);
}

#[tokio::test(start_paused = true)]
async fn groups_that_rules_ask_for_are_in_the_view_and_each_list_once() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &Settings::default());
    let twice = packages(&["guake", "bash", "guake"]);
    let need = Need { packages: &twice, groups: &["shells", "nosuch"] };
    let view = cache.view(&need).await;
    assert!(view.is_member("shells", "bob") && view.members("nosuch").is_none() && view.missing().is_empty());
    assert!(holds(&view, "dan", "bash")[0] && holds(&view, "ann", "guake")[0]);
    assert_eq!((service.calls("guake"), service.calls("shells"), service.calls("nosuch")), (1, 1, 1));
    assert!(cache.ready(&need).is_some());
}

#[tokio::test(start_paused = true)]
async fn all_lists_can_be_declared_wrong_at_once() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &Settings::default());
    view(&cache, "guake").await;
    service.set(GIVEN);
    cache.invalidate_all(Cause::Reload);
    assert!(ready(&cache, "guake").is_none());
    assert!(holds(&view(&cache, "guake").await, "eve", "guake")[0]);
    assert!(cache.figures().invalidations.contains(&(Cause::Reload, 2)));
}
