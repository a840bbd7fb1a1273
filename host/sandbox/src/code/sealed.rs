//! Sealed code: a magic word, the SHA-256 of the code, the code. The seal shows that code is unchanged since a compiler
//! of this program wrote it, which loading it requires: wasmtime does not validate it again.

use std::hash::{Hash as _, Hasher};

use sha2::{Digest as _, Sha256};
use tidings_domain::limits::REASON_CHARS;
use tidings_domain::text::one_line;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::error::CompileError;

const MAGIC: &[u8; 8] = b"TIDCODE1";
const HEADER_BYTES: usize = MAGIC.len() + 32;

/// Compiled code with its seal, as it is passed on and cached.
pub(super) fn seal(code: &[u8]) -> Vec<u8> {
    [MAGIC, &Sha256::digest(code)[..], code].concat()
}

/// Loads the component from [`seal`]ed code.
///
/// # Errors
/// The seal does not match, or the code needs more instances, memories or tables than the engine has.
pub(super) fn open(engine: &Engine, sealed: &[u8]) -> Result<Component, CompileError> {
    let code = verified(sealed).ok_or(CompileError::Damaged)?;
    load(engine, code).map_err(|error| CompileError::Refused(one_line(&format!("{error:#}"), REASON_CHARS)))
}

fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: loading does not validate the code, so it must come from an engine and be unchanged. It comes from a
    // compiler that this program started, or from a directory (mode 0700) in which only this program writes, whole
    // files at once; the digest in the seal shows that it is what was written. The checked bytes are the loaded ones,
    // there is no second read. wasmtime itself refuses code of another version or with other settings.
    unsafe { Component::deserialize(engine, code) }
}

/// The code, if its seal matches.
fn verified(sealed: &[u8]) -> Option<&[u8]> {
    let (header, code) = sealed.split_at_checked(HEADER_BYTES)?;
    let digest = header.strip_prefix(MAGIC)?;
    (digest == &Sha256::digest(code)[..]).then_some(code)
}

/// A hash of the engine's version and settings: code runs only in an engine with the same one.
pub(super) fn fingerprint(engine: &Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let digest = self.0.clone().finalize();
            u64::from_be_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|index| digest[index]))
        }
    }
    let mut hash = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hash);
    format!("{:016x}", hash.finish())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    /// The sealed code of an empty component.
    pub(in crate::code) fn compiled(engine: &Engine) -> Vec<u8> {
        seal(&engine.precompile_component(COMPONENT).expect("compiled"))
    }

    /// Code that must not be loaded: changed, cut, without its seal, not code, or of another engine.
    pub(in crate::code) fn invalid_code(engine: &Engine) -> Vec<Vec<u8>> {
        let valid = compiled(engine);
        let mut flipped = valid.clone();
        flipped[HEADER_BYTES + 100] ^= 1;
        let other = Engine::new(wasmtime::Config::new().epoch_interruption(true)).expect("an engine");
        let cut = [valid[..valid.len() - 1].into(), valid[..10].into(), Vec::new(), valid[HEADER_BYTES..].into()];
        [flipped].into_iter().chain(cut).chain([seal(b"not code"), compiled(&other)]).collect()
    }

    #[test]
    fn sealed_code_is_loaded_and_damaged_or_foreign_code_is_not() {
        let engine = Engine::default();
        open(&engine, &compiled(&engine)).expect("valid code");
        for code in invalid_code(&engine) {
            assert!(open(&engine, &code).is_err());
        }
    }

    #[test]
    fn engines_with_other_settings_do_not_share_code() {
        let other = Engine::new(wasmtime::Config::new().epoch_interruption(true)).expect("an engine");
        assert_ne!(fingerprint(&Engine::default()), fingerprint(&other));
        assert_eq!(fingerprint(&Engine::default()), fingerprint(&Engine::default()));
    }

    #[test]
    fn the_engine_that_compiles_and_the_one_that_runs_share_code() {
        let compiler = crate::engine::compiler().expect("an engine");
        let runner = crate::engine::start(1).expect("an engine");
        assert_eq!(fingerprint(&compiler), fingerprint(&runner));
    }
}
