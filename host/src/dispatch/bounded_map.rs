//! What a worker remembers of single deliveries, in bounded space: the oldest entry goes for a new one. A delivery that never
//! comes back (its user left) must not keep its entry for ever.

use std::collections::{HashMap, VecDeque};

use tidings_domain::delivery::DeliveryId;

/// Something about each of at most `limit` deliveries.
pub(super) struct BoundedMap<T> {
    limit: usize,
    known: HashMap<DeliveryId, T>,
    /// In the order of insertion; includes ids that were removed from `known` meanwhile.
    order: VecDeque<DeliveryId>,
}

impl<T> BoundedMap<T> {
    pub(super) fn new(limit: usize) -> BoundedMap<T> {
        BoundedMap { limit, known: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn contains(&self, id: &DeliveryId) -> bool {
        self.known.contains_key(id)
    }

    pub(super) fn get(&self, id: &DeliveryId) -> Option<&T> {
        self.known.get(id)
    }

    pub(super) fn insert(&mut self, id: &DeliveryId, value: T) {
        if self.known.insert(id.clone(), value).is_some() {
            return;
        }
        if self.order.len() >= self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(id.clone());
    }

    pub(super) fn remove(&mut self, id: &DeliveryId) -> Option<T> {
        self.known.remove(id)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.known.values_mut()
    }
}

#[cfg(test)]
mod tests {
    use tidings_domain::message::MessageId;

    use super::*;

    fn id(number: usize) -> DeliveryId {
        DeliveryId::derive(&MessageId::made(&number.to_string()), "c", "a")
    }

    #[test]
    fn the_oldest_entry_goes_for_a_new_one_and_the_map_stays_bounded() {
        let mut remembered = BoundedMap::new(3);
        for number in 0..10 {
            remembered.insert(&id(number), number);
            assert_eq!(remembered.get(&id(number)), Some(&number));
            assert!(remembered.known.len() <= 3 && remembered.order.len() <= 3);
        }
        let left: Vec<usize> = (0..10).filter(|number| remembered.contains(&id(*number))).collect();
        assert_eq!(left, [7, 8, 9]);
    }

    #[test]
    fn entries_that_were_removed_take_no_space() {
        let mut remembered = BoundedMap::new(3);
        for number in 0..10 {
            remembered.insert(&id(number), number);
            remembered.insert(&id(number), number + 100);
            assert_eq!(remembered.remove(&id(number)), Some(number + 100));
        }
        assert!(remembered.known.is_empty() && remembered.order.len() <= 3);
    }
}
