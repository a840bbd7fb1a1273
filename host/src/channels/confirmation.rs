//! Asking the owner of an address whether notifications are wanted there. The question goes out at once, outside the outbox,
//! so that the caller gets its outcome. The answer comes by a signed link or by a message from the address.

use rand::seq::IndexedRandom as _;
use tidings_domain::delivery::{Confirmation, Content, Delivery, DeliveryId};
use tidings_domain::limits;
use tidings_domain::message::MessageId;
use tidings_domain::outcome::Outcome;
use tidings_domain::subscription::{Style, Subscription};
use tidings_domain::time::Timestamp;
use tidings_store::Question;

use super::limits::{CONFIRMATION_AGE, CONFIRMATION_CODE_CHARS, CONFIRMATION_REST};
use super::{ChannelError, Channels, NotReady};
use crate::clock;
use crate::link_signer::LinkSubject;

/// The characters of codes: none that looks like another in print.
const LETTERS: &[u8] = b"ABCDEFGHJKMNPQRTUVWXYZ23456789";

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfirmationRequest {
    /// It was handed to the channel's plugin, with this outcome.
    Sent { address: String, expires_at: Timestamp, outcome: Outcome },
    /// The address is in the subscription already.
    There,
    /// This user was asked on this channel a moment ago.
    TooSoon,
    /// The subscription has as many addresses as it may have.
    Full,
}

impl Channels {
    /// Asks the owner of `address` whether `user`'s notifications are wanted there. The question replaces an earlier one of the
    /// same user on the same channel.
    pub async fn ask_owner(
        &self,
        user: &str,
        channel: &str,
        address: &str,
    ) -> Result<ConfirmationRequest, ChannelError> {
        let address = self.check_address_of(user, channel, address).await?;
        let mut subscriptions = self.environment().store.subscriptions_of(user).await?.into_iter();
        if let Some(Subscription { addresses, .. }) = subscriptions.find(|one| one.channel == channel) {
            if addresses.contains(&address) {
                return Ok(ConfirmationRequest::There);
            }
            if addresses.len() >= limits::ADDRESSES_PER_SUBSCRIPTION {
                return Ok(ConfirmationRequest::Full);
            }
        }
        let now = clock::now();
        let (code, expires_at) = (code(), now.after(CONFIRMATION_AGE));
        let subject = LinkSubject { user: user.to_owned(), channel: channel.to_owned(), address };
        let links = self.environment().links.confirm_links(&subject);
        let (accept_link, reject_link) = links.ok_or(NotReady::NoPublicUrl)?;
        let LinkSubject { user, channel, address } = subject;
        let question = Question { user, channel, address, code, expires_at };
        if !self.environment().store.ask(&question, now.before(CONFIRMATION_REST), now).await? {
            return Ok(ConfirmationRequest::TooSoon);
        }
        let Question { user, channel, address, code, .. } = question;
        let id = MessageId::made(&format!("confirm-{channel}-{}", now.as_millis()));
        let delivery = Delivery {
            id: DeliveryId::derive(&id, &channel, &address),
            attempt: 1,
            accepted_at: now,
            user,
            address: address.clone(),
            filter: None,
            style: Style::default(),
            content: Content::Confirmation(Confirmation { code, accept_link, reject_link, expires_at }),
        };
        let outcome = self.send_now(&channel, delivery).await?;
        Ok(ConfirmationRequest::Sent { address, expires_at, outcome })
    }
}

fn code() -> String {
    let mut random = rand::rng();
    let letters = (0..CONFIRMATION_CODE_CHARS).filter_map(|_| LETTERS.choose(&mut random));
    letters.map(|letter| char::from(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_long_enough_and_can_be_read_aloud() {
        let (one, other) = (code(), code());
        assert_ne!(one, other);
        assert_eq!(one.len(), CONFIRMATION_CODE_CHARS);
        assert!(one.bytes().all(|byte| LETTERS.contains(&byte)), "{one}");
        assert_eq!(LETTERS.len(), 30);
    }
}
