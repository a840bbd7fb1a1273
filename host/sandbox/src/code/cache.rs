//! Sealed code on disk, so that a start does not compile again. One file for each component and engine: the name is the
//! component's digest and the engine's fingerprint. A file whose seal does not match is deleted; its component is
//! compiled again.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::sealed::{self, fingerprint};

/// The mode bits that let other users than the owner write into a directory.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A directory of sealed code that only this user may enter.
pub(super) struct CodeCache {
    directory: PathBuf,
    suffix: String,
}

impl CodeCache {
    /// Opens the directory and makes it private. Removes the files of other engines and of unfinished writes, and all
    /// files if other users could write into it.
    ///
    /// # Errors
    /// The directory cannot be read or written, or belongs to another user.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> io::Result<CodeCache> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let metadata = fs::metadata(directory)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the directory belongs to another user"));
        }
        let was_writable = metadata.mode() & WRITABLE_BY_OTHERS != 0;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        let cache = CodeCache { directory: directory.to_owned(), suffix: format!("-{}.code", fingerprint(engine)) };
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let foreign = !entry.file_name().to_string_lossy().ends_with(&cache.suffix);
            if (foreign || was_writable) && !entry.file_type()?.is_dir() {
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

    /// Loads the component with this digest, if its code is cached and valid.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        let file = fs::read(&path).ok()?;
        let component = sealed::open(engine, &file).ok();
        if component.is_none() {
            tracing::warn!(path = %path.display(), "cached code is damaged; the component is compiled again");
            drop(fs::remove_file(path));
        }
        component
    }

    /// Writes sealed code. A failure is logged only: the component is compiled again when it is needed.
    pub(crate) fn store(&self, digest: &str, sealed: &[u8]) {
        let path = self.path(digest);
        if let Err(error) = self.write(&path, sealed) {
            tracing::warn!(path = %path.display(), %error, "cannot cache compiled code; the next start compiles again");
        }
    }

    /// Makes a temporary file without a name in the private directory. It disappears with its handle.
    pub(crate) fn temp_file(&self) -> io::Result<fs::File> {
        let path = self.temp_path();
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(path)?;
        Ok(file)
    }

    /// Writes a temporary file and renames it, so that a reader or a crash leaves a complete file or none.
    fn write(&self, path: &Path, sealed: &[u8]) -> io::Result<()> {
        let temporary = self.temp_path();
        let written = (|| {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(sealed)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        })();
        if written.is_err() {
            drop(fs::remove_file(&temporary));
        }
        written
    }

    fn temp_path(&self) -> PathBuf {
        self.directory.join(format!("{:032x}.tmp", rand::random::<u128>()))
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}{}", self.suffix))
    }
}

/// Removes a file. Another process may have removed it already.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::tests::{compiled, invalid_code};
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("readable");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn code_is_kept_privately_and_used_again() {
        let parent = tempfile::tempdir().expect("a directory");
        let directory = parent.path().join("code");
        let engine = Engine::default();
        let cache = CodeCache::open(&directory, &engine).expect("opened");
        assert!(cache.load(&engine, "abc").is_none(), "nothing is there yet");
        let code = compiled(&engine);
        cache.store("abc", &code);
        assert_eq!(names(&directory), [format!("abc{}", cache.suffix)]);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&cache.path("abc"))), (0o700, 0o600));
        cache.load(&engine, "abc").expect("from the cache");
        drop(cache.temp_file().expect("a file without a name"));
        assert_eq!(names(&directory).len(), 1);
    }

    #[test]
    fn damaged_or_foreign_code_is_deleted() {
        let parent = tempfile::tempdir().expect("a directory");
        let engine = Engine::default();
        let cache = CodeCache::open(parent.path(), &engine).expect("opened");
        let path = cache.path("abc");
        for invalid in invalid_code(&engine) {
            fs::write(&path, invalid).expect("written");
            assert!(cache.load(&engine, "abc").is_none());
            assert!(!path.exists(), "it is gone");
        }
    }

    #[test]
    fn files_of_another_engine_and_temporary_ones_are_removed_at_the_start() {
        let parent = tempfile::tempdir().expect("a directory");
        let engine = Engine::default();
        let cache = CodeCache::open(parent.path(), &engine).expect("opened");
        cache.store("abc", &compiled(&engine));
        for name in ["abc-0123456789abcdef.code", "00.tmp", "x"] {
            fs::write(parent.path().join(name), b"").expect("written");
        }
        CodeCache::open(parent.path(), &engine).expect("opened again");
        assert_eq!(names(parent.path()), [format!("abc{}", cache.suffix)]);
    }

    #[test]
    fn code_of_unused_components_is_removed() {
        let parent = tempfile::tempdir().expect("a directory");
        let engine = Engine::default();
        let cache = CodeCache::open(parent.path(), &engine).expect("opened");
        for digest in ["abc", "def"] {
            cache.store(digest, &compiled(&engine));
        }
        fs::write(parent.path().join("00.tmp"), b"").expect("written");
        cache.keep_only(&HashSet::from(["abc".to_owned(), "gone".to_owned()])).expect("removed");
        let mut left = names(parent.path());
        left.sort();
        assert_eq!(left, ["00.tmp".to_owned(), format!("abc{}", cache.suffix)], "a temporary file is being written");
    }

    #[test]
    fn what_others_could_could_have_written_is_removed() {
        let engine = Engine::default();
        for (mode, kept) in [(0o700, true), (0o755, true), (0o770, false), (0o702, false)] {
            let parent = tempfile::tempdir().expect("a directory");
            let directory = parent.path().join("code");
            CodeCache::open(&directory, &engine).expect("opened").store("abc", &compiled(&engine));
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).expect("opened to others");
            let cache = CodeCache::open(&directory, &engine).expect("opened again");
            assert_eq!(cache.load(&engine, "abc").is_some(), kept, "{mode:o}");
            assert_eq!(fs::metadata(&directory).expect("there").permissions().mode() & 0o777, 0o700);
        }
    }
}
