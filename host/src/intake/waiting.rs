//! Messages that wait for their access lists, and their order: a message about a package never overtakes an earlier one about
//! the same package, since both may be for the same users. It fetches nothing.

use std::collections::VecDeque;

/// Messages in the order in which they came. `T` is the message, `V` what it waits for.
#[derive(Debug)]
pub struct Waiting<T, V> {
    queue: VecDeque<Held<T, V>>,
    next: u64,
}

/// Names a waiting message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

#[derive(Debug)]
struct Held<T, V> {
    ticket: Ticket,
    packages: Vec<String>,
    message: T,
    arrived: Option<V>,
}

impl<T, V> Default for Waiting<T, V> {
    fn default() -> Self {
        Waiting { queue: VecDeque::new(), next: 0 }
    }
}

impl<T, V> Waiting<T, V> {
    /// Whether a message about these packages has to stay behind one that waits.
    pub fn is_ahead_of(&self, packages: &[String]) -> bool {
        self.queue.iter().any(|held| share(&held.packages, packages))
    }

    pub fn push(&mut self, packages: Vec<String>, message: T) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.queue.push_back(Held { ticket, packages, message, arrived: None });
        ticket
    }

    /// What this message waited for has arrived; it may still have to stay behind another.
    pub fn arrive(&mut self, ticket: Ticket, what: V) {
        if let Some(held) = self.queue.iter_mut().find(|held| held.ticket == ticket) {
            held.arrived = Some(what);
        }
    }

    /// The next message that has what it needs and is behind no other.
    pub fn pop(&mut self) -> Option<(T, V)> {
        let free = |n: usize| {
            let held = &self.queue[n];
            held.arrived.is_some() && !self.queue.iter().take(n).any(|ahead| share(&ahead.packages, &held.packages))
        };
        let position = (0..self.queue.len()).find(|n| free(*n))?;
        let Held { message, arrived, .. } = self.queue.remove(position)?;
        Some((message, arrived?))
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Both are sorted, and short.
fn share(one: &[String], other: &[String]) -> bool {
    one.iter().any(|package| other.binary_search(package).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    fn free(waiting: &mut Waiting<&'static str, ()>) -> Vec<&'static str> {
        std::iter::from_fn(|| waiting.pop()).map(|(message, ())| message).collect()
    }

    #[test]
    fn messages_about_one_package_keep_their_order_and_others_pass() {
        let mut waiting = Waiting::default();
        let a = waiting.push(packages("cup pot"), "a");
        let b = waiting.push(packages("tea"), "b");
        let c = waiting.push(packages("pot"), "c");
        let d = waiting.push(packages("pot tea"), "d");
        assert_eq!(free(&mut waiting), [""; 0]);
        waiting.arrive(c, ());
        assert_eq!(free(&mut waiting), [""; 0], "c stays behind a");
        waiting.arrive(b, ());
        assert_eq!(free(&mut waiting), ["b"]);
        waiting.arrive(d, ());
        assert_eq!(free(&mut waiting), [""; 0], "d stays behind a and c");
        waiting.arrive(a, ());
        assert_eq!(free(&mut waiting), ["a", "c", "d"]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_new_message_stays_behind_those_about_its_packages_only() {
        let mut waiting: Waiting<&str, ()> = Waiting::default();
        waiting.push(packages("cup pot"), "a");
        let cases = [("pot", true), ("tea", false), ("a cup", true), ("", false)];
        for (names, expected) in cases {
            assert_eq!(waiting.is_ahead_of(&packages(names)), expected, "{names}");
        }
        assert_eq!(waiting.len(), 1);
    }
}
