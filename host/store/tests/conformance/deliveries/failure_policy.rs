//! Failure policies: late deliveries become dead, or move to another channel.

use tidings_domain::delivery::{DeliveryState, Recipient};
use tidings_domain::plugin_life::{ChannelVersions, Quarantine};
use tidings_domain::subscription::{Style, Subscription};
use tidings_store::{Channel, ChannelStore, DeliveryStore, Outbox, SubscriptionStore};

use super::DeliveryBackend;
use crate::backend::Fixture;
use crate::samples::{at, channel, delivered, in_digests, subscription, to};

async fn states<B: DeliveryBackend>(fixture: &Fixture<B>) -> Vec<(String, String, DeliveryState)> {
    let rows = fixture.rows().await.into_iter();
    let mut rows: Vec<_> = rows.map(|row| (row.message_id, row.channel, row.state)).collect();
    rows.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    rows
}

fn is(expected: &[(&str, &str, DeliveryState)]) -> Vec<(String, String, DeliveryState)> {
    expected.iter().map(|(message, channel, state)| ((*message).into(), (*channel).into(), *state)).collect()
}

fn on_irc(user: &str, addresses: &[&str]) -> Subscription {
    let style = Style { markup: true, ..Style::default() };
    Subscription { channel: "irc".into(), style, ..subscription(user, addresses) }
}

pub async fn late_deliveries_are_dropped_and_recent_leased_or_collected_ones_are_not<B: DeliveryBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(10, "called", vec![to("amara")]).await;
    let lease = fixture.lease_one(20).await;
    fixture.accept(30, "late", vec![to("amara")]).await;
    fixture.accept(40, "collected", vec![in_digests("lena", 3600, None)]).await;
    fixture.accept(50, "collected-too", vec![in_digests("lena", 3600, None)]).await;
    fixture.accept(1000, "young", vec![to("amara")]).await;
    assert_eq!(fixture.store.drop_late("email", at(500), "too old", at(2000)).await.unwrap(), 1);
    let expected = [
        ("called", "email", DeliveryState::Pending),
        ("collected", "email", DeliveryState::Pending),
        ("collected-too", "email", DeliveryState::Pending),
        ("late", "email", DeliveryState::Dead),
        ("young", "email", DeliveryState::Pending),
    ];
    assert_eq!(states(&fixture).await, is(&expected));
    let late = fixture.rows().await.into_iter().find(|row| row.message_id == "late").unwrap();
    assert_eq!((late.note.as_deref(), late.attempts), (Some("too old"), 0));
    fixture.books().await;
    // The lease can still be settled; the digest is late once it has been due for an hour.
    assert!(fixture.settle(lease, delivered(), 2100).await);
    let hours = 2 * 3_600_000;
    assert_eq!(fixture.store.drop_late("email", at(500), "too old", at(hours)).await.unwrap(), 2);
    assert_eq!(fixture.books().await.pending, 1);
    assert_eq!(fixture.store.next_due("email").await.unwrap(), Some(at(1000)));
}

pub async fn a_digest_is_as_old_as_its_latest_member<B: DeliveryBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(10, "one", vec![in_digests("lena", 1, None)]).await;
    fixture.accept(900, "two", vec![in_digests("lena", 1, None)]).await;
    assert_eq!(fixture.store.drop_late("email", at(500), "too old", at(5000)).await.unwrap(), 0, "it gathered");
    let lease = fixture.lease_one(5000).await;
    fixture.store.release(vec![lease]).await.unwrap();
    assert_eq!(fixture.store.drop_late("email", at(500), "too old", at(6000)).await.unwrap(), 0, "it is closed");
    assert_eq!(fixture.store.drop_late("email", at(901), "too old", at(6000)).await.unwrap(), 2);
}

pub async fn late_deliveries_move_once_to_the_users_first_address_on_the_other_channel<B: DeliveryBackend>() {
    let fixture = Fixture::<B>::new().await;
    let irc = |user: &str| Recipient { channel: "irc".into(), address: format!("{user}-nick"), ..to(user) };
    fixture.store.put_channel(&channel("irc"), at(1)).await.unwrap();
    for desired in [on_irc("amara", &["amara-nick", "second"]), on_irc("lena", &["lena-nick"])] {
        fixture.store.put_subscription(&desired, at(1)).await.unwrap();
    }
    let disabled = Subscription { enabled: false, ..on_irc("off", &["off-nick"]) };
    fixture.store.put_subscription(&disabled, at(1)).await.unwrap();
    // lena gets the second message there already; `off` and `none` have no address there.
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

pub async fn two_channels_that_fall_back_to_each_other_lose_nothing<B: DeliveryBackend>() {
    let fixture = Fixture::<B>::new().await;
    for name in ["email", "irc"] {
        fixture.store.put_channel(&channel(name), at(1)).await.unwrap();
    }
    fixture.store.put_subscription(&on_irc("amara", &["amara-nick"]), at(1)).await.unwrap();
    fixture.store.put_subscription(&subscription("amara", &["amara@example.org"]), at(1)).await.unwrap();
    fixture.accept(10, "one", vec![to("amara")]).await;
    assert_eq!(fixture.store.move_late("email", "irc", at(500), "by irc", at(1000)).await.unwrap(), 1);
    assert_eq!(fixture.store.move_late("irc", "email", at(500), "by email", at(1001)).await.unwrap(), 0);
    let expected = [("one", "email", DeliveryState::Cancelled), ("one", "irc", DeliveryState::Pending)];
    assert_eq!(states(&fixture).await, is(&expected), "it stays pending on the second channel");
}

pub async fn a_delivery_with_an_expired_lease_is_late_too<B: DeliveryBackend>() {
    let fixture = Fixture::<B>::new().await;
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
    // A delivered outcome still counts.
    fixture.settle(lease, delivered(), until + 1).await;
    assert_eq!(states(&fixture).await, is(&[("lost", "email", DeliveryState::Delivered)]));
    fixture.books().await;
}

pub async fn nothing_moves_to_a_disabled_or_quarantined_channel<B: DeliveryBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.store.put_subscription(&on_irc("amara", &["amara-nick"]), at(1)).await.unwrap();
    fixture.accept(10, "one", vec![to("amara")]).await;
    let quarantine = Some(Quarantine { since: at(4), reason: "it crashed".into() });
    let held = ChannelVersions { quarantine, ..ChannelVersions::default() };
    let moved = async |now| fixture.store.move_late("email", "irc", at(500), "by irc", at(now)).await.unwrap();
    assert_eq!(moved(1000).await, 0, "the channel does not exist");
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

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::deliveries::failure_policy]:
            late_deliveries_are_dropped_and_recent_leased_or_collected_ones_are_not,
            a_digest_is_as_old_as_its_latest_member,
            late_deliveries_move_once_to_the_users_first_address_on_the_other_channel,
            two_channels_that_fall_back_to_each_other_lose_nothing,
            a_delivery_with_an_expired_lease_is_late_too,
            nothing_moves_to_a_disabled_or_quarantined_channel,
        }
    };
}
pub(crate) use suite;
