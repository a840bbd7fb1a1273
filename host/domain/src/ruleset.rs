//! All users' rules in memory, compiled. A set is a snapshot: changing one user makes a new set that shares the rest, so
//! whoever matches with the old one is not disturbed.

mod compile;
mod memo;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use serde::Serialize;

use crate::acl::Acl;
use crate::catalogue::Catalogue;
use crate::catalogue::condition::Broken;
use crate::delivery::Recipient;
use crate::facts::Event;
use crate::rules::{Problem, Subject};
use crate::subscription::Subscription;
use compile::{Filter, Rules, Subscribed};
use memo::{Interner, Memo};

/// Into how many parts the users are divided; a change copies the list of one part.
const SHARDS: usize = 256;

/// All users' subscriptions, compiled against one catalogue.
#[derive(Clone, Debug)]
pub struct Ruleset {
    catalogue: Arc<Catalogue>,
    interner: Arc<Interner>,
    shards: Vec<Arc<Shard>>,
}

type Shard = BTreeMap<String, Arc<[Subscribed]>>;

/// Why a filter does or does not match a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    pub user: String,
    pub channel: String,
    pub filter: String,
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What came of one filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// All its rules hold.
    Matched,
    /// An earlier filter of the subscription matched.
    NotReached,
    /// This rule does not hold.
    Failed { rule: String, negated: bool },
    /// This rule cannot be tested, which fails the filter.
    Broken { rule: String, reason: String },
    /// The filter or its subscription is switched off.
    Inactive,
    /// It has no rules.
    Empty,
}

impl Ruleset {
    /// A set without users.
    pub fn new(catalogue: Arc<Catalogue>) -> Ruleset {
        let empty = Arc::new(Shard::new());
        let shards = std::iter::repeat_n(empty, SHARDS).collect();
        Ruleset { catalogue, interner: Arc::default(), shards }
    }

    /// A set of all these subscriptions, and what is wrong in them.
    pub fn build(catalogue: Arc<Catalogue>, subscriptions: Vec<Subscription>) -> (Ruleset, Vec<Problem>) {
        let mut by_user: BTreeMap<String, Vec<Subscription>> = BTreeMap::new();
        for subscription in subscriptions {
            by_user.entry(subscription.user.clone()).or_default().push(subscription);
        }
        let mut set = Ruleset::new(catalogue);
        let mut problems = Vec::new();
        for (user, subscriptions) in by_user {
            set.replace(&user, subscriptions, &mut problems);
        }
        (set, problems)
    }

    /// The same set with this user's subscriptions replaced; none removes the user. Subscriptions of anybody else in the
    /// list are left out. Costs as much as that user's filters and a small share of the users.
    pub fn with_user(&self, user: &str, subscriptions: Vec<Subscription>) -> (Ruleset, Vec<Problem>) {
        let mut set = self.clone();
        let mut problems = Vec::new();
        set.replace(user, subscriptions.into_iter().filter(|s| s.user == user).collect(), &mut problems);
        (set, problems)
    }

    fn replace(&mut self, user: &str, subscriptions: Vec<Subscription>, problems: &mut Vec<Problem>) {
        let compiled: Arc<[Subscribed]> = subscriptions
            .into_iter()
            .map(|subscription| compile::subscription(&self.catalogue, &self.interner, subscription, problems))
            .collect();
        let shard = Arc::make_mut(&mut self.shards[shard_of(user)]);
        if compiled.is_empty() {
            shard.remove(user);
        } else {
            shard.insert(user.to_owned(), compiled);
        }
    }

    /// The catalogue the rules were compiled against.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// How many users have subscriptions.
    pub fn users(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Everybody to be told of a message, one for each address, sorted.
    pub fn matches(&self, event: &Event<'_>, acl: &dyn Acl) -> Vec<Recipient> {
        let subject = Subject::new(event, acl);
        let mut memo = Memo::new(&self.interner);
        let mut recipients = Vec::new();
        let everyone = self.shards.iter().flat_map(|shard| shard.values()).flat_map(|user| user.iter());
        for subscribed in everyone.filter(|subscribed| subscribed.may_match()) {
            let matched = subscribed.filters.iter().find(|f| f.active && f.matches(&subject, &mut memo));
            if let Some(filter) = matched {
                recipients.extend(subscribed.recipients(filter));
            }
        }
        let key = |r: &Recipient| (r.user.clone(), r.channel.clone(), r.address.clone());
        recipients.sort_by_cached_key(key);
        recipients
    }

    /// What came of every filter of a user.
    pub fn explain(&self, user: &str, event: &Event<'_>, acl: &dyn Acl) -> Vec<Explained> {
        let subject = Subject::new(event, acl);
        let mut memo = Memo::new(&self.interner);
        let mut explained = Vec::new();
        for subscribed in self.shards[shard_of(user)].get(user).into_iter().flat_map(|user| user.iter()) {
            let mut matched = false;
            for filter in &subscribed.filters {
                let verdict = match filter.verdict(&subject, &mut memo) {
                    _ if !filter.active || !subscribed.subscription.enabled => Verdict::Inactive,
                    _ if matched => Verdict::NotReached,
                    verdict => verdict,
                };
                matched |= verdict == Verdict::Matched;
                let Subscription { user, channel, .. } = &subscribed.subscription;
                let (user, channel, filter) = (user.clone(), channel.clone(), filter.name.clone());
                explained.push(Explained { user, channel, filter, verdict });
            }
        }
        explained
    }
}

impl Subscribed {
    fn may_match(&self) -> bool {
        self.subscription.enabled && !self.subscription.addresses.is_empty()
    }

    fn recipients<'s>(&'s self, filter: &'s Filter) -> impl Iterator<Item = Recipient> + 's {
        let Subscription { user, channel, digest, style, addresses, .. } = &self.subscription;
        addresses.iter().map(|address| Recipient {
            user: user.clone(),
            channel: channel.clone(),
            address: address.clone(),
            filter: filter.name.clone(),
            oneshot: filter.oneshot,
            style: *style,
            digest: *digest,
        })
    }
}

impl Filter {
    fn matches(&self, subject: &Subject<'_>, memo: &mut Memo) -> bool {
        matches!(&self.rules, Rules::Good(rules) if !rules.is_empty()
            && rules.iter().all(|part| memo.holds(&part.rule, subject).is_ok_and(|holds| holds != part.negated)))
    }

    fn verdict(&self, subject: &Subject<'_>, memo: &mut Memo) -> Verdict {
        let rules = match &self.rules {
            Rules::Broken { rule, reason } => return Verdict::Broken { rule: rule.clone(), reason: reason.clone() },
            Rules::Good(rules) if rules.is_empty() => return Verdict::Empty,
            Rules::Good(rules) => rules,
        };
        for part in rules {
            let rule = || part.rule.name().to_owned();
            match memo.holds(&part.rule, subject) {
                Ok(holds) if holds != part.negated => {}
                Ok(_) => return Verdict::Failed { rule: rule(), negated: part.negated },
                Err(broken @ Broken::NoCategory) => {
                    return Verdict::Broken { rule: rule(), reason: broken.to_string() };
                }
            }
        }
        Verdict::Matched
    }
}

fn shard_of(user: &str) -> usize {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(user) as usize % SHARDS
}
