//! What a filter requires of the same account beside its atom: "packages of ann, but not what ann did". Every default
//! filter has such a requirement, different for every user, so the index entry holds it.

use super::atom::{Account, Atom, Role};

/// Two bits for the role that the filter is indexed under, then one for each required role, then one for each excluded
/// role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleRequirement(u16);

impl RoleRequirement {
    /// No requirement yet, for the account that the filter is indexed under in this role.
    pub const fn indexed_under(role: Role) -> RoleRequirement {
        RoleRequirement(role as u16)
    }

    /// The same, and the account must, or must not, be in this role.
    #[must_use]
    pub const fn and(self, role: Role, negated: bool) -> RoleRequirement {
        let shift = if negated { 6 } else { 2 };
        RoleRequirement(self.0 | 1 << (shift + role as u16))
    }

    /// Whether it holds for the account of `atom`, in a message with these atoms.
    pub fn holds(self, atom: Atom, has: impl Fn(Atom) -> bool) -> bool {
        if self.0 >> 2 == 0 {
            return true;
        }
        let account = Account::of(atom, Role::ALL[usize::from(self.0 & 0b11)]);
        Role::ALL.into_iter().all(|role| {
            let required = self.0 >> (2 + role as u16) & 1 == 1;
            let excluded = self.0 >> (6 + role as u16) & 1 == 1;
            (!required && !excluded) || {
                let present = has(account.in_role(role));
                (!required || present) && (!excluded || !present)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::atom::AtomHasher;
    use super::*;

    #[test]
    fn roles_are_required_and_excluded_for_the_same_account() {
        let names = AtomHasher::default();
        let (ann, bob) = (names.account("ann"), names.account("bob"));
        let excluding = RoleRequirement::indexed_under(Role::Holds).and(Role::Named, true);
        let requiring = RoleRequirement::indexed_under(Role::Holds).and(Role::Named, false);
        let holds = |roles: RoleRequirement, atoms: &[Atom]| {
            roles.holds(ann.in_role(Role::Holds), |atom| atoms.contains(&atom))
        };
        for (roles, atoms, expected) in [
            (RoleRequirement::default(), vec![], true),
            (RoleRequirement::indexed_under(Role::Watches), vec![], true),
            (excluding, vec![ann.in_role(Role::Holds)], true),
            (excluding, vec![ann.in_role(Role::Named)], false),
            (excluding, vec![bob.in_role(Role::Named)], true),
            (requiring, vec![ann.in_role(Role::Named)], true),
            (requiring, vec![bob.in_role(Role::Named), ann.in_role(Role::Commits)], false),
            (requiring.and(Role::Named, true), vec![ann.in_role(Role::Named)], false),
        ] {
            assert_eq!(holds(roles, &atoms), expected, "{roles:?} {atoms:?}");
        }
    }
}
