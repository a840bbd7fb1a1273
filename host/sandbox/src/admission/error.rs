//! Why a component file is not admitted.

use tidings_domain::limits::COMPONENT_BYTES;
use tidings_domain::manifest::ManifestError;
use tidings_domain::outcome::CrashKind;

use crate::code::CompileError;

/// Why a component file is not admitted. The texts are for the user who installs it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    #[error("the file has {bytes} bytes; a component has at most {}", COMPONENT_BYTES)]
    TooLarge { bytes: usize },
    #[error("the file is not WebAssembly")]
    NotWasm,
    #[error("the file is a core WebAssembly module, not a component; convert it with `wasm-tools component new`")]
    CoreModule,
    #[error("the file is damaged: {0}")]
    Malformed(String),
    #[error("the component has {what}; at most {limit} are allowed")]
    TooComplex { what: &'static str, limit: u64 },
    #[error("the component is built for {found}; this version of Tidings serves {served}")]
    ContractVersion { found: String, served: String },
    #[error(
        "the component imports `{0}`, a part of WASI that Tidings does not offer: of WASI 0.2 it offers clocks, random \
         numbers, standard output (to the plugin's log), and empty sets of files and sockets; use the contract's `net` \
         and `http` for connections and requests"
    )]
    Wasi(String),
    #[error("the component imports `{0}`, which Tidings does not offer")]
    UnknownImport(String),
    #[error("the component does not export `{0}`, so it is not a channel plugin")]
    NotAPlugin(String),
    #[error(
        "the manifest declares the lifetime `{declared}`, but the exports are those of a plugin that is `{exported}`"
    )]
    Lifetime { declared: &'static str, exported: &'static str },
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("the component does not fit the contract: {0}")]
    Contract(String),
    #[error("`describe` returned no answer ({kind}): {detail}", kind = .kind.as_str())]
    Describe { kind: CrashKind, detail: String },
    #[error("the manifest is invalid: {0}")]
    Manifest(#[from] ManifestError),
    #[error("the sandbox is busy with other plugins; try again later")]
    Busy,
}
