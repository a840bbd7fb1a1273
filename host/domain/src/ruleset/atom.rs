//! Atoms: names that a message and a rule can have in common, as 64 bits. A message has an atom, or it has not; a rule
//! that needs one never compares text again. The hash is keyed per process (SipHash), so that users cannot choose names
//! that collide; two of ten million collide by chance once in 300,000 starts.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};

/// A name in one of its meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom(u64);

impl Atom {
    /// Every message has it: filters without another atom are indexed under it.
    pub const ANY: Atom = Atom(0);

    /// The upper bits, by which the index divides atoms.
    pub const fn high(self, bits: u32) -> usize {
        (self.0 >> (u64::BITS - bits)) as usize
    }
}

/// The role of an account in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The message names it.
    Named,
    /// It holds one of the message's packages in any way.
    Holds,
    /// It may commit to one of them.
    Commits,
    /// It watches one of them.
    Watches,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Named, Role::Holds, Role::Commits, Role::Watches];

    /// Arbitrary numbers, so that an account's four atoms are unrelated in the index.
    const fn salt(self) -> u64 {
        match self {
            Role::Named => 0x2545_f491_4f6c_dd1d,
            Role::Holds => 0x9e37_79b9_7f4a_7c15,
            Role::Commits => 0xd1b5_4a32_d192_ed03,
            Role::Watches => 0xa076_1d64_78bd_642f,
        }
    }
}

/// An account without a role. A name is hashed once for all roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account(u64);

impl Account {
    pub const fn in_role(self, role: Role) -> Atom {
        Atom(self.0 ^ role.salt())
    }

    /// The account of this atom in this role.
    pub const fn of(atom: Atom, role: Role) -> Account {
        Account(atom.0 ^ role.salt())
    }
}

/// Makes atoms. Only atoms of the same hasher are comparable.
#[derive(Clone, Debug, Default)]
pub struct AtomHasher(RandomState);

impl AtomHasher {
    pub fn account(&self, name: &str) -> Account {
        Account(self.0.hash_one(('a', name)))
    }

    pub fn package(&self, name: &str) -> Atom {
        Atom(self.0.hash_one(('p', name)))
    }

    /// The message names a member of this group.
    pub fn group(&self, name: &str) -> Atom {
        Atom(self.0.hash_one(('g', name)))
    }

    /// A rule that has to be tested, by its name and arguments.
    pub fn rule<'s>(&self, name: &str, arguments: impl Iterator<Item = (&'s str, &'s str)>) -> Atom {
        let mut hasher = self.0.build_hasher();
        ('r', name).hash(&mut hasher);
        arguments.for_each(|argument| argument.hash(&mut hasher));
        Atom(hasher.finish())
    }

    /// A word in a field that a named rule compares with one of its arguments.
    pub fn word(&self, rule: &str, argument: &str, word: &str) -> Atom {
        Atom(self.0.hash_one(('w', rule, argument, word)))
    }

    /// A part of a topic, short enough to compare at once; equal parts have equal numbers.
    pub fn number(&self, part: &str) -> u32 {
        (self.0.hash_one(('t', part)) >> 32) as u32
    }

    /// The hash of a list of numbers, to find equal lists; not an atom of any message.
    pub fn content(&self, numbers: impl Iterator<Item = u32>) -> u64 {
        let mut hasher = self.0.build_hasher();
        numbers.for_each(|number| hasher.write_u32(number));
        hasher.finish()
    }
}
