//! All users' rules in memory, indexed so that a message leads to the filters that it may match. A ruleset is a
//! snapshot: the editor makes the next one, which shares all unchanged parts, and readers of the old one are not
//! disturbed.
//!
//! The path of a message: its names become atoms; each atom leads to entries of the index; each entry is a filter
//! indexed under that atom, and the rest of its rules is tested, each rule once for all filters that have it. Filters
//! without a name to index are indexed under the rules that a topic can fulfil, under patterns, or, last, under every
//! message.

mod atom;
mod compile;
mod editor;
mod explain;
mod index;
mod indexed_filter;
mod indexing;
mod matcher;
mod paged;
mod patterns;
mod role_requirement;
mod tables;
mod tested;
mod texts;
mod triggers;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::acl::Acl;
use crate::catalogue::Catalogue;
use crate::delivery::Recipient;
use crate::event::Event;
use crate::rules::RuleProblem;
use crate::subscription::Subscription;
use crate::subscription::borrowed::SubscriptionRef;
use atom::AtomHasher;
use index::Index;
use indexed_filter::{FilterPosition, User};
use paged::Paged;
use tables::{SharedRule, Term};
use triggers::Triggers;

pub use editor::{Editor, Sizes};
pub use explain::{Explained, FilterVerdict, explain};
pub use indexed_filter::Match;
pub use matcher::Matcher;

/// All users' subscriptions, compiled against one catalogue.
#[derive(Clone, Debug)]
pub struct Ruleset {
    catalogue: Arc<Catalogue>,
    names: AtomHasher,
    index: Index,
    rules: Paged<SharedRule>,
    tests: Paged<Arc<[Term]>>,
    triggers: Arc<Triggers>,
    users: Paged<Option<Arc<User>>>,
    count: usize,
}

impl Ruleset {
    /// A set of all these subscriptions, and what is wrong in them.
    pub fn build(catalogue: Arc<Catalogue>, subscriptions: Vec<Subscription>) -> (Ruleset, Vec<RuleProblem>) {
        let mut by_user: BTreeMap<&str, Vec<SubscriptionRef<'_>>> = BTreeMap::new();
        for subscription in &subscriptions {
            by_user.entry(&subscription.user).or_default().push(subscription.into());
        }
        let mut editor = Editor::loading(catalogue);
        let mut problems = Vec::new();
        for (user, subscriptions) in by_user {
            problems.extend_from_slice(editor.replace(user, subscriptions));
        }
        editor.loaded();
        (editor.ruleset(), problems)
    }

    /// The catalogue the rules were compiled against.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// How many users have subscriptions.
    pub const fn users(&self) -> usize {
        self.count
    }

    /// The groups that rules refer to: matching needs their members for messages that name users.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.triggers.groups.iter()
    }

    /// All recipients of a message, one for each address, sorted. For a single message; to match many, keep a
    /// `Matcher`.
    pub fn matches(&self, event: &Event<'_>, acl: &dyn Acl) -> Vec<Recipient> {
        let mut recipients: Vec<Recipient> =
            Matcher::new().run(self, event, acl).flat_map(|m| m.recipients()).collect();
        recipients.sort_by(|a, b| (&a.user, &a.channel, &a.address).cmp(&(&b.user, &b.channel, &b.address)));
        recipients
    }

    fn at(&self, position: FilterPosition) -> Option<Match<'_>> {
        let user = self.users.get(position.user())?.as_deref()?;
        let subscription = user.subscriptions.get(position.subscription())?;
        Some(Match { user, subscription, filter: subscription.filters.get(position.filter())? })
    }
}
