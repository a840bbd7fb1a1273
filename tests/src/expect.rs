//! Compares the mails that arrived with the expected ones. It must not wait.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::samples::Expected;
use crate::sink::Mail;

/// The expected mails that are missing, and the mails that were not expected.
#[derive(Debug, Default)]
pub struct Difference<'a> {
    pub missing: Vec<&'a Expected>,
    pub surplus: Vec<Arc<Mail>>,
}

impl Difference<'_> {
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty()
    }
}

/// Compares the mails with the expectations. A mail fulfils one expectation, a digest any number of them. A mail that
/// fulfils none is surplus.
pub fn compare<'a>(expected: &'a [Expected], mails: &[Arc<Mail>]) -> Difference<'a> {
    let mut used = BTreeSet::new();
    let missing = expected.iter().filter(|one| !is_fulfilled(one, mails, &mut used)).collect();
    let surplus = mails.iter().filter(|mail| !used.contains(&mail.number)).cloned().collect();
    Difference { missing, surplus }
}

fn is_fulfilled(expected: &Expected, mails: &[Arc<Mail>], used: &mut BTreeSet<u64>) -> bool {
    let found = mails.iter().filter(|mail| mail.is_for(&expected.recipient)).find(|mail| match expected.digest {
        true => mail.subject.contains(&expected.text) || mail.text.contains(&expected.text),
        false => mail.subject.contains(&expected.text) && !used.contains(&mail.number),
    });
    found.is_some_and(|mail| {
        used.insert(mail.number);
        true
    })
}
