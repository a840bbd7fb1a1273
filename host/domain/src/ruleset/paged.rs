//! A table of which a clone shares everything but what is changed afterwards: numbers lead to values, in pages. It knows
//! nothing of what it holds.

use std::sync::Arc;

/// Values in a page. Changing one value copies its page and the list of pages.
const PAGE: usize = 256;

#[derive(Clone, Debug)]
pub struct Paged<T> {
    pages: Arc<Vec<Arc<[T]>>>,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Paged { pages: Arc::default() }
    }
}

impl<T: Clone + Default> Paged<T> {
    /// The value at a place that was set, and what a place begins with elsewhere.
    pub fn get(&self, place: u32) -> Option<&T> {
        let place = place as usize;
        self.pages.get(place / PAGE)?.get(place % PAGE)
    }

    pub fn set(&mut self, place: u32, value: T) {
        let place = place as usize;
        let pages = Arc::make_mut(&mut self.pages);
        while pages.len() <= place / PAGE {
            pages.push(std::iter::repeat_n(T::default(), PAGE).collect());
        }
        Arc::make_mut(&mut pages[place / PAGE])[place % PAGE] = value;
    }

    /// No place as high as this was ever set.
    pub fn capacity(&self) -> usize {
        self.pages.len() * PAGE
    }
}
