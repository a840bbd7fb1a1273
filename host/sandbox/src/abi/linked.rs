//! A component that is linked against its version of the contract, and calls of its exports in a store.

use std::time::Duration;

use tidings_domain::manifest::Manifest;
use tidings_domain::outcome::Outcome;
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre, Linker};
use wasmtime::{Engine, Store};

use super::contract::{PLUGIN, RESIDENT, WakeReason};
use super::{ContractVersion, v1};
use crate::delivery_request::Batch;
use crate::instance::InstanceState;

/// Everything that a component may import, of all versions and of WASI.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<InstanceState>> {
    let mut linker = Linker::new(engine);
    v1::add_to_linker(&mut linker)?;
    crate::wasi::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// A component that is ready to be instantiated. Its exports are looked up once.
pub(crate) struct LinkedPlugin {
    version: ContractVersion,
    pre: InstancePre<InstanceState>,
    deliver: ComponentExportIndex,
    /// Only a resident plugin exports it.
    wake: Option<ComponentExportIndex>,
}

impl LinkedPlugin {
    /// Checks the component's imports and exports against the version.
    ///
    /// # Errors
    /// An import has another type, or an export is missing.
    pub(crate) fn new(
        version: ContractVersion,
        linker: &Linker<InstanceState>,
        component: &Component,
    ) -> wasmtime::Result<LinkedPlugin> {
        let pre = linker.instantiate_pre(component)?;
        let export = |interface: &str, function: &str| {
            let interface = component.get_export_index(None, version.interface(interface));
            component.get_export_index(Some(&interface?), function)
        };
        let deliver = export(PLUGIN, "deliver").ok_or_else(|| missing("deliver"))?;
        match version {
            ContractVersion::V1 => v1::check_exports(pre.clone())?,
        }
        Ok(LinkedPlugin { version, pre, deliver, wake: export(RESIDENT, "wake") })
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<InstanceState>) -> wasmtime::Result<Instance> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        store.data_mut().set_instantiated();
        Ok(instance)
    }

    pub(crate) async fn describe(
        &self,
        store: &mut Store<InstanceState>,
        instance: &Instance,
    ) -> wasmtime::Result<Manifest> {
        match self.version {
            ContractVersion::V1 => v1::describe(store, instance).await,
        }
    }

    /// Returns the address in its normal form, or the plugin's reason why it is invalid.
    pub(crate) async fn check_address(
        &self,
        store: &mut Store<InstanceState>,
        instance: &Instance,
        address: &str,
    ) -> wasmtime::Result<Result<String, String>> {
        match self.version {
            ContractVersion::V1 => v1::check_address(store, instance, address).await,
        }
    }

    /// Returns the plugin's outcomes as they are: their number is not checked.
    pub(crate) async fn deliver(
        &self,
        store: &mut Store<InstanceState>,
        instance: &Instance,
        batch: &Batch,
    ) -> wasmtime::Result<Vec<Outcome>> {
        match self.version {
            ContractVersion::V1 => v1::deliver(store, instance, &self.deliver, batch).await,
        }
    }

    /// Returns the time after which the plugin asks to be woken at the latest.
    pub(crate) async fn wake(
        &self,
        store: &mut Store<InstanceState>,
        instance: &Instance,
        reason: WakeReason,
    ) -> wasmtime::Result<Option<Duration>> {
        let wake = self.wake.as_ref().ok_or_else(|| missing("wake"))?;
        match self.version {
            ContractVersion::V1 => v1::wake(store, instance, wake, reason).await,
        }
    }
}

fn missing(function: &str) -> wasmtime::Error {
    wasmtime::Error::msg(format!("it does not export `{function}`"))
}
