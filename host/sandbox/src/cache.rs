//! Compiled code on disk, so that a start does not compile again. One file for each component and engine: the name is the
//! component's digest and a hash of the engine's version and settings; the content is a magic word, the SHA-256 of the
//! code, the code. Whatever does not look right is deleted and compiled again.

use std::fs;
use std::hash::{Hash as _, Hasher};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

const MAGIC: &[u8; 8] = b"TIDCODE1";
const HEAD: usize = MAGIC.len() + 32;

/// A directory of compiled code that only this user may enter.
pub(crate) struct CodeCache {
    directory: PathBuf,
    suffix: String,
}

impl CodeCache {
    /// Makes the directory private and removes what another engine, or a write that never ended, left in it.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> io::Result<CodeCache> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        let cache = CodeCache { directory: directory.to_owned(), suffix: format!("-{}.code", fingerprint(engine)) };
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let foreign = !entry.file_name().to_string_lossy().ends_with(&cache.suffix);
            if foreign && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(cache)
    }

    /// The component with this digest, compiled: from the cache, or from `file` and then kept. A cache that cannot be
    /// written is no reason to fail.
    pub(crate) fn component(&self, engine: &Engine, digest: &str, file: &[u8]) -> wasmtime::Result<Component> {
        let path = self.path(digest);
        if let Some(component) = self.load(engine, &path) {
            return Ok(component);
        }
        let code = engine.precompile_component(file)?;
        if let Err(error) = self.keep(&path, &code) {
            tracing::warn!(path = %path.display(), %error, "compiled code could not be kept");
        }
        // SAFETY: the bytes are what this very engine has just compiled.
        unsafe { Component::deserialize(engine, &code) }
    }

    fn load(&self, engine: &Engine, path: &Path) -> Option<Component> {
        let file = fs::read(path).ok()?;
        let component = checked(&file).and_then(|code| {
            // SAFETY: code is not validated when it is loaded, so it must come from an engine and be unchanged. It does:
            // only this program writes in this directory (mode 0700), whole files at once, and the digest in front shows
            // that they are what was written. The bytes that were checked are the ones that are loaded, there is no
            // second read. wasmtime itself refuses code of another version or other settings.
            unsafe { Component::deserialize(engine, code) }.ok()
        });
        if component.is_none() {
            tracing::warn!(path = %path.display(), "compiled code is damaged or foreign; compiling again");
            drop(fs::remove_file(path));
        }
        component
    }

    /// Writes beside and renames: a reader sees a whole file or none, and after a crash one or the other remains.
    fn keep(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let draft = self.directory.join(format!("{:032x}.draft", rand::random::<u128>()));
        let written = (|| {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(MAGIC)?;
            file.write_all(&Sha256::digest(code))?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&draft, path)
        })();
        if written.is_err() {
            drop(fs::remove_file(&draft));
        }
        written
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}{}", self.suffix))
    }
}

/// The code in a cache file, if the file is whole.
fn checked(file: &[u8]) -> Option<&[u8]> {
    let (head, code) = file.split_at_checked(HEAD)?;
    let digest = head.strip_prefix(MAGIC)?;
    (digest == &Sha256::digest(code)[..]).then_some(code)
}

/// What decides whether code of one engine runs in another: its version and settings.
fn fingerprint(engine: &Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let digest = self.0.clone().finalize();
            u64::from_be_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|place| digest[place]))
        }
    }
    let mut hash = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hash);
    format!("{:016x}", hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("readable");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn code_is_kept_privately_and_used_again() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("code");
        let engine = Engine::default();
        let cache = CodeCache::open(&directory, &engine).expect("opened");
        cache.component(&engine, "abc", COMPONENT).expect("compiled");
        assert_eq!(names(&directory), [format!("abc{}", cache.suffix)]);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&cache.path("abc"))), (0o700, 0o600));
        let not_used = b"not a component";
        cache.component(&engine, "abc", not_used).expect("from the cache, the file is not looked at");
    }

    #[test]
    fn a_damaged_or_foreign_file_is_compiled_again() {
        let place = tempfile::tempdir().expect("a directory");
        let engine = Engine::default();
        let cache = CodeCache::open(place.path(), &engine).expect("opened");
        cache.component(&engine, "abc", COMPONENT).expect("compiled");
        let path = cache.path("abc");
        let good = fs::read(&path).expect("kept");
        let mut flipped = good.clone();
        flipped[HEAD + 100] ^= 1;
        let forged = [MAGIC.as_slice(), &Sha256::digest(b"not code"), b"not code"].concat();
        for bad in [&flipped[..], &good[..good.len() - 1], &good[..10], b"", &good[HEAD..], &forged] {
            fs::write(&path, bad).expect("written");
            assert!(cache.load(&engine, &path).is_none());
            assert!(!path.exists(), "it is gone");
            cache.component(&engine, "abc", COMPONENT).expect("compiled again");
            assert_eq!(fs::read(&path).expect("kept again"), good);
        }
    }

    #[test]
    fn files_of_another_engine_and_drafts_are_swept_at_the_start() {
        let place = tempfile::tempdir().expect("a directory");
        let engine = Engine::default();
        let cache = CodeCache::open(place.path(), &engine).expect("opened");
        cache.component(&engine, "abc", COMPONENT).expect("compiled");
        for name in ["abc-0123456789abcdef.code", "00.draft", "x"] {
            fs::write(place.path().join(name), b"").expect("written");
        }
        CodeCache::open(place.path(), &engine).expect("opened again");
        assert_eq!(names(place.path()), [format!("abc{}", cache.suffix)]);
    }

    #[test]
    fn engines_with_other_settings_do_not_share_code() {
        let other = Engine::new(wasmtime::Config::new().epoch_interruption(true)).expect("an engine");
        assert_ne!(fingerprint(&Engine::default()), fingerprint(&other));
        assert_eq!(fingerprint(&Engine::default()), fingerprint(&Engine::default()));
    }
}
