//! Whether a file may become a plugin: everything that can be said before it is compiled. Sizes and counts are bounded
//! first, because what a compiler does with a hostile file is not. Compiling, linking and asking the plugin what it is
//! come afterwards, in `Sandbox::admit`.

use std::ops::Range;

use crate::limits;
use tidings_domain::manifest::{Lifetime, ManifestError};
use tidings_domain::outcome::CrashKind;
use tidings_domain::text::one_line;
use wasmparser::{Encoding, Parser, Payload};

use crate::abi::{self, ContractVersion};
use crate::compiler::CompileError;
use crate::wasi;

/// Why a file is not admitted, for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    #[error("the file has {bytes} bytes; a component has at most {}", tidings_domain::limits::COMPONENT_BYTES)]
    TooLarge { bytes: usize },
    #[error("the file is not WebAssembly")]
    NotWasm,
    #[error("the file is a core WebAssembly module, not a component; `wasm-tools component new` makes one of it")]
    CoreModule,
    #[error("the file is damaged: {0}")]
    Malformed(String),
    #[error("the component has {what}; at most {limit} are allowed")]
    TooComplex { what: &'static str, limit: u64 },
    #[error("the component is built for {found}; this version of Tidings serves {served}")]
    ContractVersion { found: String, served: String },
    #[error(
        "the component imports `{0}`, a part of WASI that Tidings does not offer: of WASI 0.2 there are clocks, random \
         numbers, standard output (to the plugin's log), and files and sockets without any; connections and requests are \
         the contract's `net` and `http`"
    )]
    Wasi(String),
    #[error("the component imports `{0}`, which Tidings does not offer")]
    UnknownImport(String),
    #[error("the component does not export `{0}`: it is no channel plugin")]
    NoPlugin(String),
    #[error("the manifest says `{said}`, and the exports are those of a plugin that is `{exported}`")]
    Lifetime { said: &'static str, exported: &'static str },
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("the component does not fit the contract: {0}")]
    Contract(String),
    #[error("`describe` gave no answer ({kind}): {detail}", kind = .kind.as_str())]
    Describe { kind: CrashKind, detail: String },
    #[error("the manifest is not good: {0}")]
    Manifest(#[from] ManifestError),
    #[error("the sandbox is busy with others; try again")]
    Busy,
}

/// What a file says of itself before anything is compiled.
pub(crate) struct Outline {
    pub version: ContractVersion,
    /// The interfaces of the contract that it imports.
    pub imports: Vec<String>,
    /// As its exports have it; its manifest must say the same.
    pub lifetime: Lifetime,
}

/// Looks at the file without running or compiling anything.
pub(crate) fn inspect(file: &[u8]) -> Result<Outline, AdmissionError> {
    if file.len() > tidings_domain::limits::COMPONENT_BYTES {
        return Err(AdmissionError::TooLarge { bytes: file.len() });
    }
    if !file.starts_with(b"\0asm") {
        return Err(AdmissionError::NotWasm);
    }
    let mut survey = Survey::default();
    for payload in Parser::new(0).parse_all(file) {
        survey.look(&payload.map_err(malformed)?)?;
    }
    for version in ContractVersion::ALL.iter().rev().copied() {
        if let Some(lifetime) = version.lifetime(&survey.exports) {
            return Ok(Outline { version, imports: survey.imports, lifetime });
        }
    }
    let other = survey.exports.iter().find_map(|name| in_contract(name));
    Err(match other {
        Some((_, number)) if !served(number) => wrong_version(number),
        _ => AdmissionError::NoPlugin(names(|version| version.interface(abi::PLUGIN))),
    })
}

/// What has been seen of a file.
#[derive(Default)]
struct Survey {
    depth: usize,
    types: u64,
    type_bytes: u64,
    functions: u64,
    items: u64,
    modules: u64,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Survey {
    fn look(&mut self, payload: &Payload<'_>) -> Result<(), AdmissionError> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(*encoding)?,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.modules += 1,
            Payload::TypeSection(section) => self.types(section.count(), section.range()),
            Payload::CoreTypeSection(section) => self.types(section.count(), section.range()),
            Payload::ComponentTypeSection(section) => self.types(section.count(), section.range()),
            Payload::FunctionSection(section) => self.functions += u64::from(section.count()),
            Payload::ComponentCanonicalSection(section) => self.functions += u64::from(section.count()),
            Payload::CodeSectionEntry(body) if body.range().len() > limits::FUNCTION_BYTES => {
                let limit = limits::FUNCTION_BYTES as u64;
                return Err(AdmissionError::TooComplex { what: "a function of too many bytes", limit });
            }
            Payload::ComponentImportSection(section) => self.import(section.clone())?,
            Payload::ComponentExportSection(section) => self.export(section.clone())?,
            other => self.items += items(other),
        }
        self.within_limits()
    }

    /// A component or a module begins. The outermost must be a component.
    fn enter(&mut self, encoding: Encoding) -> Result<(), AdmissionError> {
        if self.depth == 0 && encoding == Encoding::Module {
            return Err(AdmissionError::CoreModule);
        }
        self.depth += 1;
        Ok(())
    }

    fn types(&mut self, count: u32, range: Range<usize>) {
        self.types += u64::from(count);
        self.type_bytes += range.len() as u64;
    }

    fn import(&mut self, section: wasmparser::ComponentImportSectionReader<'_>) -> Result<(), AdmissionError> {
        self.items += u64::from(section.count());
        if self.depth > 1 {
            return Ok(());
        }
        for import in section {
            let name = import.map_err(malformed)?.name.name;
            if !wasi::offers(name) {
                self.imports.push(check_import(name)?);
            }
        }
        Ok(())
    }

    fn export(&mut self, section: wasmparser::ComponentExportSectionReader<'_>) -> Result<(), AdmissionError> {
        self.items += u64::from(section.count());
        if self.depth > 1 {
            return Ok(());
        }
        for export in section {
            self.exports.push(export.map_err(malformed)?.name.name.to_owned());
        }
        Ok(())
    }

    fn within_limits(&self) -> Result<(), AdmissionError> {
        for (count, limit, what) in [
            (self.depth as u64, limits::COMPONENT_NESTING as u64, "too many levels of components in components"),
            (self.modules, limits::COMPONENT_MODULES, "too many modules and components"),
            (self.types, limits::COMPONENT_TYPES, "too many types"),
            (self.type_bytes, limits::COMPONENT_TYPE_BYTES, "too many bytes of types"),
            (self.functions, limits::COMPONENT_FUNCTIONS, "too many functions"),
            (self.items, limits::COMPONENT_ITEMS, "too many imports, exports, instances and other items"),
        ] {
            if count > limit {
                return Err(AdmissionError::TooComplex { what, limit });
            }
        }
        Ok(())
    }
}

/// How many things the sections list that need no limit of their own.
fn items(payload: &Payload<'_>) -> u64 {
    u64::from(match payload {
        Payload::ImportSection(section) => section.count(),
        Payload::ExportSection(section) => section.count(),
        Payload::GlobalSection(section) => section.count(),
        Payload::TableSection(section) => section.count(),
        Payload::MemorySection(section) => section.count(),
        Payload::ElementSection(section) => section.count(),
        Payload::DataSection(section) => section.count(),
        Payload::TagSection(section) => section.count(),
        Payload::InstanceSection(section) => section.count(),
        Payload::ComponentInstanceSection(section) => section.count(),
        Payload::ComponentAliasSection(section) => section.count(),
        _ => 0,
    })
}

/// The interface's short name, if it is one of the contract's that a plugin may import.
fn check_import(name: &str) -> Result<String, AdmissionError> {
    if name.starts_with("wasi:") {
        return Err(AdmissionError::Wasi(one_line(name, 100)));
    }
    let Some((interface, number)) = in_contract(name) else {
        return Err(AdmissionError::UnknownImport(one_line(name, 100)));
    };
    match ContractVersion::ALL.iter().find(|version| version.number() == number) {
        Some(version) if version.imports().contains(&interface) => Ok(interface.to_owned()),
        Some(_) => Err(AdmissionError::UnknownImport(one_line(name, 100))),
        None => Err(wrong_version(number)),
    }
}

/// The name and the version of one of the contract's interfaces.
fn in_contract(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(abi::PACKAGE)?.strip_prefix('/')?.split_once('@')
}

fn served(number: &str) -> bool {
    ContractVersion::ALL.iter().any(|version| version.number() == number)
}

fn wrong_version(number: &str) -> AdmissionError {
    let name = |number: &str| format!("{}@{number}", abi::PACKAGE);
    AdmissionError::ContractVersion {
        found: one_line(&name(number), 100),
        served: names(|version| name(version.number())),
    }
}

/// What `name` makes of each version that is served.
fn names(name: impl Fn(ContractVersion) -> String) -> String {
    ContractVersion::ALL.iter().copied().map(name).collect::<Vec<_>>().join(" and ")
}

fn malformed(error: wasmparser::BinaryReaderError) -> AdmissionError {
    AdmissionError::Malformed(one_line(&error.to_string(), tidings_domain::limits::REASON_CHARS))
}
