//! `deliver` with everything that may be in a batch, to a far side that takes all.

use std::time::Instant;

use tidings_domain::delivery::Delivery;

use super::{HUNG, answered};
use crate::far::Manner;
use crate::finding::Verdict;
use crate::sample::{Refused, deliveries};
use crate::trial::{DEADLINE_MS, Trial};

/// Deliveries in the largest batch that is tried.
const BATCH: usize = 100;
/// Events of the largest digest that is tried.
const DIGEST: usize = 500;

pub async fn all(trial: &mut Trial<'_>) {
    for (name, batch) in batches() {
        let began = Instant::now();
        let verdict = one(trial, &batch).await;
        trial.note(&name, began, verdict);
    }
}

/// To nobody yet: the address is known with the channel.
fn batches() -> Vec<(String, Vec<Delivery>)> {
    let number = |number: usize| deliveries::single("", deliveries::usual(&format!("usual-{number}")));
    let mixed = vec![number(0), deliveries::confirmation(""), deliveries::digest("", 3), number(1)];
    let batches = [
        ("a single message", vec![number(0)]),
        ("a digest", vec![deliveries::digest("", 3)]),
        ("a digest of 500 messages", vec![deliveries::digest("", DIGEST)]),
        ("a confirmation", vec![deliveries::confirmation("")]),
        ("an empty batch", Vec::new()),
        ("a mixed batch", mixed),
        ("a batch of 100", (0..BATCH).map(number).collect()),
        ("texts of 1 MiB and 10,000 packages", vec![deliveries::single("", deliveries::huge())]),
    ];
    let odd = deliveries::ODD
        .iter()
        .map(|(what, text)| (format!("text with {what}"), vec![deliveries::single("", deliveries::odd(text))]));
    batches.into_iter().map(|(name, batch)| (name.to_owned(), batch)).chain(odd).collect()
}

async fn one(trial: &mut Trial<'_>, batch: &[Delivery]) -> Verdict {
    if trial.seen.hung {
        return Verdict::Skipped(HUNG.to_owned());
    }
    match trial.channel(Manner::helpful(), DEADLINE_MS).await {
        Ok(channel) => {
            let address = channel.setup.address.clone();
            let batch: Vec<_> =
                batch.iter().map(|delivery| Delivery { address: address.clone(), ..delivery.clone() }).collect();
            answered(&trial.deliver(&channel, &batch).await).into()
        }
        Err(Refused(why)) => Verdict::Skipped(why),
    }
}
