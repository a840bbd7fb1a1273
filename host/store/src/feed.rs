//! The feed of changes, as whoever caches what the store holds reads it: what changed, in the order of commits, and a
//! place to go on from. Also what other processes on the same database changed.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::Result;

/// A place in the feed: behind it lies what was committed later. Of one database, and good as long as that is.
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

/// Something that is another one than a cache may believe: to be read again, or found gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// The user's subscriptions, on whichever channel.
    User(String),
    /// Everybody's subscriptions: many were written at once.
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

/// What lies behind a place in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// In the order of their commits, each once, at its latest place. There may be more behind `upto`: none are left when
    /// this is empty.
    These { changes: Vec<Change>, upto: Revision },
    /// The feed does not reach back so far, or a newer program changed something that this one does not know, or the
    /// database is another one: all that is cached is to be read again, and the feed goes on behind `upto`.
    Everything { upto: Revision },
}

/// Everything that changes what matching or dispatch works with is told here, in the transaction that changes it.
///
/// A cache takes `revision`, then loads, then applies `changes` behind that revision: nothing committed is missed, and
/// what is read twice does no harm.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// The place of the latest committed change.
    async fn revision(&self) -> Result<Revision>;
    /// What was committed behind `after`, up to `limits::CHANGES_PAGE` changes of it. One indexed read.
    async fn changes(&self, after: Revision) -> Result<Changes>;
    /// The latest place that this process knows of; moves before the call that changed something returns. Other
    /// processes do not move it: what they changed is found by asking `changes` from time to time.
    fn changed(&self) -> watch::Receiver<Revision>;
}
