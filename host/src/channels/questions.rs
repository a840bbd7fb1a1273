//! What a channel's plugin is asked outside of dispatch: whether an address is one, and to send one test message.

use std::sync::Arc;

use tidings_domain::delivery::{Content, Delivery, DeliveryId, StoredEvent};
use tidings_domain::message::MessageId;
use tidings_domain::outcome::Outcome;
use tidings_domain::subscription::Style;
use tidings_domain::text::one_line;

use super::{ChannelError, Channels};
use crate::clock;

impl Channels {
    /// Sends one message outside the outbox, also through a disabled channel.
    pub async fn test_send(&self, name: &str, address: &str) -> Result<Outcome, ChannelError> {
        let address = self.check_address(name, address).await?;
        self.send_now(name, test_delivery(name, &address)).await
    }

    /// Sends a delivery that is not in the outbox.
    pub(super) async fn send_now(&self, name: &str, delivery: Delivery) -> Result<Outcome, ChannelError> {
        let channel = self.environment.store.channel(name).await?;
        let sender = match self.running_resident(name).await {
            Some(running) => running,
            None => self.version(&channel, &channel.component).await?.sender,
        };
        sender.send(delivery).await.ok_or_else(|| ChannelError::NotReady("the plugin gave no answer".into()))
    }

    /// An address that a user gives, in the channel's normal form.
    pub async fn check_address_of(&self, user: &str, name: &str, address: &str) -> Result<String, ChannelError> {
        let normal = self.check_address(name, address).await?;
        let channel = self.environment.store.channel(name).await?;
        if self.manifest(&channel.component).await?.address_is_account && normal != user {
            let reason = format!("an address on this channel is the name of the account, `{}`", one_line(user, 100));
            return Err(ChannelError::Address(reason));
        }
        Ok(normal)
    }

    /// The address in the channel's normal form.
    pub async fn check_address(&self, name: &str, address: &str) -> Result<String, ChannelError> {
        let channel = self.environment.store.channel(name).await?;
        let admitted = self.admitted(&channel.component).await?;
        let plugin =
            self.plugin(&channel, &admitted, super::config_compat::known(admitted.manifest(), &channel.config));
        match plugin.check_address(address).await {
            Ok(checked) => checked.map_err(ChannelError::Address),
            Err((kind, detail)) => {
                Err(ChannelError::NotReady(format!("the plugin crashed ({}): {detail}", kind.as_str())))
            }
        }
    }
}

/// What a test sends.
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
