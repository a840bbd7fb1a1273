//! Calls of a channel's plugin outside of dispatch: the check of an address, and one test message.

use std::sync::Arc;

use tidings_domain::delivery::{Content, Delivery, DeliveryId, StoredEvent};
use tidings_domain::message::MessageId;
use tidings_domain::outcome::Outcome;
use tidings_domain::subscription::Style;
use tidings_domain::text::one_line;

use super::actor::ActorCommand;
use super::{ChannelError, Channels, NotReady, config_compat};
use crate::clock;

impl Channels {
    /// Sends one message outside the outbox, also through a disabled channel.
    pub async fn test_send(&self, name: &str, address: &str) -> Result<Outcome, ChannelError> {
        let address = self.check_address(name, address).await?;
        self.send_now(name, test_delivery(name, &address)).await
    }

    /// Sends a delivery that is not in the outbox, through the resident plugin where one runs. It waits for a change of the
    /// channel that is under way: else a second instance could run beside one that stops.
    pub(super) async fn send_now(&self, name: &str, delivery: Delivery) -> Result<Outcome, ChannelError> {
        let running = self.ask(name, |reply| ActorCommand::Runner { reply }).await?;
        let runner = match running {
            Some(runner) => runner,
            None => {
                let channel = self.environment().store.channel(name).await?;
                self.loader.version(&channel, &channel.component).await?.runner
            }
        };
        runner.send(delivery).await.ok_or_else(|| NotReady::NoOutcome.into())
    }

    /// An address that a user gives, in the channel's normal form.
    pub async fn check_address_of(&self, user: &str, name: &str, address: &str) -> Result<String, ChannelError> {
        let normal = self.check_address(name, address).await?;
        let channel = self.environment().store.channel(name).await?;
        if self.loader.manifest(&channel.component).await?.address_is_account && normal != user {
            let reason = format!("an address on this channel is the name of the account, `{}`", one_line(user, 100));
            return Err(ChannelError::Address(reason));
        }
        Ok(normal)
    }

    /// The address in the channel's normal form. It asks the plugin in an instance of its own and waits for no change of the
    /// channel.
    pub async fn check_address(&self, name: &str, address: &str) -> Result<String, ChannelError> {
        let channel = self.environment().store.channel(name).await?;
        let admitted = self.loader.admitted(&channel.component).await?;
        let config = config_compat::known(admitted.manifest(), &channel.config);
        match self.loader.plugin(&channel, &admitted, config).check_address(address).await {
            Ok(checked) => checked.map_err(ChannelError::Address),
            Err((kind, detail)) => Err(NotReady::Crashed { kind, detail }.into()),
        }
    }
}

/// The delivery of a test.
fn test_delivery(channel: &str, address: &str) -> Delivery {
    let now = clock::now();
    let id = MessageId::made(&format!("test-{channel}-{}", now.as_millis()));
    let subtitle = format!("This is a test of the channel {channel}");
    let event = StoredEvent {
        topic: "tidings.test".into(),
        timestamp: now,
        application: Some("tidings".into()),
        title: "tidings.test".into(),
        long_form: format!("{subtitle}. If you read it, the channel works."),
        subtitle,
        body: "{}".into(),
        id: id.clone(),
        link: None,
        icon: None,
        secondary_icon: None,
        agent: None,
        usernames: Vec::new(),
        packages: Vec::new(),
        objects: Vec::new(),
        thread: None,
    };
    Delivery {
        id: DeliveryId::derive(&id, channel, address),
        attempt: 1,
        accepted_at: now,
        user: "test".into(),
        address: address.to_owned(),
        filter: None,
        style: Style::default(),
        content: Content::Single(Arc::new(event)),
    }
}
