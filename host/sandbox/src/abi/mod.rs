//! The versions of the contract that are served, one module each. A module holds the generated bindings, the conversion
//! between them and the domain's types, and nothing that decides.

pub(crate) mod v1;
