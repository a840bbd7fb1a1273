//! An instance of version 1 that lives for more than one call, and its export `wake`. It is bound by hand: a second set of
//! generated bindings would be twice the code for one function.

use std::time::Duration;

use tidings_domain::outcome::Outcome;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentType, Instance, Lift, Lower, TypedFunc};

use super::{LinkedV1, deliver_to};
use crate::abi::{self, ContractVersion};
use crate::instance_state::InstanceState;
use crate::plugin::Batch;

/// `reason` in the contract, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
enum Reason {
    #[component(name = "start")]
    Start,
    #[component(name = "readable")]
    Readable,
    #[component(name = "timer")]
    Timer,
    #[component(name = "stop")]
    Stop,
}

impl From<abi::WakeReason> for Reason {
    fn from(reason: abi::WakeReason) -> Self {
        match reason {
            abi::WakeReason::Start => Reason::Start,
            abi::WakeReason::Readable => Reason::Readable,
            abi::WakeReason::Timer => Reason::Timer,
            abi::WakeReason::Stop => Reason::Stop,
        }
    }
}

/// A live instance. It is good until a call of it fails or is dropped.
pub(crate) struct ResidentV1 {
    instance: Instance,
    deliver: ComponentExportIndex,
    wake: TypedFunc<(Reason,), (Option<u64>,)>,
}

impl ResidentV1 {
    pub(crate) async fn new(linked: &LinkedV1, store: &mut Store<InstanceState>) -> wasmtime::Result<ResidentV1> {
        let instance = linked.instantiate(store).await?;
        let missing = |what: &str| wasmtime::Error::msg(format!("it does not export `{what}`"));
        let interface = ContractVersion::V1.interface(abi::RESIDENT);
        let exports = instance.get_export_index(&mut *store, None, &interface).ok_or_else(|| missing(&interface))?;
        let wake = instance.get_export_index(&mut *store, Some(&exports), "wake").ok_or_else(|| missing("wake"))?;
        let wake = instance.get_typed_func(&mut *store, wake)?;
        Ok(ResidentV1 { instance, deliver: linked.deliver, wake })
    }

    /// After how long it wants to be woken at the latest.
    pub(crate) async fn wake(
        &self,
        store: &mut Store<InstanceState>,
        reason: abi::WakeReason,
    ) -> wasmtime::Result<Option<Duration>> {
        let (next,) = self.wake.call_async(store, (reason.into(),)).await?;
        Ok(next.map(Duration::from_millis))
    }

    /// The plugin's own answer, of whatever length.
    pub(crate) async fn deliver(
        &self,
        store: &mut Store<InstanceState>,
        batch: &Batch,
    ) -> wasmtime::Result<Vec<Outcome>> {
        deliver_to(&self.instance, &self.deliver, store, batch).await
    }
}
