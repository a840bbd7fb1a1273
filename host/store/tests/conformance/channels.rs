//! The role `ChannelStore`: channels with their secrets, versions and history.

use tidings_domain::plugin_life::{
    CanaryPlan, Candidate, ChannelEvent, ChannelVersions, EventKind, FailurePolicy, Quarantine, VersionState,
};
use tidings_store::limits::{self};
use tidings_store::{Channel, ChannelStore, DeliveryStore, Outbox, PluginStateStore, StoreError};

use crate::backend::{Backend, Fixture};
use crate::samples::{at, channel, delivered, to};

/// What the suite needs: the role, and the roles through which tests prepare and observe it.
pub trait ChannelBackend: Backend<Store: ChannelStore + PluginStateStore + Outbox + DeliveryStore> {}
impl<B: Backend<Store: ChannelStore + PluginStateStore + Outbox + DeliveryStore>> ChannelBackend for B {}

fn event(kind: EventKind, component: &str, millis: u64) -> ChannelEvent {
    ChannelEvent { at: at(millis), event: kind, component: component.into(), detail: format!("{kind:?}") }
}

fn candidate(component: &str) -> Option<Candidate> {
    Some(Candidate { component: component.into(), plan: CanaryPlan::default(), since: at(1) })
}

async fn versions<B: ChannelBackend>(fixture: &Fixture<B>) -> Vec<(String, VersionState)> {
    let mut versions = fixture.store.channel_versions("email").await.unwrap();
    versions.sort_by(|a, b| a.component.cmp(&b.component));
    versions.into_iter().map(|version| (version.component, version.state)).collect()
}

pub async fn a_channel_is_stored_whole_and_its_debug_form_shows_no_secret<B: ChannelBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut desired = channel("email");
    fixture.store.put_channel(&channel("irc"), at(1)).await.unwrap();
    fixture.store.put_channel(&channel("email"), at(1)).await.unwrap();
    desired.enabled = false;
    desired.config.remove("host");
    fixture.store.put_channel(&desired, at(2)).await.unwrap();
    let stored = fixture.store.channel("email").await.unwrap();
    assert_eq!((&stored.name, &stored.component, stored.enabled), (&desired.name, &desired.component, false));
    assert_eq!((&stored.config, stored.limits), (&desired.config, desired.limits));
    assert_eq!(stored.grants.reach, desired.grants.reach);
    assert_eq!(stored.grants.credentials.len(), desired.grants.credentials.len());
    for (kept, given) in stored.grants.credentials.iter().zip(&desired.grants.credentials) {
        assert_eq!((&kept.name, &kept.kind, &kept.host), (&given.name, &given.kind, &given.host));
        assert_eq!(kept.value, given.value);
    }
    let names: Vec<String> = fixture.store.channels().await.unwrap().into_iter().map(|channel| channel.name).collect();
    assert_eq!(names, ["email", "irc"]);
    let debug = format!("{stored:?}");
    assert!(!debug.contains("hunter"), "{debug}");
    let missing = fixture.store.channel("fax").await;
    assert!(matches!(missing, Err(StoreError::Missing { what: "channel", .. })));
}

pub async fn a_channel_is_deleted_only_when_nothing_depends_on_it<B: ChannelBackend>() {
    let fixture = Fixture::<B>::new().await;
    let put = async |channel: Channel| fixture.store.put_channel(&channel, at(2)).await.unwrap();
    let refused = async |why: &str| match fixture.store.delete_channel("email", at(3)).await {
        Err(StoreError::InUse { by, .. }) => assert!(by.contains(why), "{why}: {by}"),
        other => panic!("{why}: {other:?}"),
    };
    put(channel("email")).await;
    refused("enabled").await;
    put(Channel { enabled: false, ..channel("email") }).await;
    let policy = FailurePolicy::FallBack { channel: "email".into(), after_seconds: 60 };
    put(Channel { life: ChannelVersions { policy, ..ChannelVersions::default() }, ..channel("irc") }).await;
    refused("irc").await;
    put(channel("irc")).await;
    fixture.accept(10, "one", vec![to("amara")]).await;
    refused("deliveries").await;
    let lease = fixture.lease_one(20).await;
    fixture.settle(lease, delivered(), 30).await;
    assert!(fixture.store.plugin_state_set("email", "key", b"value", 9, 99).await.unwrap());
    fixture.store.delete_channel("email", at(40)).await.unwrap();
    let gone = fixture.store.channel("email").await;
    assert!(matches!(gone, Err(StoreError::Missing { .. })), "{gone:?}");
    assert_eq!(fixture.store.plugin_state_get("email", "key").await.unwrap(), None);
    assert!(fixture.store.plugin_state_set("email", "yek", b"value", 1, 8).await.unwrap(), "its whole quota is free");
    assert_eq!(fixture.store.channel_versions("email").await.unwrap(), []);
    assert_eq!(fixture.books().await.delivered, 1);
    assert_eq!(fixture.store.channel_versions("irc").await.unwrap().len(), 1, "the other channel is not changed");
}

pub async fn each_step_of_an_upgrade_leaves_every_version_in_one_state<B: ChannelBackend>() {
    use VersionState::{Active, Candidate, Failed, Previous, Retired};
    let fixture = Fixture::<B>::new().await;
    let step = async |component: &str, life: ChannelVersions, event: Option<ChannelEvent>, now: u64| {
        let desired = Channel { component: component.into(), life, ..channel("email") };
        fixture.store.change_channel(&desired, event, at(now)).await.unwrap();
        versions(&fixture).await
    };
    let life = |candidate, previous: Option<&str>| ChannelVersions {
        candidate,
        previous: previous.map(str::to_owned),
        ..ChannelVersions::default()
    };
    let is = |expected: &[(&str, VersionState)]| -> Vec<(String, VersionState)> {
        expected.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect()
    };
    assert_eq!(step("a", life(None, None), None, 1).await, is(&[("a", Active)]));
    assert_eq!(step("a", life(candidate("b"), None), None, 2).await, is(&[("a", Active), ("b", Candidate)]));
    assert_eq!(step("b", life(None, Some("a")), None, 3).await, is(&[("a", Previous), ("b", Active)]));
    let third = step("b", life(candidate("c"), Some("a")), None, 4).await;
    assert_eq!(third, is(&[("a", Previous), ("b", Active), ("c", Candidate)]));
    let fell = Some(event(EventKind::FellBack, "c", 5));
    let fallen = step("b", life(None, Some("a")), fell, 5).await;
    assert_eq!(fallen, is(&[("a", Previous), ("b", Active), ("c", Failed)]));
    let back = Some(event(EventKind::RolledBack, "b", 6));
    assert_eq!(step("a", life(None, None), back, 6).await, is(&[("a", Active), ("b", Failed), ("c", Failed)]));
    // A version that failed may be tried again, and the previous version is replaced.
    let again = step("c", life(None, Some("a")), None, 7).await;
    assert_eq!(again, is(&[("a", Previous), ("b", Failed), ("c", Active)]));
    let last = step("d", life(None, Some("c")), None, 8).await;
    assert_eq!(last, is(&[("a", Retired), ("b", Failed), ("c", Previous), ("d", Active)]));
    // The previous version is tried again, and is the previous one again when the trial failed.
    let retried = step("d", life(candidate("c"), Some("c")), None, 9).await;
    assert_eq!(retried, is(&[("a", Retired), ("b", Failed), ("c", Candidate), ("d", Active)]));
    let fell = Some(event(EventKind::FellBack, "c", 10));
    let fallen = step("d", life(None, Some("c")), fell, 10).await;
    assert_eq!(fallen, is(&[("a", Retired), ("b", Failed), ("c", Previous), ("d", Active)]));
}

pub async fn versions_quarantine_and_policy_of_a_channel_are_stored<B: ChannelBackend>() {
    let fixture = Fixture::<B>::new().await;
    let life = ChannelVersions {
        candidate: candidate("b"),
        previous: Some("z".into()),
        switched_at: Some(at(3)),
        quarantine: Some(Quarantine { since: at(4), reason: "it crashed".into() }),
        policy: FailurePolicy::FallBack { channel: "irc".into(), after_seconds: 60 },
    };
    let desired = Channel { life: life.clone(), ..channel("email") };
    fixture.store.put_channel(&desired, at(5)).await.unwrap();
    assert_eq!(fixture.store.channel("email").await.unwrap().life, life);
}

pub async fn the_history_is_listed_newest_first_and_is_bounded<B: ChannelBackend>() {
    let fixture = Fixture::<B>::new().await;
    let beyond = u64::from(limits::CHANNEL_EVENTS) + 3;
    for number in 0..beyond {
        let enabled = event(EventKind::Enabled, "a", number);
        fixture.store.change_channel(&channel("email"), Some(enabled), at(number)).await.unwrap();
    }
    let other = event(EventKind::Disabled, "a", 1);
    fixture.store.change_channel(&channel("irc"), Some(other.clone()), at(1)).await.unwrap();
    let latest = fixture.store.channel_events("email", 2).await.unwrap();
    assert_eq!(latest, [event(EventKind::Enabled, "a", beyond - 1), event(EventKind::Enabled, "a", beyond - 2)]);
    let all = fixture.store.channel_events("email", u32::MAX).await.unwrap();
    assert_eq!(all.len(), limits::CHANNEL_EVENTS as usize);
    assert_eq!(fixture.store.channel_events("irc", 10).await.unwrap(), [other]);
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::channels]:
            a_channel_is_stored_whole_and_its_debug_form_shows_no_secret,
            a_channel_is_deleted_only_when_nothing_depends_on_it,
            each_step_of_an_upgrade_leaves_every_version_in_one_state,
            versions_quarantine_and_policy_of_a_channel_are_stored,
            the_history_is_listed_newest_first_and_is_bounded,
        }
    };
}
pub(crate) use suite;
