//! The role `ChangeFeed`: every change is published with its commit, and a reader of the feed misses none.

pub mod published;
pub mod reading;

use tidings_store::{
    AccessListStore, Change, ChangeFeed, Changes, ChannelStore, DeliveryStore, Maintenance, Outbox, Revision,
    SubscriptionStore,
};

use crate::backend::{Backend, Fixture};

/// What the suite needs: the role, and the roles whose changes it publishes.
pub trait FeedBackend:
    Backend<Store: ChangeFeed + SubscriptionStore + AccessListStore + ChannelStore + Outbox + DeliveryStore + Maintenance>
{
}
impl<
    B: Backend<
        Store: ChangeFeed + SubscriptionStore + AccessListStore + ChannelStore + Outbox + DeliveryStore + Maintenance,
    >,
> FeedBackend for B
{
}

/// The changes after a position, which the feed must still reach.
async fn changes_after(store: &(impl ChangeFeed + ?Sized), after: Revision) -> (Vec<Change>, Revision) {
    match store.changes(after).await.unwrap() {
        Changes::These { changes, upto } => (changes, upto),
        Changes::Everything { .. } => panic!("the feed does not reach back"),
    }
}

/// Follows the feed while a test changes things.
struct Follower<'a, B: Backend> {
    fixture: &'a Fixture<B>,
    position: Revision,
}

impl<'a, B: FeedBackend> Follower<'a, B> {
    async fn new(fixture: &'a Fixture<B>) -> Follower<'a, B> {
        Follower { fixture, position: fixture.store.revision().await.unwrap() }
    }

    /// The changes since the last call; waiting readers of this process were woken for them, and only for them.
    async fn published(&mut self) -> Vec<Change> {
        let (changes, upto) = changes_after(self.fixture.store.as_ref(), self.position).await;
        assert_eq!(*self.fixture.store.changed().borrow(), upto);
        assert_eq!(self.fixture.store.revision().await.unwrap(), upto);
        assert_eq!(upto > self.position, !changes.is_empty());
        self.position = upto;
        changes
    }
}

fn user(name: &str) -> Change {
    Change::User(name.into())
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        mod published {
            crate::change_feed::published::suite!($backend);
        }
        mod reading {
            crate::change_feed::reading::suite!($backend);
        }
    };
}
pub(crate) use suite;
