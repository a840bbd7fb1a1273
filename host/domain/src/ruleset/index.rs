//! The match index: which filters an atom leads to. Its cost follows the entries under the atoms of a message, never
//! the total number of entries. A clone is a snapshot; a change copies only the few buckets that it touches.
//!
//! Entries are sorted runs in buckets by the upper bits of their atom: two steps lead to a bucket, a binary search to
//! the run, and a run is contiguous for any number of filters under one atom.

use std::sync::Arc;

use super::atom::Atom;
use super::indexed_filter::FilterPosition;
use super::role_requirement::RoleRequirement;

/// Buckets are 2^17: with a million entries each holds about 8, three lines of the processor's cache.
const BRANCHES: usize = 1 << 8;
const BUCKETS: usize = 1 << 9;
const BITS: u32 = (BRANCHES * BUCKETS).ilog2();

/// A filter, indexed under an atom: it can only match a message that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    pub atom: Atom,
    pub position: FilterPosition,
    /// The rest of its rules.
    pub test: u32,
    /// What it requires of the account of the atom.
    pub roles: RoleRequirement,
}

type Bucket = Arc<[IndexEntry]>;

#[derive(Clone, Debug)]
pub struct Index {
    branches: Arc<[Arc<[Bucket]>]>,
    len: usize,
}

impl Default for Index {
    fn default() -> Self {
        let empty: Bucket = Arc::new([]);
        let branch: Arc<[Bucket]> = std::iter::repeat_n(empty, BUCKETS).collect();
        Index { branches: std::iter::repeat_n(branch, BRANCHES).collect(), len: 0 }
    }
}

impl Index {
    /// An index of all these entries at once.
    pub fn new(mut entries: Vec<IndexEntry>) -> Index {
        entries.sort_unstable();
        let mut index = Index { len: entries.len(), ..Index::default() };
        for run in entries.chunk_by(|a, b| bucket(a.atom) == bucket(b.atom)) {
            *index.bucket_mut(bucket(run[0].atom)) = run.into();
        }
        index
    }

    /// The entries under an atom.
    pub fn get(&self, atom: Atom) -> &[IndexEntry] {
        let number = bucket(atom);
        let bucket = &self.branches[number / BUCKETS][number % BUCKETS];
        let start = bucket.partition_point(|entry| entry.atom < atom);
        let run = &bucket[start..];
        match run.first() {
            Some(first) if first.atom == atom => &run[..run.partition_point(|entry| entry.atom == atom)],
            _ => &[],
        }
    }

    /// Removes entries and adds others. The removed ones must be present.
    pub fn change(&mut self, mut removed: Vec<IndexEntry>, mut added: Vec<IndexEntry>) {
        self.len = self.len + added.len() - removed.len();
        removed.sort_unstable();
        added.sort_unstable();
        let mut touched: Vec<usize> = removed.iter().chain(&added).map(|entry| bucket(entry.atom)).collect();
        touched.sort_unstable();
        touched.dedup();
        for number in touched {
            let in_bucket = |entries: &[IndexEntry]| {
                entries.iter().copied().filter(|e| bucket(e.atom) == number).collect::<Vec<_>>()
            };
            let (removed, added) = (in_bucket(&removed), in_bucket(&added));
            let slot = self.bucket_mut(number);
            let kept = slot.iter().filter(|entry| removed.binary_search(entry).is_err());
            let mut entries: Vec<IndexEntry> = kept.copied().chain(added).collect();
            // Two sorted runs: the sort finds and merges them.
            entries.sort();
            *slot = entries.into();
        }
    }

    fn bucket_mut(&mut self, number: usize) -> &mut Bucket {
        let branch = &mut Arc::make_mut(&mut self.branches)[number / BUCKETS];
        &mut Arc::make_mut(branch)[number % BUCKETS]
    }

    /// How many entries it has.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The bytes that it takes.
    pub const fn bytes(&self) -> usize {
        self.len * size_of::<IndexEntry>() + BRANCHES * BUCKETS * size_of::<Bucket>()
    }
}

const fn bucket(atom: Atom) -> usize {
    atom.high(BITS)
}
