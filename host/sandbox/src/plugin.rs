//! A plugin that was admitted, and the plugin of one channel: calls of it are here, each in a room of its own.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use tidings_domain::delivery::Delivery;
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::{Lifetime, Manifest};
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_domain::text::{is_one_line, one_line};
use tokio::sync::oneshot;

use crate::Sandbox;
use crate::abi::{EVENT_STREAM, LinkedComponent};
use crate::call::{Call, Completion};
use crate::guest_executor::GuestExecutor;
use crate::instance_state::ChannelContext;
use crate::report::{CallReport, CallStats, assemble};

/// A component that was checked, compiled and linked, and what it says of itself.
#[derive(Clone)]
pub struct Admitted {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub digest: String,
    pub imports: Vec<String>,
    pub manifest: Manifest,
    pub linked: Arc<LinkedComponent>,
}

impl Admitted {
    /// SHA-256 of the component file, in lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// Whether it can write event streams.
    pub fn writes_streams(&self) -> bool {
        self.inner.imports.iter().any(|import| import == EVENT_STREAM)
    }

    /// The interfaces of the contract that it imports, e.g. `net`: what it could use if it were granted.
    pub fn imports(&self) -> &[String] {
        &self.inner.imports
    }
}

/// What an administrator set for one channel. Not `Debug`: secrets are in it.
#[derive(Clone)]
pub struct ChannelSettings {
    pub channel: String,
    /// As [`Manifest::configure`] returns it: checked, defaults applied, secrets included.
    pub config: BTreeMap<String, String>,
    pub grants: Grants,
    pub limits: PluginLimits,
}

/// The links that go with a delivery: the daemon makes them, a plugin shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryLinks {
    /// Where the user edits the filter that caused the delivery.
    pub settings: Option<String>,
    /// Where one click (RFC 8058) ends the subscription.
    pub unsubscribe: Option<String>,
}

/// A delivery as it is handed to a plugin.
#[derive(Clone, Debug)]
pub struct DeliveryRequest {
    pub delivery: Arc<Delivery>,
    pub links: DeliveryLinks,
    /// For a digest: one line for each group of related events.
    pub summary: Vec<String>,
}

/// Parcels that go out in one call. Shared, since a call may outlive the one who waits for it.
pub type Batch = Arc<[DeliveryRequest]>;

/// One channel's plugin, ready to be called. Cheap to clone; calls may run at the same time, each in a fresh instance.
/// Deliveries of a resident plugin go to its [`Resident`](crate::Resident) instead.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) sandbox: Sandbox,
    pub(crate) admitted: Admitted,
    pub(crate) furniture: ChannelContext,
    pub(crate) lane: Arc<GuestExecutor>,
}

impl Plugin {
    pub fn manifest(&self) -> &Manifest {
        self.admitted.manifest()
    }

    pub fn lifetime(&self) -> Lifetime {
        self.admitted.manifest().lifetime
    }

    /// Hands over a batch. Whatever happens, there is one outcome for each parcel.
    pub async fn deliver(&self, batch: &Batch) -> CallReport {
        self.deliver_until(batch, std::future::pending()).await.unwrap_or_else(|_| busy(batch.len()))
    }

    /// The same, unless `cut_off` comes first: then the call is dropped with its connections, and what comes back is what
    /// the plugin had settled by then. Of the other deliveries nothing is known.
    pub async fn deliver_until(
        &self,
        batch: &Batch,
        cut_off: impl Future<Output = ()>,
    ) -> Result<CallReport, Vec<Option<Outcome>>> {
        tokio::pin!(cut_off);
        let call = tokio::select! {
            call = self.open(batch) => call,
            () = &mut cut_off => return Err(vec![None; batch.len()]),
        };
        let Some(call) = call else { return Ok(busy(batch.len())) };
        let (cut, was_cut) = oneshot::channel();
        let answer = self.lane.run(self.answer(call, batch, was_cut));
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => return answer,
            () = &mut cut_off => drop(cut),
        }
        answer.await
    }

    /// What the plugin says of itself when it is asked again, without configuration, grants or network.
    pub async fn describe(&self) -> Result<Manifest, (CrashKind, String)> {
        self.sandbox
            .describe(&self.admitted.inner.linked)
            .await
            .unwrap_or_else(|| Err((CrashKind::Instantiate, BUSY.to_owned())))
    }

    /// The address in the channel's normal form, or why it is none. The outer error is the plugin's crash.
    pub async fn check_address(&self, address: &str) -> Result<Result<String, String>, (CrashKind, String)> {
        let time = limits::QUESTION_DEADLINE;
        if address.chars().count() > tidings_domain::limits::ADDRESS_CHARS {
            return Ok(Err(format!("longer than {} characters", tidings_domain::limits::ADDRESS_CHARS)));
        }
        let furniture = ChannelContext { grants: Arc::default(), tokens: Arc::default(), ..self.furniture.clone() };
        let busy = || (CrashKind::Instantiate, BUSY.to_owned());
        let mut call = self.sandbox.call(furniture, Batch::default(), time).await.ok_or_else(busy)?;
        let (linked, address) = (Arc::clone(&self.admitted.inner.linked), address.to_owned());
        let question = async move {
            let answer = Call::within(time, linked.check_address(call.store(), &address)).await;
            call.leave(answer).0
        };
        match self.lane.run(question).await? {
            Ok(normal) if normal.is_empty() || normal.chars().count() > tidings_domain::limits::ADDRESS_CHARS => {
                Err((CrashKind::Nonsense, "the normal form of an address is empty or too long".to_owned()))
            }
            Ok(normal) if !is_one_line(&normal) => {
                Err((CrashKind::Nonsense, "the normal form of an address has control characters".to_owned()))
            }
            Ok(normal) => Ok(Ok(normal)),
            Err(problem) => {
                Ok(Err(one_line(&self.furniture.redaction.apply(problem), tidings_domain::limits::REASON_CHARS)))
            }
        }
    }

    /// A store for one instance.
    pub(crate) async fn room(&self, time: Duration) -> Option<Call> {
        self.sandbox.call(self.furniture.clone(), Batch::default(), time).await
    }

    async fn open(&self, batch: &Batch) -> Option<Call> {
        self.sandbox.call(self.furniture.clone(), Arc::clone(batch), self.deadline()).await
    }

    /// The work of a call, until the other side of `cut_off` is dropped.
    fn answer(
        &self,
        mut call: Call,
        batch: &Batch,
        cut_off: oneshot::Receiver<()>,
    ) -> impl Future<Output = Result<CallReport, Vec<Option<Outcome>>>> + Send + use<> {
        let (linked, time) = (Arc::clone(&self.admitted.inner.linked), self.deadline());
        let furniture = self.furniture.clone();
        let batch = Arc::clone(batch);
        async move {
            let ended = tokio::select! {
                ended = Call::within(time, linked.deliver(call.store(), &batch)) => Some(ended),
                _ = cut_off => None,
            };
            match ended {
                Some(ended) => Ok(report(&furniture, call, ended)),
                None => Err(call.abandon()),
            }
        }
    }

    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.furniture.limits.deadline_ms)
    }
}

fn report(furniture: &ChannelContext, call: Call, ended: Completion<Vec<Outcome>>) -> CallReport {
    let (answer, stats, settled) = call.leave(ended);
    let (outcomes, crash) = assemble(answer, settled, |outcome| furniture.redacted(outcome));
    CallReport { outcomes, crash, stats }
}

const BUSY: &str = "all instances of the sandbox are busy";

/// No instance became free in time: nobody's fault, so nothing is lost by it.
fn busy(batch: usize) -> CallReport {
    later(batch, limits::INSTANCE_WAIT, BUSY.to_owned())
}

/// A batch that the plugin was not asked to deliver now.
pub(crate) fn later(batch: usize, after: Duration, reason: String) -> CallReport {
    let wait = Outcome::ChannelTrouble { after: Some(after), reason };
    CallReport { outcomes: vec![wait; batch], crash: None, stats: CallStats::default() }
}
