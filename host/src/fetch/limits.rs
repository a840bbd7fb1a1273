//! Bounds of fetching components. A bound that an operator may change is the default of a setting and names it; the
//! others are fixed.

use std::time::Duration;

/// How long one request for the file of a component may take, the file included: 64 MiB at 5 Mbit/s.
///
/// When hit: the installation fails and can be repeated.
pub const FETCH_TIME: Duration = Duration::from_secs(110);
/// How long all requests for one component may take, with redirects, the manifest and token of a registry, and the
/// signature.
///
/// When hit: the installation fails and can be repeated.
pub const FETCH_ALL_TIME: Duration = Duration::from_secs(150);
/// Redirects of a request for a component. Registries need one, release pages two.
///
/// When hit: the installation fails.
pub const FETCH_REDIRECTS: usize = 5;
/// The manifest of a registry. The specification demands 4 MiB of registries; a manifest of one layer has less than 1
/// kB.
///
/// When hit: the installation fails.
pub const OCI_MANIFEST_BYTES: usize = 256 * 1024;
/// The answer of a registry with a token.
///
/// When hit: the installation fails.
pub const OCI_TOKEN_BYTES: usize = 64 * 1024;
/// A signature beside a component; those of minisign have about 300 bytes and a comment.
///
/// When hit: the installation fails.
pub const SIGNATURE_BYTES: usize = 4096;
