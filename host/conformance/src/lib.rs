//! Tests whether a plugin keeps the contract: it runs in the real sandbox, with the limits of production, against a
//! host in memory and a server on loopback that fails in the ways in which servers fail.
//!
//! A case judges the contract, not success: a plugin that answers `channel-trouble` to unusable settings passes; one
//! that answers `delivered` while no server accepted anything fails. Nothing here reaches beyond loopback or knows the
//! daemon.

mod cases;
mod dry_run;
mod memory_host;
mod remote_server;
mod report;
mod run;
pub mod sample;

use tidings_sandbox::{Admitted, Sandbox};

pub use dry_run::{DryRun, dry_run};
pub use memory_host::MemoryHost;
pub use report::{CaseReport, CaseResult, ConformanceReport};
pub use sample::Sample;

/// Runs every case with a configuration made from the manifest's schema: the defaults, and a valid value for each
/// required field without one.
pub async fn run(sandbox: &Sandbox, admitted: &Admitted) -> ConformanceReport {
    run_with(sandbox, admitted, &Sample::default()).await
}

/// The same with settings or an address that the schema does not determine.
pub async fn run_with(sandbox: &Sandbox, admitted: &Admitted, sample: &Sample) -> ConformanceReport {
    cases::all(run::ConformanceRun::new(sandbox, admitted, sample)).await
}
