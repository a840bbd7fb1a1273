//! A version of the contract: its number, the imports that it permits, and the lifetime that exports declare.

use tidings_domain::manifest::Lifetime;

use super::contract::{PLUGIN, RESIDENT, interface};
use super::v1;

/// A version of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContractVersion {
    V1,
}

impl ContractVersion {
    /// The versions that are served, the newest last.
    pub(crate) const ALL: &[ContractVersion] = &[ContractVersion::V1];

    /// The number in the names of its interfaces.
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
        interface(name, self.number())
    }

    /// The lifetime of a component with these exports, or none if it is not a plugin of this version.
    pub(crate) fn lifetime(self, exports: &[String]) -> Option<Lifetime> {
        let resident = exports.contains(&self.interface(RESIDENT));
        let lifetime = if resident { Lifetime::Resident } else { Lifetime::PerCall };
        exports.contains(&self.interface(PLUGIN)).then_some(lifetime)
    }
}
