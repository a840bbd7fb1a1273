//! Version 1 of the contract, `tidings:channel@1.0.0`: how its exports are called.

mod bindings;
mod convert;
mod imports;
mod resident;

pub(super) use resident::Resident;

use tidings_domain::manifest::Manifest;
use tidings_domain::outcome::Outcome;
use wasmtime::Store;
use wasmtime::component::{HasSelf, Linker};

use crate::plugin::Parcel;
use crate::room::{Destination, Room};

pub(super) const VERSION: &str = "1.0.0";
/// The interfaces that a plugin may import.
pub(super) const IMPORTS: &[&str] =
    &["types", "progress", "log", "clock", "random", "config", "net", "http", "state", "inbox", "event-stream"];

/// A component of this version, ready to be instantiated.
pub(super) type Pre = bindings::ChannelPre<Room>;

/// Everything that a component of this version may import.
pub(super) fn add_to_linker(linker: &mut Linker<Room>) -> wasmtime::Result<()> {
    bindings::Channel::add_to_linker::<_, HasSelf<Room>>(linker, |room| room)?;
    bindings::streaming::Streaming::add_to_linker::<_, HasSelf<Room>>(linker, |room| room)
}

pub(super) async fn describe(pre: &Pre, store: &mut Store<Room>) -> wasmtime::Result<Manifest> {
    let channel = instantiate(pre, store).await?;
    let manifest = channel.tidings_channel_plugin().call_describe(store).await?;
    Ok(convert::manifest(manifest))
}

pub(super) async fn check_address(
    pre: &Pre,
    store: &mut Store<Room>,
    address: &str,
) -> wasmtime::Result<Result<String, String>> {
    let channel = instantiate(pre, store).await?;
    let answer = channel.tidings_channel_plugin().call_check_address(store, address).await?;
    Ok(answer.map_err(|problem| problem.message))
}

/// A batch in this version's own words.
pub(crate) struct Batch(Vec<bindings::tidings::channel::types::Delivery>);

impl Batch {
    pub(crate) fn new(parcels: &[Parcel<'_>]) -> Batch {
        Batch(parcels.iter().map(convert::delivery).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The plugin's own answer, of whatever length.
pub(super) async fn deliver(pre: &Pre, store: &mut Store<Room>, batch: &Batch) -> wasmtime::Result<Vec<Outcome>> {
    let channel = instantiate(pre, store).await?;
    deliver_to(&channel, store, batch).await
}

async fn deliver_to(
    channel: &bindings::Channel,
    store: &mut Store<Room>,
    batch: &Batch,
) -> wasmtime::Result<Vec<Outcome>> {
    let destination = |delivery: &bindings::tidings::channel::types::Delivery| Destination {
        address: delivery.recipient.address.clone(),
        delivery: delivery.id.clone(),
    };
    store.data_mut().destinations = batch.0.iter().map(destination).collect();
    let outcomes = channel.tidings_channel_plugin().call_deliver(store, &batch.0).await?;
    Ok(outcomes.into_iter().map(convert::outcome).collect())
}

async fn instantiate(pre: &Pre, store: &mut Store<Room>) -> wasmtime::Result<bindings::Channel> {
    let channel = pre.instantiate_async(&mut *store).await?;
    store.data_mut().entered();
    Ok(channel)
}
