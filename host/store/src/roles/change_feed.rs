//! The feed of changes, read by everything that caches what the store holds: what changed, in the order of commits, and
//! a position to continue from. It includes changes that other processes make on the same database.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::error::Result;

/// A position in the feed: changes after it were committed later. Valid for one database, as long as that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(i64);

impl Revision {
    pub(crate) fn new(seq: i64) -> Revision {
        Revision(seq)
    }

    pub(crate) fn seq(self) -> i64 {
        self.0
    }
}

/// What a cache must read again; it may have been deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// The user's subscriptions, on any channel.
    User(String),
    /// The subscriptions of all users: many were written at once.
    AllSubscriptions,
    /// The holders of a package.
    Package(String),
    /// The members of a group.
    Group(String),
    /// The holders of all packages and the members of all groups: many were written at once, or all replaced.
    AllAccessLists,
    /// A channel.
    Channel(String),
}

/// The changes after a position in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// In the order of their commits, each once, at its latest position. There may be more after `upto`; an empty list
    /// means that there are none.
    These { changes: Vec<Change>, upto: Revision },
    /// The feed does not reach back so far, or a newer program wrote a change that this one does not know, or the
    /// database was replaced: the cache reads everything again, and the feed continues after `upto`.
    Everything { upto: Revision },
}

/// Every change to what matching or dispatch caches is published here, in the transaction that makes it.
///
/// A cache reads `revision`, then loads, then applies `changes` after that revision: it misses nothing that is
/// committed, and reading something twice does no harm.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// The position of the latest committed change.
    async fn revision(&self) -> Result<Revision>;
    /// Changes committed after `after`, up to `limits::CHANGES_PAGE` of them. One indexed read.
    async fn changes(&self, after: Revision) -> Result<Changes>;
    /// The latest position that this process knows of; it moves before the call that changed something returns. Changes
    /// by other processes do not move it: a reader finds them by calling `changes` periodically.
    fn changed(&self) -> watch::Receiver<Revision>;
}
