//! The plugin of one channel: each call runs in a fresh instance. Deliveries of a resident plugin go to its
//! [`ResidentHandle`](crate::ResidentHandle) instead.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tidings_domain::grant::Grants;
use tidings_domain::limits::{ADDRESS_CHARS, PluginLimits, REASON_CHARS};
use tidings_domain::manifest::{Lifetime, Manifest};
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_domain::text::{is_one_line, one_line};
use tokio::sync::oneshot;

use crate::admitted::Admitted;
use crate::call::Call;
use crate::delivery_request::Batch;
use crate::guest_executor::GuestExecutor;
use crate::instance::ChannelContext;
use crate::limits;
use crate::report::CallReport;
use crate::runtime::Runtime;

const BUSY: &str = "all instances of the sandbox are busy";

/// What an administrator set for one channel. Not `Debug`, since it holds secrets.
#[derive(Clone)]
pub struct ChannelSettings {
    pub channel: String,
    /// As [`Manifest::configure`] returns it: checked, with defaults applied, secrets included.
    pub config: BTreeMap<String, String>,
    pub grants: Grants,
    pub limits: PluginLimits,
}

/// One channel's plugin, ready to be called. Cheap to clone; calls may run in parallel.
#[derive(Clone)]
pub struct Plugin {
    runtime: Arc<Runtime>,
    admitted: Admitted,
    pub(crate) context: ChannelContext,
    pub(crate) executor: Arc<GuestExecutor>,
}

impl Plugin {
    pub(crate) fn new(runtime: Arc<Runtime>, admitted: Admitted, context: ChannelContext) -> Plugin {
        Plugin { runtime, admitted, context, executor: Arc::default() }
    }

    pub fn manifest(&self) -> &Manifest {
        self.admitted.manifest()
    }

    pub fn lifetime(&self) -> Lifetime {
        self.admitted.manifest().lifetime
    }

    /// Delivers a batch. The report has one outcome for each delivery, whatever happens.
    pub async fn deliver(&self, batch: &Batch) -> CallReport {
        self.deliver_until(batch, std::future::pending()).await.unwrap_or_else(|_| busy(batch.len()))
    }

    /// Delivers a batch until `cut_off` completes: then the call is dropped with its connections.
    ///
    /// # Errors
    /// The call was cut off. The value has the outcomes that the plugin had settled by then; of the other deliveries
    /// nothing is known.
    pub async fn deliver_until(
        &self,
        batch: &Batch,
        cut_off: impl Future<Output = ()>,
    ) -> Result<CallReport, Vec<Option<Outcome>>> {
        tokio::pin!(cut_off);
        let call = tokio::select! {
            call = self.open_call(Arc::clone(batch), self.deadline()) => call,
            () = &mut cut_off => return Err(vec![None; batch.len()]),
        };
        let Some(call) = call else { return Ok(busy(batch.len())) };
        let (stop, stopped) = oneshot::channel();
        let report = self.executor.run(deliver_until_stopped(call, stopped));
        tokio::pin!(report);
        tokio::select! {
            report = &mut report => return report,
            () = &mut cut_off => drop(stop),
        }
        report.await
    }

    /// Asks the plugin for its manifest again, without configuration, grants or network.
    ///
    /// # Errors
    /// The plugin crashed, or no instance became free.
    pub async fn describe(&self) -> Result<Manifest, (CrashKind, String)> {
        let manifest = self.runtime.describe(self.admitted.linked()).await;
        manifest.unwrap_or_else(|| Err((CrashKind::Instantiate, BUSY.to_owned())))
    }

    /// Returns the address in the channel's normal form, or the reason why it is invalid.
    ///
    /// # Errors
    /// The plugin crashed, or no instance became free.
    pub async fn check_address(&self, address: &str) -> Result<Result<String, String>, (CrashKind, String)> {
        if address.chars().count() > ADDRESS_CHARS {
            return Ok(Err(format!("longer than {ADDRESS_CHARS} characters")));
        }
        let context = ChannelContext { grants: Arc::default(), tokens: Arc::default(), ..self.context.clone() };
        let call = self.runtime.open_call(self.admitted.linked(), context, Batch::default(), limits::QUESTION_DEADLINE);
        let mut call = call.await.ok_or_else(|| (CrashKind::Instantiate, BUSY.to_owned()))?;
        let address = address.to_owned();
        match self.executor.run(async move { call.check_address(&address).await }).await? {
            Ok(normal) if normal.is_empty() || normal.chars().count() > ADDRESS_CHARS => {
                Err((CrashKind::Nonsense, "the normal form of an address is empty or too long".to_owned()))
            }
            Ok(normal) if !is_one_line(&normal) => {
                Err((CrashKind::Nonsense, "the normal form of an address has control characters".to_owned()))
            }
            Ok(normal) => Ok(Ok(normal)),
            Err(problem) => Ok(Err(one_line(&self.context.redaction.apply(problem), REASON_CHARS))),
        }
    }

    /// A store for a call with this batch, or none if no instance became free.
    pub(crate) async fn open_call(&self, batch: Batch, time: Duration) -> Option<Call> {
        self.runtime.open_call(self.admitted.linked(), self.context.clone(), batch, time).await
    }

    /// How long one delivery call may take.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.context.limits.deadline_ms)
    }
}

/// Delivers the call's batch, until the sender of `stopped` is dropped.
async fn deliver_until_stopped(
    mut call: Call,
    stopped: oneshot::Receiver<()>,
) -> Result<CallReport, Vec<Option<Outcome>>> {
    let report = tokio::select! {
        report = call.deliver() => Some(report),
        _ = stopped => None,
    };
    report.ok_or_else(|| call.take_settled())
}

/// The report where no instance became free in time. It loses no delivery, since no delivery caused it.
fn busy(batch: usize) -> CallReport {
    CallReport::postponed(batch, limits::INSTANCE_WAIT, BUSY.to_owned())
}
