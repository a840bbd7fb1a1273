//! The role `ConfirmationStore`: one question at a time, answered once, by the owner of the address.

use tidings_domain::subscription::Subscription;
use tidings_store::{Answered, ConfirmationStore, Maintenance, Question, SubscriptionStore};

use crate::backend::{Backend, Fixture};
use crate::samples::{at, subscription};

/// What the suite needs: the role, and the roles through which tests prepare and observe it.
pub trait ConfirmationBackend: Backend<Store: ConfirmationStore + SubscriptionStore + Maintenance> {}
impl<B: Backend<Store: ConfirmationStore + SubscriptionStore + Maintenance>> ConfirmationBackend for B {}

fn question(user: &str, address: &str, code: &str) -> Question {
    let (user, channel, address) = (user.into(), "email".into(), address.into());
    Question { user, channel, address, code: code.into(), expires_at: at(1000) }
}

fn by_message(address: &str, code: &str) -> Answered {
    Answered::Message { channel: "email".into(), address: address.into(), code: code.into() }
}

fn by_link(user: &str, address: &str) -> Answered {
    Answered::Link { user: user.into(), channel: "email".into(), address: address.into() }
}

async fn addresses<B: ConfirmationBackend>(fixture: &Fixture<B>, user: &str) -> Vec<String> {
    let all = fixture.store.subscriptions_of(user).await.unwrap();
    all.into_iter().flat_map(|one: Subscription| one.addresses).collect()
}

pub async fn an_address_is_added_only_by_its_owners_answer_and_once<B: ConfirmationBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = &fixture.store;
    store.put_subscription(&subscription("ralph", &["ralph@old"]), at(1)).await.unwrap();
    assert!(store.ask(&question("ralph", "ralph@new", "K7QX"), at(0), at(10)).await.unwrap());
    for wrong in [
        by_message("ralph@new", "WRONG"),
        by_message("mallory@x", "K7QX"),
        by_link("mallory", "ralph@new"),
        by_link("ralph", "mallory@x"),
    ] {
        assert_eq!(store.answer(&wrong, true, at(20)).await.unwrap(), None, "{wrong:?}");
    }
    let right = by_message("ralph@new", "K7QX");
    assert_eq!(store.answer(&right, true, at(1000)).await.unwrap(), None, "too late");
    assert_eq!(addresses(&fixture, "ralph").await, ["ralph@old"]);
    assert_eq!(store.answer(&right, true, at(20)).await.unwrap().as_deref(), Some("ralph"));
    assert_eq!(addresses(&fixture, "ralph").await, ["ralph@old", "ralph@new"]);
    assert_eq!(store.answer(&right, true, at(21)).await.unwrap(), None, "once");
}

pub async fn a_rejected_address_is_not_added_and_a_missing_subscription_is_created<B: ConfirmationBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = &fixture.store;
    assert!(store.ask(&question("ann", "ann@x", "A"), at(0), at(10)).await.unwrap());
    assert_eq!(store.answer(&by_link("ann", "ann@x"), false, at(11)).await.unwrap().as_deref(), Some("ann"));
    assert_eq!(addresses(&fixture, "ann").await, [""; 0]);
    assert_eq!(store.answer(&by_link("ann", "ann@x"), true, at(12)).await.unwrap(), None, "no is an answer");
    assert!(store.ask(&question("ann", "ann@x", "B"), at(11), at(12)).await.unwrap());
    store.answer(&by_link("ann", "ann@x"), true, at(13)).await.unwrap();
    assert_eq!(addresses(&fixture, "ann").await, ["ann@x"]);
}

pub async fn the_latest_question_counts_and_is_not_repeated_too_soon<B: ConfirmationBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = &fixture.store;
    assert!(store.ask(&question("ann", "one@x", "A"), at(0), at(10)).await.unwrap());
    assert!(!store.ask(&question("ann", "two@x", "B"), at(9), at(11)).await.unwrap(), "asked too recently");
    assert!(store.ask(&question("ann", "two@x", "B"), at(10), at(12)).await.unwrap());
    assert!(store.ask(&question("bob", "two@x", "C"), at(11), at(12)).await.unwrap(), "another user's is apart");
    assert_eq!(store.answer(&by_message("one@x", "A"), true, at(13)).await.unwrap(), None);
    assert_eq!(store.answer(&by_message("two@x", "C"), true, at(13)).await.unwrap().as_deref(), Some("bob"));
    assert_eq!(store.answer(&by_message("two@x", "B"), true, at(13)).await.unwrap().as_deref(), Some("ann"));
    store.ask(&question("ann", "three@x", "D"), at(13), at(14)).await.unwrap();
    store.prune(at(2000)).await.unwrap();
    assert_eq!(store.answer(&by_message("three@x", "D"), true, at(15)).await.unwrap(), None, "forgotten");
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::confirmations]:
            an_address_is_added_only_by_its_owners_answer_and_once,
            a_rejected_address_is_not_added_and_a_missing_subscription_is_created,
            the_latest_question_counts_and_is_not_repeated_too_soon,
        }
    };
}
pub(crate) use suite;
