//! Bounds of fetching components. A bound that an operator may change is the default of a setting and names it; the others
//! are fixed.

use std::time::Duration;

/// How long one request for a component's file may take, the file included: 64 MiB at 5 Mbit/s.
pub const FETCH_TIME: Duration = Duration::from_secs(110);
/// How long all requests for one component may take, with redirects, a registry's manifest and token, and the signature.
pub const FETCH_ALL_TIME: Duration = Duration::from_secs(150);
/// Redirects on the way to a component. Registries lead to a store of blobs with one, release pages with two.
pub const FETCH_REDIRECTS: usize = 5;
/// A registry's manifest, in bytes; the specification asks registries for 4 MiB, one of a single layer has less than 1 kB.
pub const OCI_MANIFEST_BYTES: usize = 256 * 1024;
/// A registry's answer with a token, in bytes.
pub const OCI_TOKEN_BYTES: usize = 64 * 1024;
/// A signature beside a component, in bytes; minisign's have some 300 and a comment.
pub const SIGNATURE_BYTES: usize = 4096;
