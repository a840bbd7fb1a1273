//! Reads Cargo's messages about a build for the plugins in it.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The part of Cargo's messages that names the built files.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        target: Target,
        filenames: Vec<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// Returns the modules of all plugin crates (`cdylib`) in the output of Cargo with `--message-format json`, sorted.
///
/// # Errors
/// The output is not Cargo's JSON.
pub fn modules(messages: impl Read) -> Result<Vec<PathBuf>> {
    let mut modules = Vec::new();
    for message in serde_json::Deserializer::from_reader(messages).into_iter() {
        if let Message::CompilerArtifact { target, filenames } = message.context("reading Cargo's messages")?
            && target.kind.iter().any(|kind| kind == "cdylib")
        {
            modules.extend(filenames.into_iter().filter(|file| file.extension().is_some_and(|end| end == "wasm")));
        }
    }
    modules.sort();
    Ok(modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wasm_files_of_plugin_crates_are_taken_from_cargos_messages() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"kind":["lib"]},"filenames":["/t/libsdk.rlib"]}
            {"reason":"build-script-executed","package_id":"x"}
            {"reason":"compiler-artifact","target":{"kind":["cdylib","rlib"]},"filenames":["/t/email.wasm","/t/libemail.rlib"]}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(modules(messages.as_bytes()).unwrap(), [PathBuf::from("/t/email.wasm")]);
    }
}
