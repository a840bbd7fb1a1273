//! The export `wake` of a resident plugin of version 1, bound by hand.

use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentType, Instance, Lift, Lower};

use super::super::contract::WakeReason;
use crate::instance::InstanceState;

/// `reason` of the contract, with its cases in its order.
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

impl From<WakeReason> for Reason {
    fn from(reason: WakeReason) -> Self {
        match reason {
            WakeReason::Start => Reason::Start,
            WakeReason::Readable => Reason::Readable,
            WakeReason::Timer => Reason::Timer,
            WakeReason::Stop => Reason::Stop,
        }
    }
}

/// Returns the time after which the plugin asks to be woken at the latest.
pub(in crate::abi) async fn wake(
    store: &mut Store<InstanceState>,
    instance: &Instance,
    wake: &ComponentExportIndex,
    reason: WakeReason,
) -> wasmtime::Result<Option<Duration>> {
    let wake = instance.get_typed_func::<(Reason,), (Option<u64>,)>(&mut *store, wake)?;
    let (next,) = wake.call_async(store, (reason.into(),)).await?;
    Ok(next.map(Duration::from_millis))
}
