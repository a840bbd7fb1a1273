//! Version 1 of the contract, `tidings:channel@1.0.0`: how its exports are called.

mod bindings;
mod convert;
mod imports;
mod records;
mod resident;

pub(super) use resident::ResidentV1;

use tidings_domain::manifest::Manifest;
use tidings_domain::outcome::Outcome;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, HasSelf, Instance, InstancePre, Linker};

use super::ContractVersion;
use crate::abi;
use crate::instance_state::InstanceState;
use crate::plugin::Batch;
use bindings::tidings::channel::types;

pub(super) const VERSION: &str = "1.0.0";
/// The interfaces that a plugin may import.
pub(super) const IMPORTS: &[&str] =
    &["types", "progress", "log", "clock", "random", "config", "net", "http", "state", "inbox", "event-stream"];

/// A component of this version, ready to be instantiated.
pub(crate) struct LinkedV1 {
    pre: bindings::ChannelPre<InstanceState>,
    deliver: ComponentExportIndex,
}

impl LinkedV1 {
    pub(super) fn new(pre: InstancePre<InstanceState>) -> wasmtime::Result<LinkedV1> {
        let component = pre.component();
        let interface = component.get_export_index(None, ContractVersion::V1.interface(abi::PLUGIN));
        let deliver = component.get_export_index(interface.as_ref(), "deliver");
        let deliver = deliver.ok_or_else(|| wasmtime::Error::msg("it does not export `deliver`"))?;
        Ok(LinkedV1 { pre: bindings::ChannelPre::new(pre)?, deliver })
    }

    pub(super) async fn describe(&self, store: &mut Store<InstanceState>) -> wasmtime::Result<Manifest> {
        let channel = self.channel(store).await?;
        let manifest = channel.tidings_channel_plugin().call_describe(store).await?;
        Ok(convert::manifest(manifest))
    }

    pub(super) async fn check_address(
        &self,
        store: &mut Store<InstanceState>,
        address: &str,
    ) -> wasmtime::Result<Result<String, String>> {
        let channel = self.channel(store).await?;
        let answer = channel.tidings_channel_plugin().call_check_address(store, address).await?;
        Ok(answer.map_err(|problem| problem.message))
    }

    /// The plugin's own answer, of whatever length.
    pub(super) async fn deliver(
        &self,
        store: &mut Store<InstanceState>,
        batch: &Batch,
    ) -> wasmtime::Result<Vec<Outcome>> {
        let instance = self.instantiate(store).await?;
        deliver_to(&instance, &self.deliver, store, batch).await
    }

    async fn channel(&self, store: &mut Store<InstanceState>) -> wasmtime::Result<bindings::Channel> {
        let instance = self.instantiate(store).await?;
        bindings::Channel::new(store, &instance)
    }

    async fn instantiate(&self, store: &mut Store<InstanceState>) -> wasmtime::Result<Instance> {
        let instance = self.pre.instance_pre().instantiate_async(&mut *store).await?;
        store.data_mut().entered();
        Ok(instance)
    }
}

async fn deliver_to(
    instance: &Instance,
    deliver: &ComponentExportIndex,
    store: &mut Store<InstanceState>,
    batch: &Batch,
) -> wasmtime::Result<Vec<Outcome>> {
    // It is bound for each call: the records' lifetime is in its type. That compares names, once for a whole batch.
    let deliver =
        instance.get_typed_func::<(&[records::DeliveryRecord<'_>],), (Vec<types::Outcome>,)>(&mut *store, deliver)?;
    let records: Vec<records::DeliveryRecord<'_>> = batch.iter().map(records::DeliveryRecord::of).collect();
    let (outcomes,) = deliver.call_async(store, (&records,)).await?;
    Ok(outcomes.into_iter().map(convert::outcome).collect())
}

/// Everything that a component of this version may import.
pub(super) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    bindings::Channel::add_to_linker::<_, HasSelf<InstanceState>>(linker, |room| room)?;
    bindings::streaming::Streaming::add_to_linker::<_, HasSelf<InstanceState>>(linker, |room| room)
}
