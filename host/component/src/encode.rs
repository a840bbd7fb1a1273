//! Wraps a core module as a component of the contract. The module carries its contract in a custom section, so its
//! bytes are all that is needed. Nothing is run.

use anyhow::{Context, Result, bail};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

/// The prefix of every import of a plugin.
const CONTRACT: &str = "tidings:channel/";
/// The export of every plugin.
const PLUGIN: &str = "tidings:channel/plugin@1.0.0";

/// Wraps the module as a component.
///
/// # Errors
/// The module has no contract in it, imports something outside the contract, or does not export a plugin.
pub fn encode(module: &[u8]) -> Result<Vec<u8>> {
    let component = ComponentEncoder::default().module(module)?.validate(true).encode()?;
    check(&component)?;
    Ok(component)
}

/// Fails unless the bytes are a component that imports from the contract only and exports a plugin.
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
    fn a_component_that_is_not_a_plugin_is_refused_with_the_reason() {
        let error = |bytes| check(bytes).unwrap_err().to_string();
        assert!(error(EMPTY_MODULE).contains("not a component"));
        assert!(error(EMPTY_COMPONENT).contains("does not export"));
        assert!(error(b"nonsense").contains("parsing"));
    }
}
