//! Compiles a user's rule to what it requires of a message: an atom, an account in a role, or a test. An invalid rule
//! is an error with its reason; it disables one filter.

use std::sync::Arc;

use super::atom::{Account, Atom, AtomHasher, Role};
use super::tables::{Rules, TermKind};
use super::tested::{Rarity, Tested};
use crate::acl::Kinds;
use crate::catalogue::Catalogue;
use crate::rules::{CompiledRule, RuleTest};
use crate::subscription::borrowed::RuleRef;

/// What a rule of a filter requires.
#[derive(Clone, Debug)]
pub enum Literal {
    Always,
    Never,
    Account {
        role: Role,
        account: Account,
        negated: bool,
    },
    Package {
        atom: Atom,
        negated: bool,
    },
    Group {
        name: Arc<str>,
        atom: Atom,
        negated: bool,
    },
    /// Holds one use of the rule with this number.
    Rule {
        number: u32,
        negated: bool,
    },
}

/// Adds what a rule requires to `literals`, joined by AND, and returns the arguments that are missing.
pub fn rule(
    catalogue: &Catalogue,
    names: &AtomHasher,
    rules: &mut Rules,
    rule: &RuleRef<'_>,
    literals: &mut Vec<Literal>,
) -> Result<Vec<String>, String> {
    let negated = rule.negated;
    let key = names.rule(&rule.rule, rule.arguments.iter());
    if let Some(number) = rules.find(key) {
        rules.retain_again(number);
        literals.push(Literal::Rule { number, negated });
        return Ok(Vec::new());
    }
    let mut compiled = CompiledRule::new(catalogue, &rule.to_owned())?;
    let missing = std::mem::take(&mut compiled.missing);
    let account = |user: &str, role, negated| Literal::Account { role, account: names.account(user), negated };
    let constant = |holds| if holds { Literal::Always } else { Literal::Never };
    match &compiled.test {
        RuleTest::Never => literals.push(constant(negated)),
        RuleTest::User(user) => literals.push(account(user, Role::Named, negated)),
        RuleTest::NotUsers(users) if users.is_empty() => literals.push(constant(negated)),
        RuleTest::NotUsers(users) if !negated => {
            literals.extend(users.iter().map(|user| account(user, Role::Named, true)))
        }
        RuleTest::UserPackage(user, kinds) => literals.push(account(user, role(*kinds), negated)),
        RuleTest::Package(package) => literals.push(Literal::Package { atom: names.package(package), negated }),
        RuleTest::GroupMember(group) => {
            literals.push(Literal::Group { name: group.as_str().into(), atom: names.group(group), negated });
        }
        RuleTest::NotUsers(_)
        | RuleTest::PackageMatches(_)
        | RuleTest::PayloadMatches(_)
        | RuleTest::LinkContains(_)
        | RuleTest::Named(..) => {
            let number = rules.retain(key, || TermKind::Tested(Arc::new(Tested::new(names, &rule.rule, compiled))));
            literals.push(Literal::Rule { number, negated });
        }
    }
    Ok(missing)
}

const fn role(kinds: Kinds) -> Role {
    match kinds {
        Kinds::Any => Role::Holds,
        Kinds::Commit => Role::Commits,
        Kinds::Watch => Role::Watches,
    }
}

impl Literal {
    pub const fn is_never(&self) -> bool {
        matches!(self, Literal::Never)
    }

    /// How rare messages are that fulfil it; none if a filter cannot be indexed under it.
    pub fn rarity(&self, rules: &Rules) -> Option<Rarity> {
        match self {
            Literal::Account { role: Role::Named, negated: false, .. } => Some(Rarity::User),
            Literal::Account { negated: false, .. } => Some(Rarity::Holder),
            Literal::Package { negated: false, .. } => Some(Rarity::Package),
            Literal::Group { negated: false, .. } => Some(Rarity::Group),
            Literal::Rule { number, negated: false } => match &rules.table.get(*number)?.kind {
                TermKind::Tested(tested) => Some(tested.rarity),
                TermKind::Atom | TermKind::Empty => None,
            },
            _ => None,
        }
    }

    /// The atom that represents it.
    pub fn atom(&self, rules: &Rules) -> Option<Atom> {
        match self {
            Literal::Always | Literal::Never => None,
            Literal::Account { role, account, .. } => Some(account.in_role(*role)),
            Literal::Package { atom, .. } | Literal::Group { atom, .. } => Some(*atom),
            Literal::Rule { number, .. } => Some(rules.table.get(*number)?.atom),
        }
    }
}
