//! Users with subscriptions and access lists, made from a seed: the default filters of FMN on one channel, generated ones of
//! 2 to 50 rules on another, and packages that few people hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use tidings_domain::acl::{AclTable, Holders};
use tidings_domain::catalogue::Catalogue;
use tidings_domain::subscription::{Filter, Rule};

/// A reproducible sequence of numbers (SplitMix64).
pub struct BenchRng(pub u64);

impl BenchRng {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }

    fn in_range(&mut self, range: Range<usize>) -> usize {
        range.start + self.below(range.end - range.start)
    }
}

/// Whom and what the world knows.
pub struct BenchPopulation {
    pub users: Vec<String>,
    pub packages: Vec<String>,
    /// Named rules without arguments.
    named: Vec<String>,
}

impl BenchPopulation {
    /// `users` users and eight packages for each, at most 200,000; those that the messages name come first.
    pub fn new(catalogue: &Catalogue, named: &Named, users: usize) -> BenchPopulation {
        let fill = |mut known: Vec<String>, count: usize, word: &str| {
            known.truncate(count);
            (known.len()..count).for_each(|number| known.push(format!("{word}{number:06}")));
            known
        };
        let plain = catalogue.rules().iter().filter(|rule| rule.arguments.is_empty() && rule.application.is_some());
        BenchPopulation {
            users: fill(named.users.iter().cloned().collect(), users, "user"),
            packages: fill(named.packages.iter().cloned().collect(), (8 * users).clamp(105, 200_000), "package"),
            named: plain.map(|rule| rule.name.clone()).collect(),
        }
    }

    /// About two maintainers for each package; few people hold many.
    pub fn acl(&self, dice: &mut BenchRng) -> AclTable {
        let mut holder = || {
            let share = (dice.below(1_000_000) as f64 / 1e6).powf(2.5);
            self.users[(share * self.users.len() as f64) as usize].clone()
        };
        let mut packages = HashMap::new();
        for package in &self.packages {
            let holders = Holders {
                point_of_contact: BTreeSet::from([holder()]),
                co_maintained: BTreeSet::from([holder()]),
                watch: BTreeSet::from([holder()]),
            };
            packages.insert(package.clone(), holders);
        }
        AclTable { packages, groups: HashMap::new() }
    }

    /// A filter of 2 to 50 rules that some message can match: about a user's own packages, a package, a user, or (one of a
    /// hundred) a kind of message, without some other kinds.
    pub fn generated(&self, user: &str, dice: &mut BenchRng) -> Filter {
        let about = |rule: &str, argument: &str, value: &str| Rule {
            rule: rule.to_owned(),
            arguments: BTreeMap::from([(argument.to_owned(), value.to_owned())]),
            negated: false,
        };
        let plain = |name: &String, negated| Rule { rule: name.clone(), arguments: BTreeMap::new(), negated };
        let first = match dice.below(100) {
            0 => plain(&self.named[dice.below(self.named.len())], false),
            1..20 => about("user_package_filter", "fasnick", user),
            20..35 => about("user_package_commit_filter", "fasnick", user),
            35..45 => about("user_package_watch_filter", "fasnick", user),
            45..75 => about("package_filter", "package", &self.packages[dice.below(self.packages.len())]),
            _ => about("user_filter", "fasnick", &self.users[dice.below(self.users.len())]),
        };
        let count = dice.in_range(2..51);
        let mut rules = vec![first, Rule { negated: true, ..about("user_filter", "fasnick", user) }];
        rules.extend((2..count).map(|_| plain(&self.named[dice.below(self.named.len())], true)));
        Filter { name: format!("filter {}", dice.below(1_000_000)), oneshot: false, active: true, rules }
    }
}

/// What messages name.
#[derive(Default)]
pub struct Named {
    pub users: BTreeSet<String>,
    pub packages: BTreeSet<String>,
}
