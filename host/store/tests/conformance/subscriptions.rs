//! The role `SubscriptionStore`: subscriptions are stored as written, and pending deliveries follow their edits.

use tidings_domain::delivery::{DeliveryState, Recipient};
use tidings_domain::subscription::{DigestOptions, Edit, Rule, Style, Subscription};
use tidings_store::limits::SUBSCRIPTION_PAGE_BYTES;
use tidings_store::{DeliveryStore, Outbox, SubscriptionStore};

use crate::backend::{Backend, Fixture};
use crate::samples::{again, at, delivered, filter, subscription, to};

/// What the suite needs: the role, and the roles through which tests prepare and observe it.
pub trait SubscriptionBackend: Backend<Store: SubscriptionStore + Outbox + DeliveryStore> {}
impl<B: Backend<Store: SubscriptionStore + Outbox + DeliveryStore>> SubscriptionBackend for B {}

pub async fn a_subscription_comes_back_as_it_was_written<B: SubscriptionBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut full = subscription("zoë", &["zoë@example.org", "\"odd\\one\"@example.org"]);
    full.digest = Some(DigestOptions { interval_seconds: 3600, count: Some(10) });
    full.style = Style { markup: true, triggered_by: false, verbose: false };
    let mut many = filter("näme ✓", true);
    many.rules.push(Rule { rule: "regex".into(), arguments: [("q".into(), "'\";--".into())].into(), negated: true });
    many.active = false;
    full.filters = vec![filter("mine", false), many, filter("mine", false)];
    let mut irc = subscription("zoë", &[]);
    irc.channel = "irc".into();
    irc.enabled = false;
    let other = subscription("ann", &["a@x"]);
    for desired in [&full, &irc, &other] {
        fixture.store.put_subscription(desired, at(1)).await.unwrap();
    }
    assert_eq!(fixture.subscriptions().await, [other, full.clone(), irc.clone()]);
    assert_eq!(fixture.store.subscriptions_of("zoë").await.unwrap(), [full, irc]);
    assert_eq!(fixture.store.subscriptions_of("nobody").await.unwrap(), []);
}

pub async fn an_edit_replaces_the_subscription_and_a_deletion_removes_it<B: SubscriptionBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut desired = subscription("ann", &["a@x"]);
    fixture.store.put_subscription(&desired, at(1)).await.unwrap();
    desired.filters.clear();
    desired.addresses = vec!["b@x".into()];
    fixture.store.put_subscription(&desired, at(2)).await.unwrap();
    assert_eq!(fixture.subscriptions().await, [desired.clone()]);
    assert!(fixture.store.delete_subscription("ann", "email", at(3)).await.unwrap());
    assert!(!fixture.store.delete_subscription("ann", "email", at(3)).await.unwrap());
    assert!(!fixture.store.delete_subscription("ann", "irc", at(3)).await.unwrap());
    assert_eq!(fixture.subscriptions().await, []);
    fixture.store.put_subscription(&desired, at(4)).await.unwrap();
    assert_eq!(fixture.subscriptions().await, [desired]);
}

pub async fn a_replacement_applies_only_to_the_state_that_it_names<B: SubscriptionBackend>() {
    let fixture = Fixture::<B>::new().await;
    let (first, second) = (subscription("ann", &["a@x"]), subscription("ann", &["b@x"]));
    let replace = async |present: &Subscription, new: Option<&Subscription>| {
        fixture.store.replace_subscription(present, new, at(2)).await.unwrap()
    };
    assert!(!replace(&first, Some(&second)).await, "there is none");
    assert_eq!(fixture.subscriptions().await, []);
    fixture.store.put_subscription(&first, at(1)).await.unwrap();
    fixture.accept(100, "m1", vec![Recipient { address: "a@x".into(), ..to("ann") }]).await;
    assert!(!replace(&second, Some(&first)).await && !replace(&second, None).await, "it is another state");
    assert_eq!(fixture.subscriptions().await, std::slice::from_ref(&first));
    let both = tokio::join!(replace(&first, Some(&second)), replace(&first, None));
    assert!(both.0 ^ both.1, "one of two wins: {both:?}");
    assert_eq!(fixture.rows().await[0].state, DeliveryState::Cancelled);
    fixture.store.put_subscription(&second, at(3)).await.unwrap();
    assert!(replace(&second, None).await);
    assert_eq!(fixture.subscriptions().await, []);
}

/// Row 44 of the list of failures: while a delivery is pending.
pub async fn pending_deliveries_to_a_removed_address_are_cancelled<B: SubscriptionBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut desired = subscription("ann", &["a@x", "b@x"]);
    fixture.store.put_subscription(&desired, at(1)).await.unwrap();
    let address = |address: &str| Recipient { address: address.into(), ..to("ann") };
    fixture.accept(100, "m1", vec![address("a@x"), address("b@x"), to("bob")]).await;
    desired.addresses.remove(0);
    fixture.store.put_subscription(&desired, at(200)).await.unwrap();
    let states = async || fixture.rows().await.into_iter().map(|row| row.state).collect::<Vec<_>>();
    assert_eq!(states().await, [DeliveryState::Cancelled, DeliveryState::Pending, DeliveryState::Pending]);
    desired.enabled = false;
    fixture.store.put_subscription(&desired, at(300)).await.unwrap();
    assert_eq!(states().await, [DeliveryState::Cancelled, DeliveryState::Cancelled, DeliveryState::Pending]);
    assert_eq!(fixture.books().await.cancelled, 2);
}

pub async fn a_delivery_cancelled_while_leased_may_still_become_delivered<B: SubscriptionBackend>() {
    for (settlement, state) in [(delivered(), DeliveryState::Delivered), (again(5), DeliveryState::Cancelled)] {
        let fixture = Fixture::<B>::new().await;
        fixture.store.put_subscription(&subscription("ann", &["ann@example.org"]), at(1)).await.unwrap();
        fixture.accept(100, "m1", vec![to("ann")]).await;
        let lease = fixture.lease_one(200).await;
        fixture.store.delete_subscription("ann", "email", at(300)).await.unwrap();
        fixture.settle(lease, settlement, 400).await;
        assert_eq!(fixture.rows().await[0].state, state);
        fixture.books().await;
    }
}

pub async fn an_address_has_an_owner_while_a_subscription_has_it<B: SubscriptionBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.store.put_subscription(&subscription("ann", &["a@x", "b@x"]), at(1)).await.unwrap();
    let owner = async |channel: &str, address: &str| fixture.store.owner_of(channel, address).await.unwrap();
    assert_eq!(owner("email", "b@x").await.as_deref(), Some("ann"));
    assert_eq!(owner("email", "c@x").await, None);
    assert_eq!(owner("irc", "b@x").await, None);
    fixture.store.delete_subscription("ann", "email", at(2)).await.unwrap();
    assert_eq!(owner("email", "b@x").await, None);
}

pub async fn an_edit_changes_one_thing_and_cancels_deliveries_to_a_removed_address<B: SubscriptionBackend>() {
    let fixture = Fixture::<B>::new().await;
    let desired = subscription("ann", &["a@x", "b@x"]);
    fixture.store.put_subscription(&desired, at(1)).await.unwrap();
    fixture.accept(100, "m1", vec![Recipient { address: "a@x".into(), ..to("ann") }]).await;
    let edit = async |edit: Edit| fixture.store.edit_subscription("ann", "email", &edit, at(200)).await.unwrap();
    assert!(edit(Edit::RemoveAddress("a@x".into())).await);
    assert!(!edit(Edit::RemoveAddress("a@x".into())).await, "it was removed already");
    assert_eq!(fixture.rows().await[0].state, DeliveryState::Cancelled);
    assert!(edit(Edit::Enable(false)).await);
    assert!(!edit(Edit::Enable(false)).await);
    let left = Subscription { addresses: vec!["b@x".into()], enabled: false, ..desired };
    assert_eq!(fixture.subscriptions().await, [left]);
    assert!(!fixture.store.edit_subscription("bob", "email", &Edit::Enable(true), at(3)).await.unwrap());
}

pub async fn pages_return_every_row_once_in_order<B: SubscriptionBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut all = Vec::new();
    for user in 0..7 {
        for channel in ["email", "irc", "sms"].into_iter().take(1 + user % 3) {
            all.push(Subscription { channel: channel.into(), ..subscription(&format!("user{user}"), &["a@x"]) });
        }
    }
    fixture.store.put_subscriptions(&all, at(1)).await.unwrap();
    for limit in [1, 2, 5, 100] {
        let (mut found, mut by_users) = (Vec::new(), Vec::new());
        let mut after: Option<(String, String)> = None;
        loop {
            let from = after.as_ref().map(|(user, channel)| (user.as_str(), channel.as_str()));
            let page = fixture.store.subscription_page(from, limit).await.unwrap();
            assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else { break };
            after = Some((last.user.clone(), last.channel.clone()));
            found.extend(page.iter().map(|row| row.read().unwrap()));
        }
        let mut after: Option<String> = None;
        loop {
            let page = fixture.store.subscription_page_of_users(after.as_deref(), limit).await.unwrap();
            let Some(last) = page.last() else { break };
            let whole = fixture.store.subscription_rows_of(&last.user).await.unwrap();
            assert!(page.ends_with(&whole) && page.len() < limit as usize + whole.len());
            after = Some(last.user.clone());
            by_users.extend(page.iter().map(|row| row.read().unwrap()));
        }
        assert_eq!(found, all, "{limit}");
        assert_eq!(by_users, all, "{limit}");
    }
}

pub async fn a_page_ends_before_it_is_too_large<B: SubscriptionBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut large = filter("large", false);
    large.rules[0].arguments.insert("fasnick".into(), "x".repeat(SUBSCRIPTION_PAGE_BYTES / 3));
    let subscriptions =
        (0..6).map(|n| Subscription { filters: vec![large.clone()], ..subscription(&format!("user{n}"), &[]) });
    fixture.store.put_subscriptions(&subscriptions.collect::<Vec<_>>(), at(1)).await.unwrap();
    assert_eq!(fixture.store.subscription_page(None, 100).await.unwrap().len(), 3);
    assert_eq!(fixture.store.subscription_page_of_users(Some("user2"), 100).await.unwrap().len(), 3);
}

pub async fn many_subscriptions_are_written_as_each_one_would_be<B: SubscriptionBackend>() {
    let fixture = Fixture::<B>::new().await;
    let many: Vec<Subscription> = (0..1200).map(|n| subscription(&format!("user{n:04}"), &["old@x"])).collect();
    fixture.store.put_subscriptions(&many, at(1)).await.unwrap();
    assert_eq!(fixture.subscriptions().await, many);
    let old = |user: &str| Recipient { address: "old@x".into(), ..to(user) };
    fixture.accept(100, "m1", vec![old("user0003")]).await;
    fixture.accept(100, "m2", vec![old("user1199")]).await;
    fixture.store.delete_subscription("user0005", "email", at(150)).await.unwrap();
    let mut edited = many.clone();
    edited[3].addresses = vec!["new@x".into()];
    edited.push(Subscription { enabled: false, ..edited[7].clone() });
    fixture.store.put_subscriptions(&edited, at(200)).await.unwrap();
    let states: Vec<DeliveryState> = fixture.rows().await.into_iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Cancelled, DeliveryState::Pending]);
    edited[7] = edited.pop().unwrap();
    assert_eq!(fixture.subscriptions().await, edited, "the last one counts, and the deleted one exists again");
    assert_eq!(fixture.store.next_due("email").await.unwrap(), Some(at(100)));
    fixture.books().await;
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::subscriptions]:
            a_subscription_comes_back_as_it_was_written,
            an_edit_replaces_the_subscription_and_a_deletion_removes_it,
            a_replacement_applies_only_to_the_state_that_it_names,
            pending_deliveries_to_a_removed_address_are_cancelled,
            a_delivery_cancelled_while_leased_may_still_become_delivered,
            an_address_has_an_owner_while_a_subscription_has_it,
            an_edit_changes_one_thing_and_cancels_deliveries_to_a_removed_address,
            pages_return_every_row_once_in_order,
            a_page_ends_before_it_is_too_large,
            many_subscriptions_are_written_as_each_one_would_be,
        }
    };
}
pub(crate) use suite;
