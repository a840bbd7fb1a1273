//! Why a component has no compiled code.

/// Why a component has no compiled code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Says what the compiler reports.
    #[error("the component does not compile: {0}")]
    Refused(String),
    #[error("compiling the component takes more than {} MiB of memory", .0 >> 20)]
    Memory(u64),
    #[error("compiling the component takes too long: more than {0} s {1}")]
    Time(u64, &'static str),
    #[error("the component's compiled code has more than {} MiB", .0 >> 20)]
    Size(u64),
    #[error("the compiler crashed on the component: {0}")]
    Crashed(String),
    #[error("the compiler returned incomplete code")]
    Damaged,
    /// The component itself may be valid.
    #[error("the compiler cannot be run: {0}")]
    Unavailable(String),
}
