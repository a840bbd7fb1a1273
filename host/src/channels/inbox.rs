//! Commands that users send on a channel: `help`, `start`, `stop`, `list filters`, `list rules`, `confirm`. The plugin vouches
//! for the address; the subscriptions say to which account it belongs. Any other text is answered with a hint, once; an
//! empty one is not answered.

mod command;
mod hints;
mod replies;

use std::sync::Arc;

use tidings_domain::subscription::{Edit, Subscription};
use tidings_store::{Answered, ConfirmationStore, StoreError, SubscriptionStore};

use crate::clock;
use crate::matching_state::MatchingState;
use crate::telemetry::chain;
use command::Command;

pub use hints::Hints;

/// The roles of the store that the commands use.
#[derive(Clone)]
pub struct InboxStore {
    pub subscriptions: Arc<dyn SubscriptionStore>,
    pub confirmations: Arc<dyn ConfirmationStore>,
}

/// A line of a user, with what is needed to answer it.
pub struct Inbox<'a> {
    pub store: &'a InboxStore,
    pub matching: &'a MatchingState,
    pub hints: &'a Hints,
    pub channel: &'a str,
    pub address: &'a str,
}

impl Inbox<'_> {
    /// Carries out the command that came from the address, and returns the lines of the answer.
    pub async fn submit(&self, text: &str) -> Vec<String> {
        let Some(command) = Command::read(text) else { return Vec::new() };
        match self.answer(command).await {
            Ok(lines) => lines,
            Err(error) => {
                tracing::error!(channel = self.channel, error = %chain(&error), "a user's command failed; the user is asked to try again");
                vec![replies::FAILED.into()]
            }
        }
    }

    async fn answer(&self, command: Command) -> Result<Vec<String>, StoreError> {
        let catalogue = || self.matching.snapshot().static_data.catalogue.clone();
        let owned = match command {
            Command::Start | Command::Stop | Command::ListFilters | Command::ShowFilter(_) => self.owned().await?,
            Command::Help
            | Command::ListApplications
            | Command::ListRules(_)
            | Command::Confirm(_)
            | Command::Unknown => None,
        };
        Ok(match (command, owned) {
            (Command::Help, _) => replies::help(),
            (Command::ListApplications, _) => replies::applications(catalogue().rules()),
            (Command::ListRules(application), _) => replies::rules(catalogue().rules(), &application),
            (Command::Confirm(code), _) => self.confirm(code).await?,
            (Command::Unknown, _) if self.hints.give(self.channel, self.address, clock::now()) => {
                vec![replies::HINT.into()]
            }
            (Command::Unknown, _) => Vec::new(),
            (_, None) => vec![replies::UNKNOWN_ADDRESS.into()],
            (Command::ListFilters, Some(subscription)) => replies::filters(&subscription.filters),
            (Command::ShowFilter(name), Some(subscription)) => {
                replies::filter(&subscription.filters, &name, catalogue().rules())
            }
            (Command::Start, Some(subscription)) => self.switch(&subscription, true).await?,
            (Command::Stop, Some(subscription)) => self.switch(&subscription, false).await?,
        })
    }

    async fn owned(&self) -> Result<Option<Subscription>, StoreError> {
        let Some(user) = self.store.subscriptions.owner_of(self.channel, self.address).await? else { return Ok(None) };
        let subscriptions = self.store.subscriptions.subscriptions_of(&user).await?;
        Ok(subscriptions.into_iter().find(|subscription| subscription.channel == self.channel))
    }

    async fn confirm(&self, code: String) -> Result<Vec<String>, StoreError> {
        let (channel, address) = (self.channel.to_owned(), self.address.to_owned());
        let answered = Answered::Message { channel, address, code };
        if self.store.confirmations.answer(&answered, true, clock::now()).await?.is_none() {
            return Ok(vec![replies::NO_SUCH_CODE.into()]);
        }
        self.matching.catch_up().await?;
        Ok(vec![replies::CONFIRMED.into()])
    }

    async fn switch(&self, subscription: &Subscription, on: bool) -> Result<Vec<String>, StoreError> {
        let Subscription { user, channel, .. } = subscription;
        if self.store.subscriptions.edit_subscription(user, channel, &Edit::Enable(on), clock::now()).await? {
            self.matching.catch_up().await?;
        }
        Ok(vec![if on { "Notifications are on.".into() } else { "Notifications are off.".into() }])
    }
}
