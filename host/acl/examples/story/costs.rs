//! What is taken as given: every constant of the story, with its unit and where it comes from. The old strategies get the
//! benefit of the doubt wherever a source leaves space: their worker does nothing but what is listed here, never fails,
//! and keeps its lists in its own memory (FMN's redis made the scan ten times as slow).

/// One answer of the access-list service about one user, in seconds. The blog: "around 15 seconds".
pub const ACL_OF_USER: f64 = 15.0;
/// The same about one package, when strategy 3 asks. Assumed: the blog only says that it was "at least tenable".
pub const ACL_OF_PACKAGE: f64 = 0.5;
/// The same when Tidings asks, about a package or a group. Harsher than what strategy 3 gets, on purpose.
pub const ACL_OF_TIDINGS: f64 = 15.0;
/// How long the old caches believed an answer, in seconds from the question. The blog: "around 5 minutes"; its sum (20 users
/// at 15 seconds are 5 minutes, and then the first has expired) counts from the question.
pub const ACL_EXPIRY: f64 = 300.0;
/// Reading one user's rules from the database, in seconds. Measured: 5.4 to 6.6 ms of processor time for a user with two
/// channels and FMN's default filters (114 rules), read through SQLAlchemy 1.4 with a mapping like FMN's, from a local SQLite.
pub const LOAD_OF_USER: f64 = 0.006;
/// Looking at every rule of every user for one message, in seconds by number of users. Measured: mean of FMN's own code with
/// its default filters on two channels (114 rules a user), caches in memory. Linear between and beyond.
pub const SCAN: [(f64, f64); 5] =
    [(10.0, 0.000_431), (100.0, 0.002_95), (1000.0, 0.0334), (3000.0, 0.102), (10_000.0, 0.423)];
/// Reading one user's rows from the store, in seconds, when Tidings hears of an edit. Assumed; the edit itself is done and
/// measured.
pub const ROWS_OF_USER: f64 = 0.002;

/// Seconds to look at every rule of so many users.
pub fn scan(users: usize) -> f64 {
    let users = users as f64;
    let last = SCAN.len() - 2;
    let here = SCAN[1..].iter().position(|(upto, _)| users <= *upto).unwrap_or(last);
    let ((a, at_a), (b, at_b)) = (SCAN[here], SCAN[here + 1]);
    (at_a + (users - a) * (at_b - at_a) / (b - a)).max(0.0)
}

/// Seconds to read all rules of so many users.
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
/// All packages are built anew in so many hours, on the primary and on the arm hub. The blog's first picture shows 34.7 h.
pub const REBUILD_HOURS: f64 = 36.0;
/// After the rebuild its builds are tagged into the release, so many a second. FMN's own tracker speaks of koji's spikes of
/// 200 messages a second.
pub const TAGGED_PER_SECOND: f64 = 200.0;
/// The whole story, in hours: the rebuild, and twelve hours after it.
pub const HOURS: f64 = 48.0;
/// Messages of everything else on the bus, a second. Assumed; with the rebuild's this gives 2.3 a second, so the "hundreds
/// of thousands" of the first picture in its time.
pub const OTHERS_PER_SECOND: f64 = 1.0;
/// Packages that change hands, an hour. Assumed.
pub const OWNERS_PER_HOUR: f64 = 30.0;
/// Users who edit their rules, an hour. Assumed, for any number of users.
pub const EDITS_PER_HOUR: f64 = 6.0;
