//! Version 1 of the contract, `tidings:channel@1.0.0`: how its exports are called. `deliver` and `wake` are bound by
//! hand: the generated `deliver` would copy every text once more, and a second set of generated bindings for `wake`
//! would double the code for one function.

mod bindings;
mod convert;
mod imports;
mod records;
mod wake;

pub(super) use wake::wake;

use tidings_domain::manifest::Manifest;
use tidings_domain::outcome::Outcome;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, HasSelf, Instance, InstancePre, Linker};

use crate::delivery_request::Batch;
use crate::instance::InstanceState;
use bindings::tidings::channel::types;
use records::DeliveryRecord;

pub(super) const VERSION: &str = "1.0.0";
/// The interfaces that a plugin may import.
pub(super) const IMPORTS: &[&str] =
    &["types", "progress", "log", "clock", "random", "config", "net", "http", "state", "inbox", "event-stream"];

/// Everything that a component of this version may import.
pub(super) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    bindings::Channel::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    bindings::streaming::Streaming::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)
}

/// Fails if an export of the world `channel` is missing.
pub(super) fn check_exports(pre: InstancePre<InstanceState>) -> wasmtime::Result<()> {
    bindings::ChannelPre::new(pre).map(drop)
}

/// Also checks the types of all exports of the world `channel`, since admission calls it first.
pub(super) async fn describe(store: &mut Store<InstanceState>, instance: &Instance) -> wasmtime::Result<Manifest> {
    let channel = bindings::Channel::new(&mut *store, instance)?;
    let manifest = channel.tidings_channel_plugin().call_describe(store).await?;
    Ok(convert::manifest(manifest))
}

pub(super) async fn check_address(
    store: &mut Store<InstanceState>,
    instance: &Instance,
    address: &str,
) -> wasmtime::Result<Result<String, String>> {
    let channel = bindings::Channel::new(&mut *store, instance)?;
    let answer = channel.tidings_channel_plugin().call_check_address(store, address).await?;
    Ok(answer.map_err(|problem| problem.message))
}

pub(super) async fn deliver(
    store: &mut Store<InstanceState>,
    instance: &Instance,
    deliver: &ComponentExportIndex,
    batch: &Batch,
) -> wasmtime::Result<Vec<Outcome>> {
    // Bound for each call, since the records' lifetime is part of its type. That compares names, once for a whole
    // batch.
    let deliver = instance.get_typed_func::<(&[DeliveryRecord<'_>],), (Vec<types::Outcome>,)>(&mut *store, deliver)?;
    let records: Vec<DeliveryRecord<'_>> = batch.iter().map(DeliveryRecord::of).collect();
    let (outcomes,) = deliver.call_async(store, (&records,)).await?;
    Ok(outcomes.into_iter().map(convert::outcome).collect())
}
