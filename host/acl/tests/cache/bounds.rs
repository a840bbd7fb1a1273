//! Bounds of the cache: how long a message waits, how many requests run at once, and how much memory lists use.

use std::time::Duration;

use tidings_acl::{AclSettings, BreakerState, LoadResult, Need, Unavailable};
use tidings_domain::acl::{Cause, Key};
use tokio::time::{Instant, advance, sleep};

use crate::support::{Behaviour, LISTS, TestProvider, cache, guake, holds, ready, view};

#[tokio::test(start_paused = true)]
async fn an_unknown_list_is_tried_again_while_the_message_waits() {
    let service = TestProvider::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    service.set_behaviour(Behaviour::Failing);
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move { view(&cache, "guake").await }
    });
    sleep(Duration::from_millis(500)).await;
    service.set_behaviour(Behaviour::Answering);
    assert!(waiting.await.unwrap().missing().is_empty());
    assert_eq!(service.calls("guake"), 2);
}

#[tokio::test(start_paused = true)]
async fn the_pause_between_refreshes_of_a_failing_list_grows() {
    let service = TestProvider::new(LISTS);
    let cache = cache(&service, &AclSettings { breaker_failures: 1000, ..AclSettings::default() });
    view(&cache, "guake").await;
    service.set_behaviour(Behaviour::Failing);
    cache.invalidate(&guake(), Cause::PackageDatabase);
    for _ in 0..3600 {
        sleep(Duration::from_secs(1)).await;
        assert!(ready(&cache, "guake").is_some());
    }
    let calls = service.calls("guake");
    assert!((12..=20).contains(&calls), "{calls} requests in an hour");
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_a_bounded_time_for_a_provider_that_never_answers() {
    let service = TestProvider::new(LISTS);
    let settings = AclSettings { breaker_failures: 1000, ..AclSettings::default() };
    let cache = cache(&service, &settings);
    view(&cache, "bash").await;
    service.set_delay(1_000_000);
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
async fn a_provider_that_fails_repeatedly_gets_no_requests_and_then_one_probe() {
    let service = TestProvider::new(LISTS);
    let settings = AclSettings { breaker_failures: 3, ..AclSettings::default() };
    let cache = cache(&service, &settings);
    view(&cache, "bash").await;
    service.set_behaviour(Behaviour::Failing);
    assert_eq!(view(&cache, "guake").await.missing()[0].reason, Unavailable::Failed);
    assert_eq!(cache.figures().packages.breaker, BreakerState::Open);
    let start = Instant::now();
    assert_eq!(view(&cache, "zsh").await.missing()[0].reason, Unavailable::Resting);
    cache.invalidate(&[Key::Package("bash".into())], Cause::DistGit);
    assert!(holds(&view(&cache, "bash").await, "dan", "bash")[0], "the last known list stays in use");
    assert_eq!(start.elapsed(), Duration::ZERO, "no message waits for a provider that gets no requests");
    assert_eq!((service.calls("zsh"), service.calls("bash")), (0, 1));
    service.set_behaviour(Behaviour::Answering);
    service.set_delay(5);
    advance(settings.breaker_rest).await;
    let probe = tokio::spawn({
        let cache = cache.clone();
        async move { view(&cache, "guake").await }
    });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(cache.figures().packages.breaker, BreakerState::HalfOpen);
    assert_eq!(view(&cache, "zsh").await.missing()[0].reason, Unavailable::Resting, "only one request is the probe");
    assert!(holds(&probe.await.unwrap(), "ann", "guake")[0]);
    assert_eq!(cache.figures().packages.breaker, BreakerState::Closed);
    assert!(view(&cache, "zsh").await.missing().is_empty());
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_stay_within_the_limit() {
    let service = TestProvider::new("{}");
    let cache = cache(&service, &AclSettings { concurrency: 3, ..AclSettings::default() });
    service.set_delay(1);
    let names: Vec<String> = (0..12).map(|n| format!("package-{n}")).collect();
    let start = Instant::now();
    assert!(cache.view(&Need { packages: &names, groups: None }).await.missing().is_empty());
    assert_eq!((service.most_at_once(), start.elapsed().as_secs()), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn unknown_lists_above_the_limit_are_reported_without_waiting() {
    let service = TestProvider::new("{}");
    let cache = cache(&service, &AclSettings::default());
    service.set_delay(1_000_000);
    let names: Vec<String> = (0..=tidings_acl::limits::ACL_IN_FLIGHT).map(|n| format!("package-{n}")).collect();
    let view = cache.view(&Need { packages: &names, groups: None }).await;
    let refused = view.missing().iter().filter(|missing| missing.reason == Unavailable::Overloaded).count();
    assert_eq!(refused, 1);
}

#[tokio::test(start_paused = true)]
async fn memory_stays_within_the_limit_and_an_evicted_list_is_fetched_again() {
    let members: Vec<String> = (0..100).map(|n| format!("\"member-{n:04}-of-a-large-group\"")).collect();
    let lists: Vec<String> =
        (0..400).map(|n| format!("\"package-{n}\": {{\"watch\": [{}]}}", members.join(","))).collect();
    let service = TestProvider::new(&format!("{{\"packages\": {{{}}}}}", lists.join(",")));
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
async fn a_provider_that_panics_fails_one_fetch_only() {
    let service = TestProvider::new(LISTS);
    let cache = cache(&service, &AclSettings::default());
    service.set_behaviour(Behaviour::Panicking);
    assert_eq!(view(&cache, "guake").await.missing()[0].reason, Unavailable::Lost);
    service.set_behaviour(Behaviour::Answering);
    assert!(holds(&view(&cache, "guake").await, "ann", "guake")[0]);
}
