//! Bounds of the access-list cache and of the services behind it. A bound that an operator may change is the default of
//! a setting and names it; the others are fixed.

use std::time::Duration;

/// How long fetching one access list may take, all its requests together; setting `acl.timeout`. The slowest service
/// seen took 15 s.
///
/// When hit: the attempt fails; the last known list is used, or the fetch is retried.
pub const ACL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a message waits for its access lists in all; setting `acl.wait`. The list of a package and then those of
/// its groups may take `ACL_TIMEOUT` each.
///
/// When hit: the message is matched with the lists that are there, and the missing ones are reported.
pub const ACL_WAIT: Duration = Duration::from_secs(45);
/// The age at which a list is fetched again although no message announced a change; setting `acl.max_age`.
///
/// When hit: the list is used on and fetched in the background.
pub const ACL_MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The age at which a name is looked up again that the service did not know as a package or group; setting
/// `acl.unknown_age`.
///
/// When hit: the name is looked up again in the background.
pub const ACL_UNKNOWN_AGE: Duration = Duration::from_secs(3600);
/// The age at which a list is fetched once more that was fetched because it changed. Some services announce a change a
/// moment before they make it.
///
/// When hit: the list is used on and fetched in the background.
pub const ACL_CONFIRM: Duration = Duration::from_secs(10);
/// Requests to one access-list service at the same time; setting `acl.concurrency`.
///
/// Unit: requests
///
/// When hit: further requests wait; background refreshes use at most a quarter of them.
pub const ACL_CONCURRENCY: usize = 16;
/// Lists of one kind that are being fetched or wait for it. Background refreshes may use half of them.
///
/// Unit: lists
///
/// When hit: the list is reported as not available, and the message does not wait for it.
pub const ACL_IN_FLIGHT: usize = 10_000;
/// Attempts to fetch a list of which no version is known, and the wait before the second attempt; the wait doubles with
/// each.
///
/// When hit: the list is reported as not available.
pub const ACL_ATTEMPTS: u32 = 3;
pub const ACL_ATTEMPT_REST: Duration = Duration::from_secs(1);
/// The shortest and the longest wait before a list that could not be refreshed is tried again.
///
/// When hit: the wait is set to the bound.
pub const ACL_RETRY_MIN: Duration = Duration::from_secs(5);
pub const ACL_RETRY_MAX: Duration = Duration::from_secs(300);
/// Failures in a row after which a service gets no requests, and how long it gets none; settings `acl.breaker_failures`
/// and `acl.breaker_rest`.
///
/// When hit: the daemon logs a warning; until the pause ends, known lists are used and others are reported as not
/// available.
pub const ACL_BREAKER_FAILURES: u32 = 5;
pub const ACL_BREAKER_REST: Duration = Duration::from_secs(30);
/// Memory for the lists of packages and of groups; settings `acl.package_bytes` and `acl.group_bytes`. The 25,000
/// packages of Fedora need about 16 MB, with six holders each.
///
/// When hit: the lists that are used least are dropped and fetched when a message needs them.
pub const ACL_PACKAGE_BYTES: u64 = 64 * 1024 * 1024;
pub const ACL_GROUP_BYTES: u64 = 32 * 1024 * 1024;
/// How long connecting to an access-list service may take.
///
/// When hit: the attempt fails, as at `ACL_TIMEOUT`.
pub const ACL_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The body of one answer of an access-list service. The largest groups have about 3,000 members of 100 bytes.
///
/// When hit: the answer is refused and the attempt fails.
pub const ACL_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// Redirects of a request to an access-list service; only those to the same host are followed.
///
/// When hit: the attempt fails.
pub const ACL_REDIRECTS: usize = 3;
/// Members that are requested at a time, and pages of one group that are read.
///
/// Unit: members; pages
///
/// When hit: after the last page the attempt fails.
pub const ACL_PAGE: u32 = 1000;
pub const ACL_PAGES: u32 = 100;
/// Names in one list. A service that sends more does not answer the request.
///
/// When hit: the answer is refused and the attempt fails.
pub const ACL_NAMES: usize = 100_000;
