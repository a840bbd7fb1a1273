//! The versions of the contract that are served: a module each, which holds the generated bindings and the conversion
//! between them and the domain's types, and nothing that decides. This file is all that the rest of the sandbox knows of
//! them: another version is a module beside `v1` and a variant in each of the enums here.

mod v1;

use std::time::Duration;

use tidings_domain::manifest::{Lifetime, Manifest};
use tidings_domain::outcome::Outcome;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use crate::instance_state::InstanceState;
use crate::plugin::Batch;

/// The package that components of every version name in their imports and exports.
pub(crate) const PACKAGE: &str = "tidings:channel";
/// The interface that a plugin exports, and the one that a resident plugin exports beside it.
pub(crate) const PLUGIN: &str = "plugin";
const RESIDENT: &str = "resident";
/// The interface that a plugin imports to write event streams.
pub(crate) const EVENT_STREAM: &str = "event-stream";

/// A version of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContractVersion {
    V1,
}

impl ContractVersion {
    /// Those that are served, the newest last.
    pub(crate) const ALL: &[ContractVersion] = &[ContractVersion::V1];

    /// As in the names of its interfaces.
    pub(crate) const fn number(self) -> &'static str {
        match self {
            ContractVersion::V1 => v1::VERSION,
        }
    }

    /// The interfaces that a plugin may import.
    pub(crate) const fn imports(self) -> &'static [&'static str] {
        match self {
            ContractVersion::V1 => v1::IMPORTS,
        }
    }

    /// The full name of one of its interfaces.
    pub(crate) fn interface(self, name: &str) -> String {
        format!("{PACKAGE}/{name}@{}", self.number())
    }

    /// How long a component with these exports lives; none where it is no plugin of this version.
    pub(crate) fn lifetime(self, exports: &[String]) -> Option<Lifetime> {
        let resident = exports.contains(&self.interface(RESIDENT));
        let lifetime = if resident { Lifetime::Resident } else { Lifetime::PerCall };
        exports.contains(&self.interface(PLUGIN)).then_some(lifetime)
    }

    /// Checks the component's imports and exports against this version, types included.
    pub(crate) fn link(
        self,
        linker: &Linker<InstanceState>,
        component: &Component,
    ) -> wasmtime::Result<LinkedComponent> {
        let pre = linker.instantiate_pre(component)?;
        match self {
            ContractVersion::V1 => Ok(LinkedComponent::V1(v1::LinkedV1::new(pre)?)),
        }
    }
}

/// Everything that a component may import from any version.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<InstanceState>> {
    let mut linker = Linker::new(engine);
    v1::add_to_linker(&mut linker)?;
    crate::wasi::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// A component that is ready to be instantiated.
pub(crate) enum LinkedComponent {
    V1(v1::LinkedV1),
}

impl LinkedComponent {
    pub(crate) async fn describe(&self, store: &mut Store<InstanceState>) -> wasmtime::Result<Manifest> {
        match self {
            LinkedComponent::V1(linked) => linked.describe(store).await,
        }
    }

    pub(crate) async fn check_address(
        &self,
        store: &mut Store<InstanceState>,
        address: &str,
    ) -> wasmtime::Result<Result<String, String>> {
        match self {
            LinkedComponent::V1(linked) => linked.check_address(store, address).await,
        }
    }

    /// The plugin's own answer, of whatever length.
    pub(crate) async fn deliver(
        &self,
        store: &mut Store<InstanceState>,
        batch: &Batch,
    ) -> wasmtime::Result<Vec<Outcome>> {
        match self {
            LinkedComponent::V1(linked) => linked.deliver(store, batch).await,
        }
    }

    pub(crate) async fn reside(&self, store: &mut Store<InstanceState>) -> wasmtime::Result<ResidentInstance> {
        match self {
            LinkedComponent::V1(linked) => Ok(ResidentInstance::V1(v1::ResidentV1::new(linked, store).await?)),
        }
    }
}

/// Why a resident plugin is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WakeReason {
    Start,
    Readable,
    Timer,
    Stop,
}

/// A live instance that serves more than one call. It is good until a call of it fails or is dropped.
pub(crate) enum ResidentInstance {
    V1(v1::ResidentV1),
}

impl ResidentInstance {
    /// After how long it wants to be woken at the latest.
    pub(crate) async fn wake(
        &self,
        store: &mut Store<InstanceState>,
        reason: WakeReason,
    ) -> wasmtime::Result<Option<Duration>> {
        match self {
            ResidentInstance::V1(resident) => resident.wake(store, reason).await,
        }
    }

    /// The plugin's own answer, of whatever length.
    pub(crate) async fn deliver(
        &self,
        store: &mut Store<InstanceState>,
        batch: &Batch,
    ) -> wasmtime::Result<Vec<Outcome>> {
        match self {
            ResidentInstance::V1(resident) => resident.deliver(store, batch).await,
        }
    }
}
