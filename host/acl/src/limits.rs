//! Bounds of the access-list cache and of the services behind it. A bound that an operator may change is the default of
//! a
//! setting and names it; the others are fixed.

use std::time::Duration;

/// How long fetching one access list may take, all its requests together; setting `acl.timeout`. The slowest known
/// service
/// took 15 s.
pub const ACL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a message waits for its access lists in all; setting `acl.wait`. A package's list and then its groups' may
/// take `ACL_TIMEOUT` each.
pub const ACL_WAIT: Duration = Duration::from_secs(45);
/// The age at which a list is refreshed although nothing reported a change; setting `acl.max_age`.
pub const ACL_MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The same for the fact that a package or group does not exist; setting `acl.unknown_age`.
pub const ACL_UNKNOWN_AGE: Duration = Duration::from_secs(3600);
/// The age at which a list that was fetched after a change is fetched once more: some services report a change a moment
/// before they make it.
pub const ACL_CONFIRM: Duration = Duration::from_secs(10);
/// Requests to one access-list service at the same time; setting `acl.concurrency`.
pub const ACL_CONCURRENCY: usize = 16;
/// Lists of one kind that are being fetched or wait for a permit; a message that needs another one gets the result
/// `overloaded` at once.
pub const ACL_IN_FLIGHT: usize = 10_000;
/// Attempts to fetch an unknown list, and the wait before the second; it doubles.
pub const ACL_ATTEMPTS: u32 = 3;
pub const ACL_ATTEMPT_REST: Duration = Duration::from_secs(1);
/// The shortest and the longest wait before a list that could not be refreshed is tried again.
pub const ACL_RETRY_MIN: Duration = Duration::from_secs(5);
pub const ACL_RETRY_MAX: Duration = Duration::from_secs(300);
/// Failures in a row after which a service gets no requests, and for how long; settings `acl.breaker_failures` and
/// `acl.breaker_rest`.
pub const ACL_BREAKER_FAILURES: u32 = 5;
pub const ACL_BREAKER_REST: Duration = Duration::from_secs(30);
/// Memory for the lists of packages and of groups, in bytes; settings `acl.package_bytes` and `acl.group_bytes`. Fedora's
/// 25,000 packages need about 16 MB (measured with six holders each).
pub const ACL_PACKAGE_BYTES: u64 = 64 * 1024 * 1024;
pub const ACL_GROUP_BYTES: u64 = 32 * 1024 * 1024;
/// Connecting to an access-list service.
pub const ACL_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The body of one of its answers, in bytes. The largest groups have some 3,000 members of 100 bytes.
pub const ACL_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// Redirects that are followed, on the same host only.
pub const ACL_REDIRECTS: usize = 3;
/// Members requested at a time, and pages of one group that are read.
pub const ACL_PAGE: u32 = 1000;
pub const ACL_PAGES: u32 = 100;
/// Names in one list; an answer with more is invalid.
pub const ACL_NAMES: usize = 100_000;
