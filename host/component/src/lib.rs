//! From an author's project to a component of the contract: `toolchain` builds in each language, `artifacts` reads what Cargo
//! built. A core module carries its own contract in a custom section, so nothing but its bytes is needed to wrap it. It runs
//! nothing that it made.

mod artifacts;
pub mod toolchain;

use anyhow::{Context, Result, bail};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

pub use artifacts::modules;

/// What everything that a plugin imports starts with.
const CONTRACT: &str = "tidings:channel/";
/// What every plugin exports.
const PLUGIN: &str = "tidings:channel/plugin@1.0.0";

/// The valid component that wraps this module, which reaches for nothing outside the contract.
pub fn encode(module: &[u8]) -> Result<Vec<u8>> {
    let component = ComponentEncoder::default().module(module)?.validate(true).encode()?;
    check(&component)?;
    Ok(component)
}

/// That the bytes are a component, which imports from the contract only and exports a plugin.
fn check(component: &[u8]) -> Result<()> {
    let mut exported = false;
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.context("parsing the component")? {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding != Encoding::Component {
                    bail!("this is a module, not a component");
                }
                depth += 1;
            }
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    let name = import?.name.name;
                    if !name.starts_with(CONTRACT) {
                        bail!("it imports `{name}`, which the contract does not offer");
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    exported |= export?.name.name == PLUGIN;
                }
            }
            _ => {}
        }
    }
    if exported { Ok(()) } else { bail!("it does not export `{PLUGIN}`: does it call `tidings_plugin::export!`?") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn what_is_no_plugin_is_refused_with_the_reason() {
        let said = |bytes| check(bytes).unwrap_err().to_string();
        assert!(said(EMPTY_MODULE).contains("not a component"));
        assert!(said(EMPTY_COMPONENT).contains("does not export"));
        assert!(said(b"nonsense").contains("parsing"));
    }
}
