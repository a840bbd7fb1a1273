//! A plugin exceeded a limit: the typed error with which a host function ends the call, and how a failed call becomes a
//! [`CrashKind`]. wasmtime's typed errors decide where they exist. Three of its errors have no public type: their texts
//! stand in [`untyped`], and tests here and in `tests/crash_kinds.rs` provoke each of them.

use tidings_domain::limits::REASON_CHARS;
use tidings_domain::outcome::CrashKind;
use tidings_domain::text::one_line;
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use crate::limits;

/// What a plugin did that ends its call at once.
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
    #[error("settled index {index} of a batch of {batch}")]
    Settled { index: u32, batch: usize },
    #[error("appended to the stream of index {index} of a batch of {batch}")]
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

/// A call that returned no answer: its kind, and one line on what happened.
pub(crate) type Crash = (CrashKind, String);

/// Classifies the error of a failed call. `instantiated` says whether the component had been instantiated.
pub(crate) fn crash(error: &wasmtime::Error, instantiated: bool) -> Crash {
    if let Some(violation) = error.downcast_ref::<Violation>() {
        return (violation.kind(), violation.to_string());
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::Interrupt => (CrashKind::Timeout, "interrupted at the deadline".to_owned()),
            trap => (CrashKind::Trap, one_line(&trap.to_string(), REASON_CHARS)),
        };
    }
    let cause = error.root_cause().to_string();
    if !instantiated {
        return (CrashKind::Instantiate, one_line(&cause, REASON_CHARS));
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return (CrashKind::Trap, format!("called `exit` with the status {status}"));
    }
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return (CrashKind::HostCalls, TOO_MANY_HANDLES.to_owned());
    }
    // An error that is not a trap of the guest's code arose while the host read the guest's values.
    untyped(&cause).unwrap_or_else(|| (CrashKind::Nonsense, one_line(&cause, REASON_CHARS)))
}

const TOO_MANY_HANDLES: &str = "holds too many handles";

/// Classifies the errors of wasmtime 48 that have no public type, by their texts.
fn untyped(cause: &str) -> Option<Crash> {
    let detail = if cause.contains("fuel allocated for hostcalls") {
        "passed too many bytes to the host in one call".to_owned()
    } else if cause.contains("store handle limit exceeded") {
        TOO_MANY_HANDLES.to_owned()
    } else if cause.starts_with("requested len") {
        format!("asked for too many random bytes; at most {} in a call", limits::RANDOM_BYTES)
    } else {
        return None;
    };
    Some((CrashKind::HostCalls, detail))
}

#[cfg(test)]
mod tests {
    use wasmtime::component::{Component, Linker};
    use wasmtime::{Engine, Store};

    use super::*;

    /// A component whose `run` makes handles of its own resource without end.
    const HANDLES: &str = r#"(component
        (type $resource (resource (rep i32)))
        (core func $new (canon resource.new $resource))
        (core module $module
            (import "" "new" (func $new (param i32) (result i32)))
            (func (export "run") (loop (drop (call $new (i32.const 1))) (br 0))))
        (core instance $instance (instantiate $module (with "" (instance (export "new" (func $new))))))
        (func (export "run") (canon lift (core func $instance "run"))))"#;

    #[test]
    fn the_handle_limit_of_a_store_is_a_host_calls_crash() {
        let engine = Engine::default();
        let bytes = wat::parse_str(HANDLES).expect("component text");
        let component = Component::new(&engine, bytes).expect("a component");
        let mut store = Store::new(&engine, ());
        store.set_max_component_handles(limits::GUEST_HANDLES);
        let instance = Linker::new(&engine).instantiate(&mut store, &component).expect("an instance");
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").expect("the function");
        let error = run.call(&mut store, ()).expect_err("too many handles");
        assert_eq!(crash(&error, true), (CrashKind::HostCalls, TOO_MANY_HANDLES.to_owned()), "{error:#}");
    }
}
