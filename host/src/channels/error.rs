//! Why a wish about a channel was not carried out.

use tidings_domain::limits;
use tidings_sandbox::{AdmissionError, CompileError};
use tidings_store::StoreError;

use crate::trust::SignatureError;

/// Why an administrator's wish was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The file is no component that can run here.
    #[error(transparent)]
    Admission(#[from] tidings_sandbox::AdmissionError),
    /// Nobody who is trusted made it.
    #[error("the component is not trusted: {0}")]
    Signature(#[from] SignatureError),
    /// It was tried before it was let to deliveries; one line for each case that failed.
    #[error("the component breaks the contract: {}", .0.join("; "))]
    Contract(Vec<String>),
    /// The configuration does not fit the manifest's schema; one line for each mistake.
    #[error("the configuration is not good: {}", .0.join("; "))]
    Config(Vec<String>),
    #[error("`{0}` is no channel name: use 1 to {max} lower-case letters, digits and `-`", max = limits::CHANNEL_NAME_CHARS)]
    Name(String),
    /// The address is none of this channel's.
    #[error("the address is refused: {0}")]
    Address(String),
    /// The channel cannot run as it is; the reason says what is missing.
    #[error("the channel cannot start: {0}")]
    NotReady(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChannelError {
    /// Whether the same may go well later with nothing changed.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            ChannelError::Store(error) => matches!(error, StoreError::Unavailable { .. }),
            ChannelError::Admission(error) => {
                matches!(error, AdmissionError::Busy | AdmissionError::Compile(CompileError::Unavailable(_)))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_stays() {
        let unavailable = StoreError::Unavailable { doing: "reads", source: std::sync::Arc::from(Box::from("full")) };
        let compile = |error| ChannelError::Admission(AdmissionError::Compile(error));
        for (error, passes) in [
            (ChannelError::Store(unavailable), true),
            (ChannelError::Admission(AdmissionError::Busy), true),
            (compile(CompileError::Unavailable("no memory for a child".into())), true),
            (compile(CompileError::Refused("bad code".into())), false),
            (ChannelError::Store(StoreError::Missing { what: "channel", name: "fax".into() }), false),
            (ChannelError::NotReady("no password".into()), false),
        ] {
            assert_eq!(error.is_passing(), passes, "{error}");
        }
    }
}
