//! The owner of one channel. Nothing else starts, changes or stops the channel's worker. It takes one event at a time: a
//! command, a report of its worker, or its turn to look whether everything runs as it should. A panic in one event makes
//! the channel a failed one and leaves the actor and the other channels alone.

mod command;
mod handle;
mod report;
mod rollout;
mod run_state;
mod settings;

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tidings_domain::plugin_life::{ChannelEvent, EventKind};
use tidings_store::{Channel, ChannelStore, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::limits;
use super::state_tag::state_tag;
use super::status::ChannelStatus;
use super::version_loader::VersionLoader;
use crate::clock;
use crate::dispatch::{RolloutReport, RolloutReports};
use crate::precondition::Precondition;
use crate::telemetry::chain;
use run_state::RunState;

pub(super) use command::{ActorCommand, ActorReply, ChannelChange};
pub(super) use handle::ActorHandle;
pub use rollout::Upgrade;

/// The pause before a report is acted on again for which the store was not available.
const REPORT_PAUSE: Duration = Duration::from_millis(500);

/// The owner of one channel.
struct ChannelActor {
    name: String,
    loader: Arc<VersionLoader>,
    run: RunState,
    /// What readers see.
    status: watch::Sender<ChannelStatus>,
    /// Where the workers of this channel send their reports.
    reports: RolloutReports,
    /// A report that is still to be acted on, and when.
    pending: Option<PendingReport>,
    /// Ends the actor.
    stop: CancellationToken,
}

struct PendingReport {
    report: RolloutReport,
    due: Instant,
}

/// What the actor does next.
enum ActorEvent {
    Command(ActorCommand),
    Report(RolloutReport),
    Reconcile,
}

/// Starts the actor of a channel, with nothing running.
pub(super) fn spawn(name: &str, loader: Arc<VersionLoader>, stop: CancellationToken) -> (ActorHandle, JoinHandle<()>) {
    let (sender, commands) = mpsc::channel(limits::CHANNEL_COMMANDS);
    let (reports, received) = mpsc::channel(limits::CHANNEL_REPORTS);
    let (status, published) = watch::channel(ChannelStatus::Stopped);
    let handle = ActorHandle::new(name, sender, published, stop.clone());
    let name = name.to_owned();
    let actor = ChannelActor { name, loader, run: RunState::Stopped, status, reports, pending: None, stop };
    (handle, tokio::spawn(actor.run(commands, received)))
}

impl ChannelActor {
    async fn run(mut self, mut commands: mpsc::Receiver<ActorCommand>, mut reports: mpsc::Receiver<RolloutReport>) {
        let mut reconcile = tokio::time::interval(limits::RECONCILE_INTERVAL);
        reconcile.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.stop.is_cancelled() {
            let due = self.pending.as_ref().map(|pending| pending.due);
            let event = tokio::select! {
                () = self.stop.cancelled() => break,
                command = commands.recv() => match command {
                    Some(command) => ActorEvent::Command(command),
                    None => break,
                },
                Some(report) = reports.recv(), if due.is_none() => ActorEvent::Report(report),
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    match self.pending.take() {
                        Some(pending) => ActorEvent::Report(pending.report),
                        None => continue,
                    }
                }
                _ = reconcile.tick() => ActorEvent::Reconcile,
            };
            if self.isolated(event).await.is_break() {
                break;
            }
        }
        self.run.stop().await;
    }

    /// Handles an event. Where that panics, the channel is a failed one: it is started again after a pause.
    async fn isolated(&mut self, event: ActorEvent) -> ControlFlow<()> {
        match AssertUnwindSafe(self.handle(event)).catch_unwind().await {
            Ok(flow) => flow,
            Err(panic) => {
                let reason = format!("a change of the channel panicked: {}", panic_text(&*panic));
                // Whatever state the worker is in: dropping its handle ends it.
                self.run.fail(&self.name, reason);
                self.publish();
                ControlFlow::Continue(())
            }
        }
    }

    async fn handle(&mut self, event: ActorEvent) -> ControlFlow<()> {
        match event {
            ActorEvent::Command(ActorCommand::Change { change, condition, reply }) => {
                let result = match self.check(&condition).await {
                    Ok(()) => self.apply(change).await,
                    Err(error) => Err(error),
                };
                reply.send(result);
            }
            ActorEvent::Command(ActorCommand::Runner { reply }) => reply.send(Ok(self.run.resident_runner())),
            ActorEvent::Command(ActorCommand::Remove { condition, reply }) => {
                let removed = match self.check(&condition).await {
                    Ok(()) => self.remove().await,
                    Err(error) => Err(error),
                };
                let flow = if removed.is_ok() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
                reply.send(removed);
                return flow;
            }
            ActorEvent::Report(report) => self.handle_report(report).await,
            ActorEvent::Reconcile => {
                if let Err(error) = self.reconcile().await {
                    let error = chain(&error);
                    tracing::warn!(channel = self.name, error, "the channel could not be checked; it is tried again");
                }
            }
        }
        ControlFlow::Continue(())
    }

    async fn apply(&mut self, change: ChannelChange) -> Result<Channel, super::ChannelError> {
        match change {
            ChannelChange::Start => self.start().await,
            ChannelChange::Switch { component } => self.switch(&component).await,
            ChannelChange::Configure(values) => self.configure(values).await,
            ChannelChange::Grant { reach, credentials } => self.grant(reach, credentials).await,
            ChannelChange::GrantAsAsked { private, plain_http } => self.grant_as_asked(private, plain_http).await,
            ChannelChange::Limit(limits) => self.limit(limits).await,
            ChannelChange::Enable => self.enable().await,
            ChannelChange::Disable => self.disable().await,
            ChannelChange::SetPolicy(policy) => self.set_policy(policy).await,
            ChannelChange::Release => self.release().await,
            ChannelChange::Upgrade { upgrade, admitted } => self.upgrade(upgrade, &admitted).await,
            ChannelChange::RollBack => self.roll_back().await,
            #[cfg(test)]
            ChannelChange::Run(work) => {
                work.await;
                Ok(self.stored().await?)
            }
        }
    }

    /// Refuses a change whose author has seen another state. Nothing but this actor changes the channel, so the state stays
    /// until the change is applied.
    async fn check(&self, condition: &Precondition) -> Result<(), super::ChannelError> {
        if matches!(condition, Precondition::None) {
            return Ok(());
        }
        let tag = state_tag(&self.stored().await?, &self.loader.environment().links);
        if condition.admits(Some(&tag)) { Ok(()) } else { Err(super::ChannelError::Changed) }
    }

    fn store(&self) -> &dyn ChannelStore {
        &*self.loader.environment().store
    }

    /// The channel as the store has it.
    async fn stored(&self) -> Result<Channel, StoreError> {
        self.store().channel(&self.name).await
    }

    /// Stores a channel as it is to be, with an event about its active version.
    async fn store_change(&self, channel: &Channel, kind: EventKind, detail: &str) -> Result<(), StoreError> {
        let (component, detail) = (channel.component.clone(), detail.to_owned());
        self.store_event(channel, ChannelEvent { at: clock::now(), event: kind, component, detail }).await
    }

    /// The same with an event about another version.
    async fn store_event(&self, channel: &Channel, event: ChannelEvent) -> Result<(), StoreError> {
        self.loader.store_channel(channel, event).await
    }

    /// Lets readers see what runs.
    fn publish(&self) {
        self.status.send_replace(self.run.status());
    }
}

/// The message of a panic, as far as it is text.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
