//! The constants of the story, each with its unit and its source. Where a source leaves a choice, the value favours the
//! old strategies: their worker does only the work that is listed here, never fails, and keeps its lists in its own
//! memory (FMN's redis made the scan ten times as slow).

/// One answer of the access-list service about one user, in seconds. The blog: "around 15 seconds".
pub const ACL_OF_USER: f64 = 15.0;
/// One answer about one package in strategy 3, in seconds. Assumed: the blog only calls it "at least tenable".
pub const ACL_OF_PACKAGE: f64 = 0.5;
/// One answer about a package or a group in Tidings, in seconds. Deliberately longer than in strategy 3.
pub const ACL_OF_TIDINGS: f64 = 15.0;
/// How long the old caches used an answer, in seconds from the request. The blog: "around 5 minutes"; its sum (20 users
/// at 15 seconds are 5 minutes, and then the first has expired) counts from the request.
pub const ACL_EXPIRY: f64 = 300.0;
/// Reading one user's rules from the database, in seconds. Measured: 5.4 to 6.6 ms of processor time for a user with
/// two channels and FMN's default filters (114 rules), read through SQLAlchemy 1.4 with a mapping like FMN's, from a
/// local SQLite.
pub const LOAD_OF_USER: f64 = 0.006;
/// Testing every rule of every user for one message, in seconds by number of users. Measured: mean of FMN's own code
/// with its default filters on two channels (114 rules a user), caches in memory. Linear between and beyond.
pub const SCAN: [(f64, f64); 5] =
    [(10.0, 0.000_431), (100.0, 0.002_95), (1000.0, 0.0334), (3000.0, 0.102), (10_000.0, 0.423)];
/// Reading one user's rows from the store after an edit, in seconds. Assumed; the edit itself is done and measured.
pub const ROWS_OF_USER: f64 = 0.002;

/// Seconds to test every rule of this many users.
pub fn scan(users: usize) -> f64 {
    let users = users as f64;
    let last = SCAN.len() - 2;
    let here = SCAN[1..].iter().position(|(upto, _)| users <= *upto).unwrap_or(last);
    let ((a, at_a), (b, at_b)) = (SCAN[here], SCAN[here + 1]);
    (at_a + (users - a) * (at_b - at_a) / (b - a)).max(0.0)
}

/// Seconds to read all rules of this many users.
pub fn load(users: usize) -> f64 {
    users as f64 * LOAD_OF_USER
}

/// Packages of the distribution: about Fedora's in 2014.
pub const PACKAGES: u32 = 15_000;
/// Accounts that hold them. The users of the notification system are the most active of them.
pub const ACCOUNTS: u32 = 10_000;
/// Groups that hold packages, and accounts in each. Assumed.
pub const GROUPS: u32 = 20;
pub const GROUP_MEMBERS: u32 = 15;
/// Duration of the rebuild of all packages, in hours, on the primary and on the arm hub. The blog's first picture shows
/// 34.7 h.
pub const REBUILD_HOURS: f64 = 36.0;
/// Builds tagged into the release after the rebuild, per second. FMN's own tracker reports spikes of koji of 200
/// messages per second.
pub const TAGGED_PER_SECOND: f64 = 200.0;
/// The whole story, in hours: the rebuild, and twelve hours after it.
pub const HOURS: f64 = 48.0;
/// Other messages on the bus, per second. Assumed; together with the rebuild this gives 2.3 per second, so the
/// "hundreds of thousands" of the first picture in its time.
pub const OTHERS_PER_SECOND: f64 = 1.0;
/// Packages that get a new owner, per hour. Assumed.
pub const OWNERS_PER_HOUR: f64 = 30.0;
/// Users who edit their rules, per hour. Assumed, for any number of users.
pub const EDITS_PER_HOUR: f64 = 6.0;
