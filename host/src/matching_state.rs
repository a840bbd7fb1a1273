//! What messages are matched against: catalogue, aliases and the rules of all users, as one snapshot. Readers take the
//! snapshot without a lock; an edit makes a new one that shares the rest. The store's feed says what changed; nothing here
//! is ever written to the store.

mod load;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tidings_acl::GroupSet;
use tidings_domain::rules::RuleProblem;
use tidings_domain::ruleset::{Editor, Ruleset, Sizes};
use tidings_store::{Change, ChangeFeed, Changes, Revision, StoreError, SubscriptionStore};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ConfigError};
use crate::static_data::StaticData;
use crate::telemetry::{Metrics, chain};
use load::{load_rules, replace_user};

/// How often the feed is asked for what other processes changed; what this one changes is known at once.
const FEED_EVERY: Duration = Duration::from_secs(1);

/// One consistent state.
#[derive(Debug)]
pub struct Snapshot {
    pub static_data: Arc<StaticData>,
    pub rules: Ruleset,
    /// The groups that the rules ask about.
    pub asked: Arc<GroupSet>,
    /// How many rules there are, and how much memory they take.
    pub sizes: Sizes,
}

impl Snapshot {
    /// The editor's state; with the groups of `before`, if they are the same.
    fn new(static_data: Arc<StaticData>, editor: &Editor, before: Option<&Snapshot>) -> Arc<Snapshot> {
        let rules = editor.ruleset();
        let asked = before.map(|before| &before.asked).filter(|asked| asked.equals(rules.groups()));
        let asked = asked.map_or_else(|| Arc::new(GroupSet::new(rules.groups().cloned())), Arc::clone);
        Arc::new(Snapshot { static_data, rules, asked, sizes: editor.sizes() })
    }
}

/// The current snapshot, and the ways to change it.
pub struct MatchingState {
    current: ArcSwap<Snapshot>,
    /// Held while the store is read and the snapshot replaced, so that a slow reader never overwrites a later edit.
    edit: Mutex<Writing>,
    subscriptions: Arc<dyn SubscriptionStore>,
    feed: Arc<dyn ChangeFeed>,
    metrics: Arc<Metrics>,
    /// Called with changes that are not about rules.
    lists: Box<dyn Fn(&Change) + Send + Sync>,
}

/// What a change of the rules works on.
struct Writing {
    editor: Editor,
    /// The editor has the store's feed up to here.
    upto: Revision,
}

impl MatchingState {
    /// Reads the files of the configuration and all rules of the store. `lists` is called when access lists changed.
    pub async fn load(
        config: &Config,
        subscriptions: Arc<dyn SubscriptionStore>,
        feed: Arc<dyn ChangeFeed>,
        metrics: Arc<Metrics>,
        lists: impl Fn(&Change) + Send + Sync + 'static,
    ) -> anyhow::Result<MatchingState> {
        let static_data = Arc::new(StaticData::read(&config.catalogue).map_err(ConfigError::File)?);
        // The position in the feed is read first: an edit while the rules are read is behind it.
        let upto = feed.revision().await?;
        let editor = load_rules(&*subscriptions, &static_data).await?;
        let current = ArcSwap::new(Snapshot::new(static_data, &editor, None));
        let edit = Mutex::new(Writing { editor, upto });
        let state = MatchingState { current, edit, subscriptions, feed, metrics, lists: Box::new(lists) };
        state.catch_up().await?;
        Ok(state)
    }

    /// The present snapshot. Takes no lock.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Reads everything that was committed before the call.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let mut writing = self.edit.lock().await;
        let before = writing.upto;
        loop {
            match self.feed.changes(writing.upto).await? {
                Changes::These { changes, .. } if changes.is_empty() => break,
                Changes::These { changes, upto } => {
                    self.apply(&mut writing.editor, &changes).await?;
                    writing.upto = upto;
                }
                Changes::Everything { upto } => {
                    tracing::info!("the feed of changes does not reach back; everything is read again");
                    self.read_all(&mut writing.editor).await?;
                    writing.upto = upto;
                }
            }
        }
        if writing.upto != before {
            self.publish(&writing.editor);
        }
        Ok(())
    }

    async fn apply(&self, editor: &mut Editor, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            match change {
                Change::User(user) => self.read_user(editor, user, "feed").await?,
                Change::AllSubscriptions => self.read_all(editor).await?,
                Change::Package(_) | Change::Group(_) | Change::AllAccessLists => (self.lists)(change),
                // Channels are changed by their actors, which need no notice.
                Change::Channel(_) => {}
            }
        }
        Ok(())
    }

    /// Reads all rules again, against the same files.
    async fn read_all(&self, editor: &mut Editor) -> Result<(), StoreError> {
        (self.lists)(&Change::AllAccessLists);
        *editor = load_rules(&*self.subscriptions, &self.snapshot().static_data).await?;
        self.metrics.invalidated("everything");
        Ok(())
    }

    async fn read_user(&self, editor: &mut Editor, user: &str, reason: &'static str) -> Result<(), StoreError> {
        let began = Instant::now();
        replace_user(editor, user, &self.subscriptions.subscription_rows_of(user).await?);
        self.metrics.rule_load_seconds.observe(began.elapsed().as_secs_f64());
        self.metrics.invalidated(reason);
        Ok(())
    }

    /// Reads one user's rules again, since a message says that they changed. Those of other users stay as they are.
    pub async fn reload_user(&self, user: &str) -> Result<(), StoreError> {
        let mut writing = self.edit.lock().await;
        self.read_user(&mut writing.editor, user, "message").await?;
        self.publish(&writing.editor);
        Ok(())
    }

    fn publish(&self, editor: &Editor) {
        let before = self.snapshot();
        self.current.store(Snapshot::new(Arc::clone(&before.static_data), editor, Some(&before)));
    }

    /// Reads the files again, and compiles all rules against them. Where one is invalid the old ones stay in force. Edits go
    /// on meanwhile.
    pub async fn reload(&self, config: &Config) -> anyhow::Result<()> {
        let static_data = Arc::new(StaticData::read(&config.catalogue).map_err(ConfigError::File)?);
        let upto = self.feed.revision().await?;
        let editor = load_rules(&*self.subscriptions, &static_data).await?;
        {
            let mut writing = self.edit.lock().await;
            self.current.store(Snapshot::new(static_data, &editor, Some(&self.snapshot())));
            *writing = Writing { editor, upto };
        }
        self.metrics.invalidated("reload");
        Ok(self.catch_up().await?)
    }

    /// Follows the feed until `stop`.
    pub async fn follow(&self, stop: CancellationToken) {
        let mut changed = self.feed.changed();
        let mut failing = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                moved = changed.changed() => if moved.is_err() { return },
                () = tokio::time::sleep(FEED_EVERY) => {}
            }
            match self.catch_up().await {
                Ok(()) => failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(error = %chain(&error), "changes cannot be read; the old rules stay in force, and it is tried again");
                    }
                    tokio::time::sleep(FEED_EVERY).await;
                }
            }
        }
    }

    /// Rules that cannot be tested.
    pub async fn problems(&self) -> Vec<RuleProblem> {
        self.edit.lock().await.editor.problems().cloned().collect()
    }
}
