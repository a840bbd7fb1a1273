//! Interns names that many subscriptions share: of default filters and channels.

use std::collections::HashSet;
use std::sync::Arc;

/// Below this many texts none are removed.
const CLEAR_AT_LEAST: usize = 1024;

#[derive(Debug, Default)]
pub struct InternedTexts {
    known: HashSet<Arc<str>>,
    /// At this many texts, unused ones are removed.
    clear_at: usize,
}

impl InternedTexts {
    pub fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.clear_at.max(CLEAR_AT_LEAST) {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.clear_at = self.known.len() * 2;
        }
        let text: Arc<str> = text.into();
        self.known.insert(Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_stored_once_and_removed_when_it_is_unused() {
        let mut texts = InternedTexts::default();
        let kept = texts.get("kept");
        assert!(Arc::ptr_eq(&kept, &texts.get("kept")));
        (0..10 * CLEAR_AT_LEAST).for_each(|number| _ = texts.get(&number.to_string()));
        assert!(texts.known.len() <= CLEAR_AT_LEAST + 1);
        assert!(Arc::ptr_eq(&kept, &texts.get("kept")));
    }
}
