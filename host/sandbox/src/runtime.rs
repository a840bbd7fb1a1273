//! What all plugins of a sandbox share at run time: the engine, the linker, the network, and the permits for instances.
//! It opens calls.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::manifest::Manifest;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::abi::LinkedPlugin;
use crate::call::Call;
use crate::delivery_request::Batch;
use crate::detached_host::describe_context;
use crate::guest_executor::GuestExecutor;
use crate::instance::{ChannelContext, InstanceState};
use crate::limits;
use crate::network::{Egress, Resolver, Tls};
use crate::violation::Crash;

pub(crate) struct Runtime {
    pub engine: Engine,
    pub linker: Linker<InstanceState>,
    pub tls: Arc<Tls>,
    pub resolver: Arc<dyn Resolver>,
    pub instance_permits: Arc<Semaphore>,
}

impl Runtime {
    /// A fresh store for a call with this batch, or none if no instance became free within [`limits::INSTANCE_WAIT`].
    pub(crate) async fn open_call(
        &self,
        linked: &Arc<LinkedPlugin>,
        context: ChannelContext,
        batch: Batch,
        time: Duration,
    ) -> Option<Call> {
        let permit = Arc::clone(&self.instance_permits).acquire_owned();
        let permit = tokio::time::timeout(limits::INSTANCE_WAIT, permit).await.ok()?.ok()?;
        let egress = Egress::new(Arc::clone(&self.tls), &context.limits);
        let egress = egress.with_resolver(Arc::clone(&self.resolver), context.lookups.clone());
        let state = InstanceState::new(context, egress, batch, time);
        let call = Call::new(&self.engine, Arc::clone(linked), state, time, permit);
        call.inspect_err(|error| tracing::error!(%error, "cannot create a store; the plugin is not called")).ok()
    }

    /// Asks a plugin for its manifest, without configuration, grants or network; none if no instance became free.
    pub(crate) async fn describe(&self, linked: &Arc<LinkedPlugin>) -> Option<Result<Manifest, Crash>> {
        let time = limits::QUESTION_DEADLINE;
        let mut call = self.open_call(linked, describe_context(), Batch::default(), time).await?;
        Some(GuestExecutor::default().run(async move { call.describe().await }).await)
    }
}
