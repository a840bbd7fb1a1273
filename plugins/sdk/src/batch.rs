//! Delivers a batch one delivery at a time, for channels that keep no connection.

use crate::host::Host;
use crate::{Delivery, Outcome, Trouble};

/// The longest HTTP exchange, in milliseconds: a slower server would delay all other deliveries.
pub const EXCHANGE_MS: u32 = 15_000;
/// The least remaining time to start a delivery, in milliseconds: enough for an exchange and its outcome.
const BEGIN_MS: u64 = EXCHANGE_MS as u64 + 1_000;

/// Sends each delivery, in order, and settles each outcome at once. After trouble of the channel, or when the time runs
/// out, the remaining deliveries are not tried: they get the same trouble, or a retry.
pub fn one_by_one(host: &impl Host, batch: &[Delivery], mut send: impl FnMut(&Delivery) -> Outcome) -> Vec<Outcome> {
    let reserve_ms = BEGIN_MS.min(host.remaining_ms() / 4);
    let mut trouble: Option<Trouble> = None;
    let mut deliver = |delivery: &Delivery| match &trouble {
        Some(trouble) => Outcome::ChannelTrouble(trouble.clone()),
        None if host.remaining_ms() < reserve_ms => Outcome::retry("no time was left for it in this call"),
        None => {
            let outcome = send(delivery);
            if let Outcome::ChannelTrouble(found) = &outcome {
                trouble = Some(found.clone());
            }
            outcome
        }
    };
    let outcome = |(index, delivery): (usize, &Delivery)| {
        let outcome = deliver(delivery);
        host.settled(index, &outcome);
        outcome
    };
    batch.iter().enumerate().map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, confirmation, delivery};

    fn batch(length: u32) -> Vec<Delivery> {
        (0..length).map(|number| Delivery { id: number.to_string(), ..delivery("a", confirmation()) }).collect()
    }

    #[test]
    fn after_trouble_and_without_time_nothing_more_is_tried() {
        let tried = |remaining_ms, outcomes: &dyn Fn(&str) -> Outcome| {
            let host = FakeHost::answering([]).with_remaining_ms(remaining_ms);
            let mut tried = 0;
            let got = one_by_one(&host, &batch(5), |delivery| {
                host.elapse_ms(10_000);
                tried += 1;
                outcomes(&delivery.id)
            });
            let settled: Vec<_> = got.iter().cloned().enumerate().collect();
            assert_eq!(host.settled_outcomes(), settled, "each is settled, in order");
            (tried, got)
        };
        let fine = |_: &str| Outcome::Delivered(None);
        assert_eq!(tried(120_000, &fine), (5, vec![Outcome::Delivered(None); 5]));
        let (count, outcomes) = tried(46_000, &fine);
        assert_eq!(count, 4, "{outcomes:?}");
        assert!(matches!(outcomes[4], Outcome::Retry(_)));
        let trouble = Outcome::trouble(Some(7), "closed");
        let (count, outcomes) = tried(120_000, &|id| if id == "1" { trouble.clone() } else { fine(id) });
        assert_eq!(count, 2);
        assert_eq!(outcomes[0], Outcome::Delivered(None));
        assert_eq!(outcomes[1..], [trouble.clone(), trouble.clone(), trouble.clone(), trouble]);
    }
}
