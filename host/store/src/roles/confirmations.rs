//! Addresses whose owners were asked whether they want notifications there. The owner's answer adds the address to the
//! subscription, in the transaction that deletes the question.

use async_trait::async_trait;
use tidings_domain::time::Timestamp;

use crate::error::Result;

/// What the owner of an address is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub user: String,
    pub channel: String,
    pub address: String,
    /// An answer by message repeats this code.
    pub code: String,
    pub expires_at: Timestamp,
}

/// Which question an answer belongs to, by what proves that it comes from the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A message from the address itself, with the code.
    Message { channel: String, address: String, code: String },
    /// A signed link that only the address got.
    Link { user: String, channel: String, address: String },
}

/// Questions and their answers.
#[async_trait]
pub trait ConfirmationStore: Send + Sync {
    /// Stores a question, replacing an earlier one to the same user on the same channel unless that was asked after
    /// `since`. Returns whether it stored it.
    async fn ask(&self, question: &Question, since: Timestamp, now: Timestamp) -> Result<bool>;
    /// Deletes a question that has not expired. With `yes` its address is added to the user's subscription, which is
    /// created where there is none. Returns the user; none where no such question is open.
    async fn answer(&self, answered: &Answered, yes: bool, now: Timestamp) -> Result<Option<String>>;
}
