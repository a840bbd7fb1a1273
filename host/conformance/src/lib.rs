//! Whether a plugin keeps the contract: it is run in the real sandbox, with the limits of production, against a host that
//! keeps everything in memory and a far side on loopback that does all that far sides do.
//!
//! Verdicts are about the contract, not about success: a plugin whose settings make no sense answers `channel-trouble`,
//! which is a good answer; one that says `delivered` where nobody listened is not. Nothing here reaches beyond loopback,
//! and nothing is known of the daemon.

mod cases;
pub mod far;
mod finding;
pub mod host;
mod rehearsal;
pub mod sample;
mod trial;

use tidings_sandbox::{Admitted, Sandbox};

pub use finding::{CaseReport, CaseResult, ConformanceReport};
pub use rehearsal::{Rehearsal, rehearse};
pub use sample::Sample;

/// Runs every case with a configuration made from the manifest's schema: defaults, and for what is required without one a
/// value that fits.
pub async fn run(sandbox: &Sandbox, admitted: &Admitted) -> ConformanceReport {
    run_with(sandbox, admitted, &Sample::default()).await
}

/// The same with settings or an address that a schema cannot tell.
pub async fn run_with(sandbox: &Sandbox, admitted: &Admitted, sample: &Sample) -> ConformanceReport {
    cases::all(trial::ConformanceRun::new(sandbox, admitted, sample)).await
}
