//! How long anybody waits, how much is asked at once, and how much is kept.

use std::time::Duration;

use tidings_acl::{AclSettings, BreakerState, LoadResult, Need, Unavailable};
use tidings_domain::acl::{Cause, Key};
use tokio::time::{Instant, advance, sleep};

use crate::support::{LISTS, Mood, Service, cache, guake, holds, ready, view};

#[tokio::test(start_paused = true)]
async fn a_cold_list_is_tried_again_while_the_message_waits() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
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
async fn retries_of_a_list_become_rarer() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings { breaker_failures: 1000, ..AclSettings::default() });
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
async fn a_provider_that_never_answers_is_given_up_within_bounds() {
    let service = Service::new(LISTS);
    let settings = AclSettings { breaker_failures: 1000, ..AclSettings::default() };
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
    let settings = AclSettings { breaker_failures: 3, ..AclSettings::default() };
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
    let cache = cache(&service, &AclSettings { concurrency: 3, ..AclSettings::default() });
    service.takes(1);
    let names: Vec<String> = (0..12).map(|n| format!("package-{n}")).collect();
    let start = Instant::now();
    assert!(cache.view(&Need { packages: &names, groups: None }).await.missing().is_empty());
    assert_eq!((service.most_at_once(), start.elapsed().as_secs()), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn more_cold_lists_than_may_wait_are_reported_at_once() {
    let service = Service::new("{}");
    let cache = cache(&service, &AclSettings::default());
    service.takes(1_000_000);
    let names: Vec<String> = (0..=tidings_acl::limits::ACL_IN_FLIGHT).map(|n| format!("package-{n}")).collect();
    let view = cache.view(&Need { packages: &names, groups: None }).await;
    let refused = view.missing().iter().filter(|missing| missing.reason == Unavailable::Overloaded).count();
    assert_eq!(refused, 1);
}

#[tokio::test(start_paused = true)]
async fn memory_stays_in_bounds_and_what_was_evicted_is_fetched_again() {
    let members: Vec<String> = (0..100).map(|n| format!("\"member-{n:04}-of-a-large-group\"")).collect();
    let lists: Vec<String> =
        (0..400).map(|n| format!("\"package-{n}\": {{\"watch\": [{}]}}", members.join(","))).collect();
    let service = Service::new(&format!("{{\"packages\": {{{}}}}}", lists.join(",")));
    let settings = AclSettings { package_bytes: 1024 * 1024, ..AclSettings::default() };
    let cache = cache(&service, &settings);
    for round in 0..2 {
        for n in 0..400 {
            let name = format!("package-{n}");
            assert!(
                holds(&view(&cache, &name).await, "member-0007-of-a-large-group", &name)[2],
                "{name} in round {round}"
            );
        }
    }
    let figures = cache.figures().packages;
    assert!(figures.bytes <= settings.package_bytes, "{} bytes", figures.bytes);
    assert!(figures.entries > 50 && figures.entries < 400, "{} entries", figures.entries);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_hurts_one_load_only() {
    let service = Service::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    service.feels(Mood::Panicking);
    assert_eq!(view(&cache, "guake").await.missing()[0].reason, Unavailable::Lost);
    service.feels(Mood::Well);
    assert!(holds(&view(&cache, "guake").await, "ann", "guake")[0]);
}
