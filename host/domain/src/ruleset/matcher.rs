//! Matches messages. A matcher belongs to one thread and keeps its memory between messages: results of the last message
//! are
//! told apart by a number, not cleared. It takes no lock and does no I/O.

use super::Ruleset;
use super::atom::{Atom, Role};
use super::index::IndexEntry;
use super::indexed_filter::{FilterPosition, Match};
use super::patterns::{PatternMatches, Patterns};
use super::tables::{Term, TermKind};
use super::tested::{TopicNumbers, word_atom};
use crate::acl::{Acl, GROUP_PREFIX, Kind};
use crate::catalogue::condition::ConditionError;
use crate::catalogue::source::MessageView;
use crate::event::Event;
use crate::facts::Facts;
use crate::rules::Subject;

/// The memory of a thread that matches.
#[derive(Debug, Default)]
pub struct Matcher {
    message: u32,
    rules: Memo,
    tests: Memo,
    topic: TopicNumbers,
    /// Of the message, sorted.
    atoms: Vec<Atom>,
    places: Vec<FilterPosition>,
}

/// Results for this message by number. An entry is the message's number and two bits, so that those of earlier messages
/// count as absent.
#[derive(Debug, Default)]
struct Memo(Vec<u32>);

/// Messages that a memo tells apart before it has to be cleared.
const MESSAGES: u32 = 1 << 30;

/// A rule's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Holds = 1,
    Fails = 2,
    /// The test failed with an error, which fails a filter also if the rule is negated.
    Broken = 3,
}

impl Memo {
    fn get(&self, message: u32, number: u32) -> Option<Verdict> {
        let entry = *self.0.get(number as usize)?;
        match entry & 0b11 {
            _ if entry >> 2 != message => None,
            1 => Some(Verdict::Holds),
            2 => Some(Verdict::Fails),
            3 => Some(Verdict::Broken),
            _ => None,
        }
    }

    fn set(&mut self, message: u32, number: u32, verdict: Verdict) {
        if let Some(entry) = self.0.get_mut(number as usize) {
            *entry = message << 2 | verdict as u32;
        }
    }

    fn make_space(&mut self, count: usize) {
        if self.0.len() < count {
            self.0.resize(count, 0);
        }
    }
}

impl Matcher {
    pub fn new() -> Matcher {
        Matcher::default()
    }

    /// The first matching filter of every subscription that has one.
    pub fn run<'m, 'r: 'm>(
        &'m mut self,
        set: &'r Ruleset,
        event: &Event<'_>,
        acl: &dyn Acl,
    ) -> impl Iterator<Item = Match<'r>> + use<'m, 'r> {
        self.begin(set);
        let subject = Subject::new(event, acl);
        self.topic = TopicNumbers::new(&set.names, subject.message().topic, subject.message().category());
        self.gather(set, event.facts(), acl);
        for position in 0..self.atoms.len() {
            self.test_filters(set, &subject, self.atoms[position]);
        }
        self.test_filters(set, &subject, Atom::ANY);
        self.test_words(set, &subject);
        self.test_rules(set, &subject);
        self.test_patterns(set, &subject);
        self.places.sort_unstable();
        self.places.dedup_by_key(|place| place.group());
        self.places.iter().filter_map(|place| set.at(*place))
    }

    fn begin(&mut self, set: &Ruleset) {
        self.message += 1;
        if self.message == MESSAGES {
            *self = Matcher { message: 1, ..Matcher::default() };
        }
        self.rules.make_space(set.rules.capacity());
        self.tests.make_space(set.tests.capacity());
        self.atoms.clear();
        self.places.clear();
    }

    /// The message's atoms: the accounts and artifacts that it names, their holders, and the groups involved.
    fn gather(&mut self, set: &Ruleset, facts: &Facts, acl: &dyn Acl) {
        let (names, atoms) = (&set.names, &mut self.atoms);
        for user in &facts.usernames {
            atoms.push(names.account(user).as_(Role::Named));
        }
        if !set.triggers.groups.is_empty() && !facts.usernames.is_empty() {
            acl.groups_of(&facts.usernames, &set.triggers.groups, &mut |group| atoms.push(names.group(group)));
        }
        for package in &facts.packages {
            atoms.push(names.package(package));
            let Some(holders) = acl.holders(package) else { continue };
            for kind in [Kind::PointOfContact, Kind::CoMaintained, Kind::Watch] {
                let role = if kind == Kind::Watch { Role::Watches } else { Role::Commits };
                let mut hold = |holder: &str| {
                    let account = names.account(holder);
                    atoms.extend([account.as_(Role::Holds), account.as_(role)]);
                };
                for holder in holders.of(kind) {
                    hold(holder);
                    let members = holder.strip_prefix(GROUP_PREFIX).and_then(|group| acl.members(group));
                    members.into_iter().flatten().for_each(|member| hold(member));
                }
            }
        }
        atoms.sort_unstable();
        atoms.dedup();
    }

    /// Tests the filters that an atom leads to.
    fn test_filters(&mut self, set: &Ruleset, subject: &Subject<'_>, atom: Atom) {
        for entry in set.index.get(atom) {
            if self.matches(set, subject, entry) {
                self.places.push(entry.place);
            }
        }
    }

    fn matches(&mut self, set: &Ruleset, subject: &Subject<'_>, entry: &IndexEntry) -> bool {
        let atoms = &self.atoms;
        if !entry.own.holds(entry.atom, |atom| atoms.binary_search(&atom).is_ok()) {
            return false;
        }
        if let Some(known) = self.tests.get(self.message, entry.test) {
            return known == Verdict::Holds;
        }
        let terms = set.tests.get(entry.test).map_or(&[][..], |terms| terms);
        let holds = terms.iter().all(|term| self.term(set, subject, *term));
        self.tests.set(self.message, entry.test, if holds { Verdict::Holds } else { Verdict::Fails });
        holds
    }

    fn term(&mut self, set: &Ruleset, subject: &Subject<'_>, term: Term) -> bool {
        let wanted = if term.negated() { Verdict::Fails } else { Verdict::Holds };
        self.rule(set, subject, term.rule()) == wanted
    }

    fn rule(&mut self, set: &Ruleset, subject: &Subject<'_>, number: u32) -> Verdict {
        if let Some(known) = self.rules.get(self.message, number) {
            return known;
        }
        let Some(known) = set.rules.get(number) else { return Verdict::Fails };
        let verdict = match &known.what {
            _ if self.topic.fail(known.gate) => Verdict::Fails,
            TermKind::Atom if self.atoms.binary_search(&known.atom).is_ok() => Verdict::Holds,
            TermKind::Tested(tested) => match tested.compiled.holds(subject) {
                Ok(true) => Verdict::Holds,
                Ok(false) => Verdict::Fails,
                Err(ConditionError::NoCategory) => Verdict::Broken,
            },
            _ => Verdict::Fails,
        };
        self.rules.set(self.message, number, verdict);
        verdict
    }

    /// Filters under named rules: only those rules are tested that this topic can fulfil.
    fn test_rules(&mut self, set: &Ruleset, subject: &Subject<'_>) {
        let message = subject.message();
        let by_topic = set.triggers.by_topic(message.topic, message.category());
        for number in by_topic.chain(set.triggers.loose.iter().copied()) {
            self.look_under(set, subject, number);
        }
    }

    fn look_under(&mut self, set: &Ruleset, subject: &Subject<'_>, number: u32) {
        if self.rule(set, subject, number) == Verdict::Holds
            && let Some(known) = set.rules.get(number)
        {
            self.test_filters(set, subject, known.atom);
        }
    }

    /// Filters under words of a field.
    fn test_words(&mut self, set: &Ruleset, subject: &Subject<'_>) {
        let message: &MessageView<'_> = subject.message();
        for worded in &set.triggers.worded {
            if !worded.concerns(message.topic, message.category()) {
                continue;
            }
            for words in &worded.words {
                words.source.values(message, &mut |item| {
                    let Some(word) = item.text() else { return };
                    let atom = word_atom(&set.names, &worded.rule, &words.argument, &word, words.fold);
                    self.test_filters(set, subject, atom);
                });
            }
        }
    }

    /// Filters under patterns.
    fn test_patterns(&mut self, set: &Ruleset, subject: &Subject<'_>) {
        for package in &subject.facts().packages {
            self.look_at_text(set, subject, &set.triggers.packages, package);
        }
        if !set.triggers.payload.is_empty() {
            self.look_at_text(set, subject, &set.triggers.payload, subject.payload());
        }
    }

    fn look_at_text(&mut self, set: &Ruleset, subject: &Subject<'_>, patterns: &Patterns, text: &str) {
        for found in patterns.find(text) {
            match found {
                PatternMatches::Rules(rules) => {
                    for number in rules {
                        self.rules.set(self.message, number, Verdict::Holds);
                        self.look_under(set, subject, number);
                    }
                }
                PatternMatches::Unknown(rules) => {
                    rules.iter().for_each(|number| self.look_under(set, subject, *number))
                }
            }
        }
    }
}
