//! A directed graph of files, and the cycles in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Nodes are indices of files.
pub struct FileGraph {
    targets: BTreeMap<usize, BTreeSet<usize>>,
}

impl FileGraph {
    pub fn new(arrows: impl IntoIterator<Item = (usize, usize)>) -> FileGraph {
        let mut targets: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (from, to) in arrows {
            targets.entry(from).or_default().insert(to);
        }
        FileGraph { targets }
    }

    /// For each of the chosen arrows that lies on a cycle, a shortest one; each cycle once, its smallest node first.
    pub fn cycles(&self, chosen: impl Fn(usize, usize) -> bool) -> BTreeSet<Vec<usize>> {
        let arrows = self.targets.iter().flat_map(|(from, targets)| targets.iter().map(|to| (*from, *to)));
        arrows
            .filter(|(from, to)| chosen(*from, *to))
            .filter_map(|(from, to)| self.shortest_path(to, from))
            .map(|mut cycle| {
                let smallest = cycle.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(index, _)| index);
                cycle.rotate_left(smallest);
                cycle
            })
            .collect()
    }

    /// The nodes of a shortest way, both ends included.
    fn shortest_path(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut previous = BTreeMap::from([(from, from)]);
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let before = |node: &usize| previous.get(node).copied().filter(|_| *node != from);
                let mut path: Vec<_> = std::iter::successors(Some(to), before).collect();
                path.reverse();
                return Some(path);
            }
            for target in self.targets.get(&node).into_iter().flatten() {
                if !previous.contains_key(target) {
                    previous.insert(*target, node);
                    queue.push_back(*target);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cycle_is_found_once_in_its_shortest_form() {
        let graph = FileGraph::new([(1, 2), (2, 3), (3, 1), (3, 4), (4, 5)]);
        assert_eq!(graph.cycles(|_, _| true), BTreeSet::from([vec![1, 2, 3]]));
        let shortcut = FileGraph::new([(1, 2), (2, 3), (3, 1), (2, 1)]);
        assert_eq!(shortcut.cycles(|_, _| true), BTreeSet::from([vec![1, 2], vec![1, 2, 3]]));
    }

    #[test]
    fn only_cycles_with_a_chosen_arrow_are_found() {
        let graph = FileGraph::new([(1, 2), (2, 1), (3, 4), (4, 3)]);
        assert_eq!(graph.cycles(|from, _| from == 3), BTreeSet::from([vec![3, 4]]));
        assert!(FileGraph::new([(1, 2)]).cycles(|_, _| true).is_empty());
    }
}
