//! Which messages may be matched. Only this module makes an `Admissible`, and matching takes nothing else. It checks the age
//! of a message; sources that carry signatures check those.

use std::time::Duration;

use tidings_domain::limits;
use tidings_domain::message::{Envelope, Refusal};
use tidings_domain::time::Timestamp;

/// A message that may be matched.
#[derive(Debug)]
pub struct Admissible(Envelope);

impl Admissible {
    /// The message.
    pub fn envelope(&self) -> &Envelope {
        &self.0
    }
}

/// The conditions for a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdmissionPolicy {
    /// The setting `bus.max_message_age`.
    pub max_age: Option<Duration>,
}

impl AdmissionPolicy {
    /// Admits a message or returns why not. One without a timestamp has no age.
    pub fn verify(&self, envelope: Envelope, now: Timestamp) -> Result<Admissible, Refusal> {
        if let (Some(max_age), Some(sent)) = (self.max_age, envelope.timestamp())
            && (now.since(sent) > max_age || sent.since(now) > limits::CLOCK_SKEW)
        {
            return Err(Refusal::Stale);
        }
        Ok(Admissible(envelope))
    }
}

#[cfg(test)]
mod tests {
    use tidings_domain::message::Frame;

    use super::*;

    #[test]
    fn row_5_a_message_that_is_too_old_or_from_the_future_is_stale_where_age_matters() {
        let now = Timestamp::from_millis(1_000_000_000);
        let hour = AdmissionPolicy { max_age: Some(Duration::from_secs(3600)) };
        for (policy, timestamp, passes) in [
            (hour, "1000000", true),
            (hour, "996401.5", true),
            (hour, "996399", false),
            (hour, "1000200", true),
            (hour, "1001000", false),
            (hour, "null", true),
            (AdmissionPolicy::default(), "1", true),
        ] {
            let body = format!(r#"{{"topic":"a.b.c.d","msg":{{}},"timestamp":{timestamp}}}"#);
            let envelope = Envelope::read(&Frame { topic: None, body: body.into_bytes() }).expect("it is a message");
            assert_eq!(policy.verify(envelope, now).is_ok(), passes, "{timestamp} {policy:?}");
        }
    }
}
