//! Inspects a component file before it is compiled: its format, its sizes and counts, its imports and exports. The
//! limits come first, since nothing in a hostile file bounds what a compiler does with it.

use std::ops::Range;

use tidings_domain::limits::{COMPONENT_BYTES, REASON_CHARS};
use tidings_domain::manifest::Lifetime;
use tidings_domain::text::one_line;
use wasmparser::{Encoding, Parser, Payload};

use super::error::AdmissionError;
use crate::abi::{self, ContractVersion};
use crate::{limits, wasi};

/// What a component file declares.
pub(super) struct ComponentOutline {
    pub version: ContractVersion,
    /// The interfaces of the contract that it imports.
    pub imports: Vec<String>,
    /// The lifetime that its exports declare; its manifest must declare the same.
    pub lifetime: Lifetime,
}

/// Reads the file without compiling or running anything.
pub(super) fn inspect(file: &[u8]) -> Result<ComponentOutline, AdmissionError> {
    if file.len() > COMPONENT_BYTES {
        return Err(AdmissionError::TooLarge { bytes: file.len() });
    }
    if !file.starts_with(b"\0asm") {
        return Err(AdmissionError::NotWasm);
    }
    let mut inspection = Inspection::default();
    for payload in Parser::new(0).parse_all(file) {
        inspection.visit(&payload.map_err(malformed)?)?;
    }
    for version in ContractVersion::ALL.iter().rev().copied() {
        if let Some(lifetime) = version.lifetime(&inspection.exports) {
            return Ok(ComponentOutline { version, imports: inspection.imports, lifetime });
        }
    }
    let other = inspection.exports.iter().find_map(|name| parse_interface(name));
    Err(match other {
        Some((_, number)) if !is_served(number) => wrong_version(number),
        _ => AdmissionError::NotAPlugin(joined(|version| version.interface(abi::PLUGIN))),
    })
}

/// What the sections read so far contain.
#[derive(Default)]
struct Inspection {
    depth: usize,
    types: u64,
    type_bytes: u64,
    functions: u64,
    items: u64,
    modules: u64,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Inspection {
    fn visit(&mut self, payload: &Payload<'_>) -> Result<(), AdmissionError> {
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
            other => self.items += item_count(other),
        }
        self.check_limits()
    }

    /// Enters a component or a module. The outermost must be a component.
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

    fn check_limits(&self) -> Result<(), AdmissionError> {
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

/// The number of items in a section that has no limit of its own.
fn item_count(payload: &Payload<'_>) -> u64 {
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

/// Returns the interface's short name if the contract lets a plugin import it.
fn check_import(name: &str) -> Result<String, AdmissionError> {
    if name.starts_with("wasi:") {
        return Err(AdmissionError::Wasi(one_line(name, 100)));
    }
    let Some((interface, number)) = parse_interface(name) else {
        return Err(AdmissionError::UnknownImport(one_line(name, 100)));
    };
    match ContractVersion::ALL.iter().find(|version| version.number() == number) {
        Some(version) if version.imports().contains(&interface) => Ok(interface.to_owned()),
        Some(_) => Err(AdmissionError::UnknownImport(one_line(name, 100))),
        None => Err(wrong_version(number)),
    }
}

/// The name and the version of an interface of the contract.
fn parse_interface(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(abi::PACKAGE)?.strip_prefix('/')?.split_once('@')
}

fn is_served(number: &str) -> bool {
    ContractVersion::ALL.iter().any(|version| version.number() == number)
}

fn wrong_version(number: &str) -> AdmissionError {
    let name = |number: &str| format!("{}@{number}", abi::PACKAGE);
    AdmissionError::ContractVersion {
        found: one_line(&name(number), 100),
        served: joined(|version| name(version.number())),
    }
}

/// The names of all versions that are served.
fn joined(name: impl Fn(ContractVersion) -> String) -> String {
    ContractVersion::ALL.iter().copied().map(name).collect::<Vec<_>>().join(" and ")
}

fn malformed(error: wasmparser::BinaryReaderError) -> AdmissionError {
    AdmissionError::Malformed(one_line(&error.to_string(), REASON_CHARS))
}
