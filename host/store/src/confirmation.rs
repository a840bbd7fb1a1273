//! Addresses whose owners were asked whether they want notifications there. An address enters a subscription by its owner's
//! word, in the transaction that takes the question away.

use async_trait::async_trait;
use tidings_domain::time::Timestamp;

use crate::Result;

/// What the owner of an address is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub user: String,
    pub channel: String,
    pub address: String,
    /// What an answer by message repeats.
    pub code: String,
    pub expires_at: Timestamp,
}

/// Which question is answered, by whoever can know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// By a message from the address itself, with the code.
    Message { channel: String, address: String, code: String },
    /// By a signed link that only the address got.
    Link { user: String, channel: String, address: String },
}

/// Questions and their answers.
#[async_trait]
pub trait Confirmations: Send + Sync {
    /// Notes a question in the place of an earlier one to the same user on the same channel, unless that was asked after
    /// `since`; whether it did.
    async fn ask(&self, question: &Question, since: Timestamp, now: Timestamp) -> Result<bool>;
    /// Takes a question away that has not expired. With `yes` its address joins the user's subscription, which is made where
    /// there is none. Returns whose it was; none where nothing of the sort was asked.
    async fn answer(&self, answered: &Answered, yes: bool, now: Timestamp) -> Result<Option<String>>;
}
