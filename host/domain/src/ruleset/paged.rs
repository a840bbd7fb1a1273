//! A table from numbers to values, in pages. A clone shares all pages until one is changed.

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
    /// The value at a position; the default if none was set.
    pub fn get(&self, position: u32) -> Option<&T> {
        let position = position as usize;
        self.pages.get(position / PAGE)?.get(position % PAGE)
    }

    pub fn set(&mut self, position: u32, value: T) {
        let position = position as usize;
        let pages = Arc::make_mut(&mut self.pages);
        while pages.len() <= position / PAGE {
            pages.push(std::iter::repeat_n(T::default(), PAGE).collect());
        }
        Arc::make_mut(&mut pages[position / PAGE])[position % PAGE] = value;
    }

    /// One more than the highest position that was ever set, rounded up to a page.
    pub fn capacity(&self) -> usize {
        self.pages.len() * PAGE
    }
}
