//! What a channel's actor is asked to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidings_domain::grant::{Credential, Grant};
use tidings_domain::limits::PluginLimits;
use tidings_domain::plugin_life::FailurePolicy;
use tidings_sandbox::Admitted;
use tidings_store::Channel;
use tokio::sync::oneshot;

use super::rollout::Upgrade;
use crate::channels::ChannelError;
use crate::dispatch::PluginRunner;
use crate::precondition::Precondition;

/// A command, and where its result goes.
pub(in crate::channels) enum ActorCommand {
    /// Replies with the channel as it is afterwards.
    Change { change: ChannelChange, condition: Precondition, reply: ActorReply<Channel> },
    /// Replies with what calls the resident plugin that runs, if one runs.
    Runner { reply: ActorReply<Option<Arc<PluginRunner>>> },
    /// Deletes the channel and ends the actor.
    Remove { condition: Precondition, reply: ActorReply<()> },
}

/// A change of a channel.
pub(in crate::channels) enum ChannelChange {
    /// Starts the channel as the store has it.
    Start,
    /// To another version of its plugin, at once.
    Switch {
        component: String,
    },
    Configure(BTreeMap<String, Option<String>>),
    Grant {
        reach: Option<Vec<Grant>>,
        credentials: Option<Vec<Credential>>,
    },
    GrantAsAsked {
        private: bool,
        plain_http: bool,
    },
    Limit(PluginLimits),
    Enable,
    Disable,
    SetPolicy(FailurePolicy),
    /// From quarantine.
    Release,
    Upgrade {
        upgrade: Upgrade,
        admitted: Admitted,
    },
    RollBack,
    /// Runs a future in the actor in the place of a change.
    #[cfg(test)]
    Run(futures::future::BoxFuture<'static, ()>),
}

/// Where the result of a command goes. Where its receiver is gone, the result is dropped.
pub(in crate::channels) struct ActorReply<T>(oneshot::Sender<Result<T, ChannelError>>);

impl<T> ActorReply<T> {
    pub(super) fn channel() -> (ActorReply<T>, oneshot::Receiver<Result<T, ChannelError>>) {
        let (sender, receiver) = oneshot::channel();
        (ActorReply(sender), receiver)
    }

    pub(super) fn send(self, result: Result<T, ChannelError>) {
        drop(self.0.send(result));
    }
}
