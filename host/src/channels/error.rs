//! Why a wish about a channel was not carried out.

use tidings_domain::limits;
use tidings_store::StoreError;

use crate::trust::Distrust;

/// Why an administrator's wish was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The file is no component that can run here.
    #[error(transparent)]
    Admission(#[from] tidings_sandbox::AdmissionError),
    /// Nobody who is trusted made it.
    #[error("the component is not trusted: {0}")]
    Distrust(#[from] Distrust),
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
