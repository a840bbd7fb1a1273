//! A plugin went over a limit: the typed error by which a host function ends the call, and how the end of a call becomes
//! a [`CrashKind`].

use crate::limits;
use tidings_domain::outcome::CrashKind;
use tidings_domain::text::one_line;
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

/// What a plugin did that ends its call on the spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("its memory would have grown to {wanted} bytes; the limit is {limit}")]
    Memory { wanted: usize, limit: usize },
    #[error("its tables would have grown to {wanted} elements; the limit is {limit}")]
    Tables { wanted: usize, limit: usize },
    #[error("more than {limit} host calls")]
    HostCalls { limit: u64 },
    #[error("asked for {asked} random bytes; at most {} in a call", limits::RANDOM_BYTES)]
    Random { asked: u32 },
    #[error("settled place {index} of a batch of {batch}")]
    Settled { index: u32, batch: usize },
    #[error("wrote to the stream of place {index} of a batch of {batch}")]
    Appended { index: u32, batch: usize },
}

impl Violation {
    const fn kind(self) -> CrashKind {
        match self {
            Violation::Memory { .. } | Violation::Tables { .. } => CrashKind::Memory,
            Violation::HostCalls { .. } | Violation::Random { .. } => CrashKind::HostCalls,
            Violation::Settled { .. } | Violation::Appended { .. } => CrashKind::Nonsense,
        }
    }
}

/// A call that gave no answer: what it counts as, and one line on what happened.
pub(crate) type Crash = (CrashKind, String);

/// What a failed call was. `entered` says whether the component had been instantiated.
pub(crate) fn crash(error: &wasmtime::Error, entered: bool) -> Crash {
    let line = |text: String| one_line(&text, tidings_domain::limits::REASON_CHARS);
    if let Some(violation) = error.downcast_ref::<Violation>() {
        return (violation.kind(), violation.to_string());
    }
    let cause = error.root_cause().to_string();
    if !entered && error.downcast_ref::<Trap>().is_none() {
        return (CrashKind::Instantiate, line(cause));
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return (CrashKind::Trap, format!("called `exit` with the status {status}"));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => (CrashKind::Timeout, "interrupted at the deadline".to_owned()),
        Some(trap) => (CrashKind::Trap, line(trap.to_string())),
        // The engine's error for too many bytes in one host call has no public type.
        None if cause.contains("fuel allocated for hostcalls") => {
            (CrashKind::HostCalls, "passed too many bytes to the host in one call".to_owned())
        }
        // Likewise for too many handles of resources.
        None if cause.contains("store handle limit exceeded") => {
            (CrashKind::HostCalls, "holds too many handles".to_owned())
        }
        None if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) => {
            (CrashKind::HostCalls, "holds too many handles".to_owned())
        }
        // Likewise for too many random bytes by way of WASI.
        None if cause.starts_with("requested len") => (
            CrashKind::HostCalls,
            format!("asked for too many random bytes; at most {} in a call", limits::RANDOM_BYTES),
        ),
        // What is no trap of the guest's own code went wrong while its values were read.
        None => (CrashKind::Nonsense, line(cause)),
    }
}
