//! How others reach a channel's actor.

use tidings_store::StoreError;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::command::{ActorCommand, ActorReply};
use crate::channels::status::ChannelStatus;
use crate::channels::{ChannelError, NotReady};

/// A channel's actor.
#[derive(Clone)]
pub(in crate::channels) struct ActorHandle {
    name: String,
    commands: mpsc::Sender<ActorCommand>,
    status: watch::Receiver<ChannelStatus>,
    stop: CancellationToken,
}

impl ActorHandle {
    pub(super) fn new(
        name: &str,
        commands: mpsc::Sender<ActorCommand>,
        status: watch::Receiver<ChannelStatus>,
        stop: CancellationToken,
    ) -> ActorHandle {
        ActorHandle { name: name.to_owned(), commands, status, stop }
    }

    /// Sends a command and waits for its result. The command is carried out also where the caller does not wait any more.
    ///
    /// # Errors
    /// [`ChannelError::Busy`] where as many commands wait as may wait; nothing was changed.
    pub(in crate::channels) async fn ask<T>(
        &self,
        command: impl FnOnce(ActorReply<T>) -> ActorCommand,
    ) -> Result<T, ChannelError> {
        let (reply, result) = ActorReply::channel();
        match self.commands.try_send(command(reply)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(ChannelError::Busy { channel: self.name.clone() }),
            Err(TrySendError::Closed(_)) => return Err(self.ended()),
        }
        match result.await {
            Ok(result) => result,
            // The actor dropped the command: it ended before, or the command panicked.
            Err(_) if self.has_ended() || self.stop.is_cancelled() => Err(self.ended()),
            Err(_) => Err(ChannelError::Panicked { channel: self.name.clone() }),
        }
    }

    /// What runs for the channel.
    pub(in crate::channels) fn status(&self) -> ChannelStatus {
        self.status.borrow().clone()
    }

    /// Whether the actor ended: the channel was removed, or the daemon stops.
    pub(in crate::channels) fn has_ended(&self) -> bool {
        self.commands.is_closed()
    }

    /// Whether both reach the same actor.
    pub(in crate::channels) fn is_same(&self, other: &ActorHandle) -> bool {
        self.commands.same_channel(&other.commands)
    }

    fn ended(&self) -> ChannelError {
        if self.stop.is_cancelled() {
            return NotReady::Stopping.into();
        }
        StoreError::Missing { what: "channel", name: self.name.clone() }.into()
    }
}
