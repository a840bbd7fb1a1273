//! What a filter requires of the same account beside its atom: "packages of ann, but not what ann did". Every default
//! filter
//! has such a requirement, different for every user, so the index entry holds it.

use super::atom::{Account, Atom, Role};

/// Two bits for the role that the filter is indexed under, then one for each required role, then one for each excluded
/// role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Own(u16);

impl Own {
    /// No requirement yet, for the account that the filter is indexed under in this role.
    pub const fn under(role: Role) -> Own {
        Own(role as u16)
    }

    /// The same, and the account must, or must not, be in this role.
    #[must_use]
    pub const fn and(self, role: Role, negated: bool) -> Own {
        let shift = if negated { 6 } else { 2 };
        Own(self.0 | 1 << (shift + role as u16))
    }

    /// Whether it holds for the account of `atom`, in a message with these atoms.
    pub fn holds(self, atom: Atom, has: impl Fn(Atom) -> bool) -> bool {
        if self.0 >> 2 == 0 {
            return true;
        }
        let account = Account::of(atom, Role::ALL[usize::from(self.0 & 0b11)]);
        Role::ALL.into_iter().all(|role| {
            let asked = self.0 >> (2 + role as u16) & 1 == 1;
            let refused = self.0 >> (6 + role as u16) & 1 == 1;
            (!asked && !refused) || {
                let there = has(account.as_(role));
                (!asked || there) && (!refused || !there)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::atom::AtomHasher;
    use super::*;

    #[test]
    fn roles_are_asked_and_refused_of_the_same_account() {
        let names = AtomHasher::default();
        let (ann, bob) = (names.account("ann"), names.account("bob"));
        let not_mine = Own::under(Role::Holds).and(Role::Named, true);
        let mine = Own::under(Role::Holds).and(Role::Named, false);
        let holds = |own: Own, atoms: &[Atom]| own.holds(ann.as_(Role::Holds), |atom| atoms.contains(&atom));
        for (own, atoms, expected) in [
            (Own::default(), vec![], true),
            (Own::under(Role::Watches), vec![], true),
            (not_mine, vec![ann.as_(Role::Holds)], true),
            (not_mine, vec![ann.as_(Role::Named)], false),
            (not_mine, vec![bob.as_(Role::Named)], true),
            (mine, vec![ann.as_(Role::Named)], true),
            (mine, vec![bob.as_(Role::Named), ann.as_(Role::Commits)], false),
            (mine.and(Role::Named, true), vec![ann.as_(Role::Named)], false),
        ] {
            assert_eq!(holds(own, &atoms), expected, "{own:?} {atoms:?}");
        }
    }
}
