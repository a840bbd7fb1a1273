//! Compiled code on disk, so that a start does not compile again. One file for each component and engine: the name is the
//! component's digest and a hash of the engine's version and settings; the content is a magic word, the SHA-256 of the
//! code, the code. Whatever does not look right is deleted and compiled again.

use std::collections::HashSet;
use std::fs;
use std::hash::{Hash as _, Hasher};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tidings_domain::limits;
use tidings_domain::text::one_line;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compiler::CompileError;

const MAGIC: &[u8; 8] = b"TIDCODE1";
/// What lets others than the owner of a directory put something into it.
const WRITE_FOR_OTHERS: u32 = 0o022;
const HEAD: usize = MAGIC.len() + 32;

/// A directory of compiled code that only this user may enter.
pub(crate) struct CodeCache {
    directory: PathBuf,
    suffix: String,
}

impl CodeCache {
    /// Makes the directory private and removes what another engine, or a write that never ended, left in it; and everything
    /// where others could have put it there.
    ///
    /// # Errors
    /// It cannot be read or written, or belongs to another user.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> io::Result<CodeCache> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let metadata = fs::metadata(directory)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the directory belongs to another user"));
        }
        let open_to_others = metadata.mode() & WRITE_FOR_OTHERS != 0;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        let cache = CodeCache { directory: directory.to_owned(), suffix: format!("-{}.code", fingerprint(engine)) };
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let foreign = !entry.file_name().to_string_lossy().ends_with(&cache.suffix);
            if (foreign || open_to_others) && !entry.file_type()?.is_dir() {
                remove(&entry.path())?;
            }
        }
        Ok(cache)
    }

    /// Removes the code of all components but these.
    pub(crate) fn keep_only(&self, digests: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let digest = name.to_str().and_then(|name| name.strip_suffix(&self.suffix));
            if digest.is_some_and(|digest| !digests.contains(digest)) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// The component with this digest, if its code is here and good.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        let file = fs::read(&path).ok()?;
        let component = checked(engine, &file);
        if component.is_none() {
            tracing::warn!(path = %path.display(), "compiled code is damaged or foreign; compiling again");
            drop(fs::remove_file(path));
        }
        component
    }

    /// Keeps the code that a compiler has [`seal`]ed. A cache that cannot be written is no reason to fail.
    pub(crate) fn keep(&self, digest: &str, sealed: &[u8]) {
        let path = self.path(digest);
        if let Err(error) = self.write(&path, sealed) {
            tracing::warn!(path = %path.display(), %error, "compiled code could not be kept");
        }
    }

    /// A file for one use that has no name and goes away with its handle, in this private directory.
    pub(crate) fn scratch(&self) -> io::Result<fs::File> {
        let path = self.draft();
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(path)?;
        Ok(file)
    }

    /// Writes beside and renames: a reader sees a whole file or none, and after a crash one or the other remains.
    fn write(&self, path: &Path, sealed: &[u8]) -> io::Result<()> {
        let draft = self.draft();
        let written = (|| {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(sealed)?;
            file.sync_all()?;
            fs::rename(&draft, path)
        })();
        if written.is_err() {
            drop(fs::remove_file(&draft));
        }
        written
    }

    fn draft(&self) -> PathBuf {
        self.directory.join(format!("{:032x}.draft", rand::random::<u128>()))
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}{}", self.suffix))
    }
}

/// Compiled code as it is handed over and kept.
pub(crate) fn seal(code: &[u8]) -> Vec<u8> {
    [MAGIC, &Sha256::digest(code)[..], code].concat()
}

/// The component in code that a compiler has [`seal`]ed.
///
/// # Errors
/// The code is not whole, or asks for more instances, memories or tables than there are.
pub(crate) fn open_sealed(engine: &Engine, sealed: &[u8]) -> Result<Component, CompileError> {
    let code = whole(sealed).ok_or(CompileError::Damaged)?;
    loaded(engine, code).map_err(|error| CompileError::Refused(one_line(&format!("{error:#}"), limits::REASON_CHARS)))
}

/// Removes a file that another process may have removed meanwhile.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The component in sealed code, if that is whole and this engine's.
fn checked(engine: &Engine, sealed: &[u8]) -> Option<Component> {
    loaded(engine, whole(sealed)?).ok()
}

fn loaded(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: code is not validated when it is loaded, so it must come from an engine and be unchanged. It does: it was
    // handed over by a compiler that this program started, or lies in a directory (mode 0700) in which only this program
    // writes, whole files at once; and the digest in front shows that it is what was written. The bytes that were checked are
    // the ones that are loaded, there is no second read. wasmtime itself refuses code of another version or other settings.
    unsafe { Component::deserialize(engine, code) }
}

/// The code in a cache file, if the file is whole.
fn whole(file: &[u8]) -> Option<&[u8]> {
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

    fn compiled(engine: &Engine) -> Vec<u8> {
        seal(&engine.precompile_component(COMPONENT).expect("compiled"))
    }

    #[test]
    fn code_is_kept_privately_and_used_again() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("code");
        let engine = Engine::default();
        let cache = CodeCache::open(&directory, &engine).expect("opened");
        assert!(cache.load(&engine, "abc").is_none(), "nothing is there yet");
        let code = compiled(&engine);
        open_sealed(&engine, &code).expect("good code");
        cache.keep("abc", &code);
        assert_eq!(names(&directory), [format!("abc{}", cache.suffix)]);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&cache.path("abc"))), (0o700, 0o600));
        cache.load(&engine, "abc").expect("from the cache");
        drop(cache.scratch().expect("a file without a name"));
        assert_eq!(names(&directory).len(), 1);
    }

    #[test]
    fn damaged_or_foreign_code_is_not_used() {
        let place = tempfile::tempdir().expect("a directory");
        let engine = Engine::default();
        let cache = CodeCache::open(place.path(), &engine).expect("opened");
        let path = cache.path("abc");
        let good = compiled(&engine);
        let mut flipped = good.clone();
        flipped[HEAD + 100] ^= 1;
        let other = Engine::new(wasmtime::Config::new().epoch_interruption(true)).expect("an engine");
        let bad = [flipped, good[..good.len() - 1].into(), good[..10].into(), Vec::new(), good[HEAD..].into()];
        for bad in bad.into_iter().chain([seal(b"not code"), compiled(&other)]) {
            assert!(open_sealed(&engine, &bad).is_err());
            fs::write(&path, bad).expect("written");
            assert!(cache.load(&engine, "abc").is_none());
            assert!(!path.exists(), "it is gone");
        }
    }

    #[test]
    fn files_of_another_engine_and_drafts_are_swept_at_the_start() {
        let place = tempfile::tempdir().expect("a directory");
        let engine = Engine::default();
        let cache = CodeCache::open(place.path(), &engine).expect("opened");
        cache.keep("abc", &compiled(&engine));
        for name in ["abc-0123456789abcdef.code", "00.draft", "x"] {
            fs::write(place.path().join(name), b"").expect("written");
        }
        CodeCache::open(place.path(), &engine).expect("opened again");
        assert_eq!(names(place.path()), [format!("abc{}", cache.suffix)]);
    }

    #[test]
    fn code_of_components_that_nobody_needs_is_forgotten() {
        let place = tempfile::tempdir().expect("a directory");
        let engine = Engine::default();
        let cache = CodeCache::open(place.path(), &engine).expect("opened");
        for digest in ["abc", "def"] {
            cache.keep(digest, &compiled(&engine));
        }
        fs::write(place.path().join("00.draft"), b"").expect("written");
        cache.keep_only(&HashSet::from(["abc".to_owned(), "gone".to_owned()])).expect("swept");
        let mut left = names(place.path());
        left.sort();
        assert_eq!(left, ["00.draft".to_owned(), format!("abc{}", cache.suffix)], "a draft is being written");
    }

    #[test]
    fn what_others_could_have_planted_is_dropped() {
        let engine = Engine::default();
        for (mode, kept) in [(0o700, true), (0o755, true), (0o770, false), (0o702, false)] {
            let place = tempfile::tempdir().expect("a directory");
            let directory = place.path().join("code");
            CodeCache::open(&directory, &engine).expect("opened").keep("abc", &compiled(&engine));
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).expect("opened to others");
            let cache = CodeCache::open(&directory, &engine).expect("opened again");
            assert_eq!(cache.load(&engine, "abc").is_some(), kept, "{mode:o}");
            assert_eq!(fs::metadata(&directory).expect("there").permissions().mode() & 0o777, 0o700);
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
