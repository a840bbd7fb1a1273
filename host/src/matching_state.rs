//! What matching works with: catalogue, aliases and everybody's rules, as one snapshot. Readers take the snapshot without a
//! lock; an edit makes a new one that shares the rest. The store's feed says what changed; nothing here is ever written
//! back to the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tidings_acl::GroupSet;
use tidings_domain::rules::RuleProblem;
use tidings_domain::ruleset::{Editor, Ruleset, Sizes};
use tidings_domain::subscription::borrowed::{FilterRef, SubscriptionRef};
use tidings_store::{
    Change, ChangeFeed, Changes, Revision, StoreError, SubscriptionOptions, SubscriptionRow, SubscriptionStore,
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::static_data::StaticData;
use crate::telemetry::{Metrics, chain};

/// How often the feed is asked for what other processes changed; what this one changes is known at once.
const FEED_EVERY: Duration = Duration::from_secs(1);
/// Users whose rows are read in one go while everything is loaded.
const LOAD_PAGE: u32 = 500;
/// After so many filters a load says how far it is.
const LOAD_REPORT: usize = 100_000;

/// One consistent state of it all.
#[derive(Debug)]
pub struct Snapshot {
    pub references: Arc<StaticData>,
    pub rules: Ruleset,
    /// The groups that the rules ask about.
    pub asked: Arc<GroupSet>,
    /// How much there is of the rules.
    pub sizes: Sizes,
}

impl Snapshot {
    /// The editor's state; with the groups of `before`, if they are the same.
    fn new(references: Arc<StaticData>, editor: &Editor, before: Option<&Snapshot>) -> Arc<Snapshot> {
        let rules = editor.ruleset();
        let asked = before.map(|before| &before.asked).filter(|asked| asked.are(rules.groups()));
        let asked = asked.map_or_else(|| Arc::new(GroupSet::new(rules.groups().cloned())), Arc::clone);
        Arc::new(Snapshot { references, rules, asked, sizes: editor.sizes() })
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
    /// What is told of changes that are not about rules.
    lists: Box<dyn Fn(&Change) + Send + Sync>,
}

/// What the one who changes rules has in hand.
struct Writing {
    editor: Editor,
    /// Up to here the store's feed is in it.
    upto: Revision,
}

impl MatchingState {
    /// Reads the files of the configuration and all rules of the store. `lists` is told when access lists changed.
    pub async fn load(
        config: &Config,
        subscriptions: Arc<dyn SubscriptionStore>,
        feed: Arc<dyn ChangeFeed>,
        metrics: Arc<Metrics>,
        lists: impl Fn(&Change) + Send + Sync + 'static,
    ) -> anyhow::Result<MatchingState> {
        let references = Arc::new(StaticData::read(&config.catalogue).map_err(anyhow::Error::msg)?);
        // The place in the feed comes first: an edit while the rules are read is found behind it.
        let upto = feed.revision().await?;
        let editor = load_rules(&*subscriptions, &references).await?;
        let current = ArcSwap::new(Snapshot::new(references, &editor, None));
        let edit = Mutex::new(Writing { editor, upto });
        let knowledge = MatchingState { current, edit, subscriptions, feed, metrics, lists: Box::new(lists) };
        knowledge.catch_up().await?;
        Ok(knowledge)
    }

    /// What to match with now. Costs no lock.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Puts everything in force that was committed before the call.
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
                // Whoever changes a channel puts it in force.
                Change::Channel(_) => {}
            }
        }
        Ok(())
    }

    /// Everything again, against the same files.
    async fn read_all(&self, editor: &mut Editor) -> Result<(), StoreError> {
        (self.lists)(&Change::AllAccessLists);
        *editor = load_rules(&*self.subscriptions, &self.snapshot().references).await?;
        self.metrics.invalidated("everything");
        Ok(())
    }

    async fn read_user(&self, editor: &mut Editor, user: &str, reason: &'static str) -> Result<(), StoreError> {
        let began = Instant::now();
        put(editor, user, &self.subscriptions.subscription_rows_of(user).await?);
        self.metrics.rule_load_seconds.observe(began.elapsed().as_secs_f64());
        self.metrics.invalidated(reason);
        Ok(())
    }

    /// Reads one user's rules again, since a message says that they changed; everybody else's stay as they are.
    pub async fn reload_user(&self, user: &str) -> Result<(), StoreError> {
        let mut writing = self.edit.lock().await;
        self.read_user(&mut writing.editor, user, "message").await?;
        self.publish(&writing.editor);
        Ok(())
    }

    fn publish(&self, editor: &Editor) {
        let before = self.snapshot();
        self.current.store(Snapshot::new(Arc::clone(&before.references), editor, Some(&before)));
    }

    /// Reads the files again, and compiles all rules against them. Where one is bad the old ones stay in force. Edits go
    /// on while it reads.
    pub async fn reload(&self, config: &Config) -> anyhow::Result<()> {
        let references = Arc::new(StaticData::read(&config.catalogue).map_err(anyhow::Error::msg)?);
        let upto = self.feed.revision().await?;
        let editor = load_rules(&*self.subscriptions, &references).await?;
        {
            let mut writing = self.edit.lock().await;
            self.current.store(Snapshot::new(references, &editor, Some(&self.snapshot())));
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
                        tracing::error!(error = %chain(&error), "changes cannot be read; the old rules stay in force");
                    }
                    tokio::time::sleep(FEED_EVERY).await;
                }
            }
        }
    }

    /// Rules that cannot be tested, for whoever asks.
    pub async fn problems(&self) -> Vec<RuleProblem> {
        self.edit.lock().await.editor.problems().cloned().collect()
    }
}

/// All rules of the store, compiled.
async fn load_rules(store: &dyn SubscriptionStore, references: &StaticData) -> Result<Editor, StoreError> {
    let began = Instant::now();
    let mut editor = Editor::loading(Arc::clone(&references.catalogue));
    let (mut after, mut reported) = (None::<String>, 0);
    loop {
        let page = store.subscription_page_of_users(after.as_deref(), LOAD_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.user.clone());
        for rows in page.chunk_by(|a, b| a.user == b.user) {
            put(&mut editor, &rows[0].user, rows);
        }
        let filters = editor.sizes().filters;
        if filters >= reported + LOAD_REPORT {
            reported = filters;
            tracing::info!(filters, "rules are being read");
        }
    }
    editor.loaded();
    let Sizes { users, filters, .. } = editor.sizes();
    tracing::info!(users, filters, seconds = began.elapsed().as_secs_f64(), "rules are read");
    Ok(editor)
}

/// Puts a user's rows in the place of the old ones. One that cannot be read is left out and logged.
fn put(editor: &mut Editor, user: &str, rows: &[SubscriptionRow]) {
    let read = rows.iter().filter_map(|row| match row.options() {
        Ok(options) => Some((row, options)),
        Err(error) => {
            tracing::error!(error = %chain(&error), "a subscription cannot be read; it has no effect");
            None
        }
    });
    let read: Vec<(&SubscriptionRow, SubscriptionOptions)> = read.collect();
    let borrowed = read.iter().filter_map(|(row, options)| match filters(row) {
        Ok(filters) => Some(SubscriptionRef {
            channel: &row.channel,
            enabled: row.enabled,
            addresses: &options.addresses,
            digest: options.digest,
            style: options.style,
            filters,
        }),
        Err(error) => {
            tracing::error!(user, channel = row.channel, error, "the filters cannot be read; they have no effect");
            None
        }
    });
    log(editor.replace(user, borrowed));
}

fn filters(row: &SubscriptionRow) -> Result<Vec<FilterRef<'_>>, String> {
    let text = row.filters().map_err(|error| chain(&error))?;
    FilterRef::read_all(text).map_err(|error| error.to_string())
}

fn log(problems: &[RuleProblem]) {
    for problem in problems {
        tracing::warn!(
            user = problem.user,
            channel = problem.channel,
            filter = problem.filter,
            rule = problem.rule,
            reason = problem.reason,
            "a filter has no effect"
        );
    }
}

#[cfg(test)]
mod tests;
