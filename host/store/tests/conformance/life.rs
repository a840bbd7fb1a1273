//! Versions and history of channels, and deliveries that a channel kept waiting.

use tidings_domain::delivery::{DeliveryState, Recipient};
use tidings_domain::plugin_life::{
    CanaryPlan, Candidate, ChannelEvent, ChannelVersions, EventKind, FailurePolicy, Quarantine, VersionState,
};
use tidings_domain::subscription::{Style, Subscription};
use tidings_store::Channel;
use tidings_store::limits;

use crate::fixture::{Fixture, at, delivered, gathered, store, subscription, to};
use crate::setup::channel;

fn event(kind: EventKind, component: &str, millis: u64) -> ChannelEvent {
    ChannelEvent { at: at(millis), event: kind, component: component.into(), detail: format!("{kind:?}") }
}

fn candidate(component: &str) -> Option<Candidate> {
    Some(Candidate { component: component.into(), plan: CanaryPlan::default(), since: at(1) })
}

async fn versions(fixture: &Fixture) -> Vec<(String, VersionState)> {
    let mut versions = fixture.store.channel_versions("email").await.unwrap();
    versions.sort_by(|a, b| a.component.cmp(&b.component));
    versions.into_iter().map(|version| (version.component, version.state)).collect()
}

#[tokio::test]
async fn each_step_of_an_upgrade_leaves_every_version_in_one_place() {
    use VersionState::{Active, Candidate, Failed, Previous, Retired};
    let fixture = store().await;
    let step = async |component: &str, life: ChannelVersions, told: Option<ChannelEvent>, now: u64| {
        let wish = Channel { component: component.into(), life, ..channel("email") };
        fixture.store.change_channel(&wish, told, at(now)).await.unwrap();
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
    // A version that failed may be tried again, and what was previous makes room.
    let again = step("c", life(None, Some("a")), None, 7).await;
    assert_eq!(again, is(&[("a", Previous), ("b", Failed), ("c", Active)]));
    let last = step("d", life(None, Some("c")), None, 8).await;
    assert_eq!(last, is(&[("a", Retired), ("b", Failed), ("c", Previous), ("d", Active)]));
    // The previous one is tried again, and is where rolling back leads again when that did not go well.
    let retried = step("d", life(candidate("c"), Some("c")), None, 9).await;
    assert_eq!(retried, is(&[("a", Retired), ("b", Failed), ("c", Candidate), ("d", Active)]));
    let fell = Some(event(EventKind::FellBack, "c", 10));
    let fallen = step("d", life(None, Some("c")), fell, 10).await;
    assert_eq!(fallen, is(&[("a", Retired), ("b", Failed), ("c", Previous), ("d", Active)]));
}

#[tokio::test]
async fn what_a_channel_knows_of_its_life_comes_back() {
    let fixture = store().await;
    let life = ChannelVersions {
        candidate: candidate("b"),
        previous: Some("z".into()),
        switched_at: Some(at(3)),
        quarantine: Some(Quarantine { since: at(4), reason: "it crashed".into() }),
        policy: FailurePolicy::FallBack { channel: "irc".into(), after_seconds: 60 },
    };
    let wish = Channel { life: life.clone(), ..channel("email") };
    fixture.store.put_channel(&wish, at(5)).await.unwrap();
    assert_eq!(fixture.store.channel("email").await.unwrap().life, life);
}

#[tokio::test]
async fn the_history_is_told_newest_first_and_is_bounded() {
    let fixture = store().await;
    let beyond = u64::from(limits::CHANNEL_EVENTS) + 3;
    for number in 0..beyond {
        let told = event(EventKind::Enabled, "a", number);
        fixture.store.change_channel(&channel("email"), Some(told), at(number)).await.unwrap();
    }
    let other = event(EventKind::Disabled, "a", 1);
    fixture.store.change_channel(&channel("irc"), Some(other.clone()), at(1)).await.unwrap();
    let latest = fixture.store.channel_events("email", 2).await.unwrap();
    assert_eq!(latest, [event(EventKind::Enabled, "a", beyond - 1), event(EventKind::Enabled, "a", beyond - 2)]);
    let all = fixture.store.channel_events("email", u32::MAX).await.unwrap();
    assert_eq!(all.len(), limits::CHANNEL_EVENTS as usize);
    assert_eq!(fixture.store.channel_events("irc", 10).await.unwrap(), [other]);
}

async fn states(fixture: &Fixture) -> Vec<(String, String, DeliveryState)> {
    let rows = fixture.rows().await.into_iter();
    let mut rows: Vec<_> = rows.map(|row| (row.message_id, row.channel, row.state)).collect();
    rows.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    rows
}

fn is(expected: &[(&str, &str, DeliveryState)]) -> Vec<(String, String, DeliveryState)> {
    expected.iter().map(|(message, channel, state)| ((*message).into(), (*channel).into(), *state)).collect()
}

#[tokio::test]
async fn what_is_late_is_dropped_and_what_is_young_in_a_call_or_still_gathering_is_not() {
    let fixture = store().await;
    fixture.accept(10, "called", vec![to("amara")]).await;
    let lease = fixture.lease_one(20).await;
    fixture.accept(30, "late", vec![to("amara")]).await;
    fixture.accept(40, "gathers", vec![gathered("lena", 3600, None)]).await;
    fixture.accept(50, "gathers-too", vec![gathered("lena", 3600, None)]).await;
    fixture.accept(1000, "young", vec![to("amara")]).await;
    assert_eq!(fixture.store.drop_late("email", at(500), "too old", at(2000)).await.unwrap(), 1);
    let expected = [
        ("called", "email", DeliveryState::Pending),
        ("gathers", "email", DeliveryState::Pending),
        ("gathers-too", "email", DeliveryState::Pending),
        ("late", "email", DeliveryState::Dead),
        ("young", "email", DeliveryState::Pending),
    ];
    assert_eq!(states(&fixture).await, is(&expected));
    let late = fixture.rows().await.into_iter().find(|row| row.message_id == "late").unwrap();
    assert_eq!((late.note.as_deref(), late.attempts), (Some("too old"), 0));
    fixture.books().await;
    // The call ends as if nothing had been; the digest is late an hour after it was due.
    assert!(fixture.settle(lease, delivered(), 2100).await);
    let hours = 2 * 3_600_000;
    assert_eq!(fixture.store.drop_late("email", at(500), "too old", at(hours)).await.unwrap(), 2);
    assert_eq!(fixture.books().await.pending, 1);
    assert_eq!(fixture.store.next_due("email").await.unwrap(), Some(at(1000)));
}

#[tokio::test]
async fn a_digest_is_as_old_as_its_latest_member() {
    let fixture = store().await;
    fixture.accept(10, "one", vec![gathered("lena", 1, None)]).await;
    fixture.accept(900, "two", vec![gathered("lena", 1, None)]).await;
    assert_eq!(fixture.store.drop_late("email", at(500), "too old", at(5000)).await.unwrap(), 0, "it gathered");
    let lease = fixture.lease_one(5000).await;
    fixture.store.release(vec![lease]).await.unwrap();
    assert_eq!(fixture.store.drop_late("email", at(500), "too old", at(6000)).await.unwrap(), 0, "it is closed");
    assert_eq!(fixture.store.drop_late("email", at(901), "too old", at(6000)).await.unwrap(), 2);
}

fn on_irc(user: &str, addresses: &[&str]) -> Subscription {
    let style = Style { markup: true, ..Style::default() };
    Subscription { channel: "irc".into(), style, ..subscription(user, addresses) }
}

#[tokio::test]
async fn what_is_late_goes_to_the_users_first_address_on_the_other_channel_once() {
    let fixture = store().await;
    let irc = |user: &str| Recipient { channel: "irc".into(), address: format!("{user}-nick"), ..to(user) };
    fixture.store.put_channel(&channel("irc"), at(1)).await.unwrap();
    for wish in [on_irc("amara", &["amara-nick", "second"]), on_irc("lena", &["lena-nick"])] {
        fixture.store.put_subscription(&wish, at(1)).await.unwrap();
    }
    let disabled = Subscription { enabled: false, ..on_irc("off", &["off-nick"]) };
    fixture.store.put_subscription(&disabled, at(1)).await.unwrap();
    // lena gets the second message there already; nobody reaches `off` and `none` there.
    fixture.accept(10, "one", vec![to("amara"), to("off"), to("none")]).await;
    fixture.accept(20, "two", vec![to("lena"), irc("lena")]).await;
    fixture.accept(900, "young", vec![to("amara")]).await;
    let moved = fixture.store.move_late("email", "irc", at(500), "sent by irc instead", at(1000)).await.unwrap();
    assert_eq!(moved, 2);
    let rows = fixture.rows().await;
    let find = |message: &str, user: &str, channel: &str| {
        let found = rows
            .iter()
            .find(|row| (row.message_id.as_str(), row.user.as_str(), row.channel.as_str()) == (message, user, channel));
        found.map(|row| (row.state, row.address.clone(), row.accepted_at, row.not_before))
    };
    let (state, address, accepted_at, not_before) = find("one", "amara", "irc").unwrap();
    assert_eq!((state, address.as_str()), (DeliveryState::Pending, "amara-nick"));
    assert_eq!((accepted_at, not_before), (at(10), at(1000)), "its age goes on, and it is due now");
    assert_eq!(find("one", "amara", "email").unwrap().0, DeliveryState::Cancelled);
    assert_eq!(find("two", "lena", "email").unwrap().0, DeliveryState::Cancelled);
    assert_eq!(rows.iter().filter(|row| row.message_id == "two" && row.channel == "irc").count(), 1);
    for held in ["off", "none"] {
        assert_eq!(find("one", held, "email").unwrap().0, DeliveryState::Pending, "{held}");
    }
    assert_eq!(find("young", "amara", "email").unwrap().0, DeliveryState::Pending);
    fixture.books().await;
    let irc = fixture.store.books().await.unwrap().remove("irc").unwrap();
    assert!(irc.balance() && irc.accepted == 2 && irc.pending == 2, "{irc:?}");
    assert!(fixture.store.next_due("irc").await.unwrap().is_some());
    let again = fixture.store.move_late("email", "irc", at(500), "sent by irc instead", at(2000)).await.unwrap();
    assert_eq!(again, 0);
}

#[tokio::test]
async fn two_channels_that_fall_back_to_each_other_do_not_lose_what_both_gave_up() {
    let fixture = store().await;
    for name in ["email", "irc"] {
        fixture.store.put_channel(&channel(name), at(1)).await.unwrap();
    }
    fixture.store.put_subscription(&on_irc("amara", &["amara-nick"]), at(1)).await.unwrap();
    fixture.store.put_subscription(&subscription("amara", &["amara@example.org"]), at(1)).await.unwrap();
    fixture.accept(10, "one", vec![to("amara")]).await;
    assert_eq!(fixture.store.move_late("email", "irc", at(500), "by irc", at(1000)).await.unwrap(), 1);
    assert_eq!(fixture.store.move_late("irc", "email", at(500), "by email", at(1001)).await.unwrap(), 0);
    let expected = [("one", "email", DeliveryState::Cancelled), ("one", "irc", DeliveryState::Pending)];
    assert_eq!(states(&fixture).await, is(&expected), "it is held where it is");
}

#[tokio::test]
async fn what_a_lease_that_ended_held_is_late_as_well() {
    let fixture = store().await;
    fixture.accept(10, "lost", vec![to("amara")]).await;
    let lease = fixture.lease_one(20).await;
    let until = lease.until().as_millis();
    assert_eq!(
        fixture.store.drop_late("email", at(500), "too old", at(until - 1)).await.unwrap(),
        0,
        "it may be in a call"
    );
    assert_eq!(fixture.store.drop_late("email", at(500), "too old", at(until)).await.unwrap(), 1);
    assert_eq!(states(&fixture).await, is(&[("lost", "email", DeliveryState::Dead)]));
    fixture.books().await;
    // What was delivered all the same is delivered.
    fixture.settle(lease, delivered(), until + 1).await;
    assert_eq!(states(&fixture).await, is(&[("lost", "email", DeliveryState::Delivered)]));
    fixture.books().await;
}

#[tokio::test]
async fn nothing_goes_to_a_channel_that_holds_its_own_deliveries() {
    let fixture = store().await;
    fixture.store.put_subscription(&on_irc("amara", &["amara-nick"]), at(1)).await.unwrap();
    fixture.accept(10, "one", vec![to("amara")]).await;
    let quarantine = Some(Quarantine { since: at(4), reason: "it crashed".into() });
    let held = ChannelVersions { quarantine, ..ChannelVersions::default() };
    let moved = async |now| fixture.store.move_late("email", "irc", at(500), "by irc", at(now)).await.unwrap();
    assert_eq!(moved(1000).await, 0, "there is none");
    for (name, target) in [
        ("disabled", Channel { enabled: false, ..channel("irc") }),
        ("quarantined", Channel { life: held, ..channel("irc") }),
    ] {
        fixture.store.put_channel(&target, at(2)).await.unwrap();
        assert_eq!(moved(1001).await, 0, "{name}");
    }
    fixture.store.put_channel(&channel("irc"), at(3)).await.unwrap();
    assert_eq!(moved(1002).await, 1);
}
