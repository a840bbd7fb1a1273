//! The keys that seal the secrets of channels, and their file. One key a line, in 64 hexadecimal digits: the first
//! seals, every one opens, so that secrets can be read at every moment of a key replacement.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use tidings_domain::secret::Secret;

use crate::error::{Result, StoreError};

/// The prefix of a sealed text; JSON never starts with it.
const SEALED: &str = "sealed:1:";
const KEY_BYTES: usize = 32;
/// The name of the default key file.
const FILE: &str = "secrets.key";

type Key = Secret<[u8; KEY_BYTES]>;

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// `secrets.key` beside the database; created for a database that has no sealed secrets.
    Beside,
    /// A file that must exist.
    At(PathBuf),
}

impl KeyFile {
    pub(crate) fn path(&self, database: &Path) -> PathBuf {
        match self {
            KeyFile::Beside => database.with_file_name(FILE),
            KeyFile::At(path) => path.clone(),
        }
    }
}

/// The keys of a file. There are none where a command opens a database before its daemon created them; nothing is
/// sealed there yet.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    path: PathBuf,
    /// The first seals.
    keys: Vec<Key>,
}

/// What to do where the file does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingKeyFile {
    /// Create it. For the daemon only: it holds the lock of the database and runs as the user who must be able to read
    /// it.
    Create,
    /// Use no keys.
    Leave,
    /// Fail: the settings name the file, or secrets are sealed.
    Refuse,
}

impl Keys {
    /// Reads the file.
    pub(crate) fn open(path: &Path, if_missing: MissingKeyFile) -> Result<Keys> {
        match (fs::read_to_string(path), if_missing) {
            (Ok(text), _) => Keys::read(path, &text),
            (Err(error), MissingKeyFile::Create) if error.kind() == io::ErrorKind::NotFound => {
                Keys { path: path.to_owned(), keys: vec![generate(path)?] }.create()
            }
            (Err(error), MissingKeyFile::Leave) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Keys { path: path.to_owned(), keys: Vec::new() })
            }
            (Err(error), _) => Err(fault(path, format!("it cannot be read: {error}"))),
        }
    }

    fn read(path: &Path, text: &str) -> Result<Keys> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let mut key = [0; KEY_BYTES];
            // The error never contains the line.
            let wrong = |_| fault(path, format!("line {} is not a key of 64 hexadecimal digits", number + 1));
            hex::decode_to_slice(line.trim(), &mut key).map_err(wrong)?;
            keys.push(Secret::new(key));
        }
        if keys.is_empty() {
            return Err(fault(path, "it contains no key".to_owned()));
        }
        Ok(Keys { path: path.to_owned(), keys })
    }

    /// Adds a new first key, in the file too.
    pub(crate) fn add(mut self) -> Result<Keys> {
        self.keys.insert(0, generate(&self.path)?);
        self.put(|draft, path| fs::rename(draft, path))?;
        Ok(self)
    }

    /// Removes all keys except the first, in the file too.
    pub(crate) fn keep_first(mut self) -> Result<Keys> {
        self.keys.truncate(1);
        self.put(|draft, path| fs::rename(draft, path))?;
        Ok(self)
    }

    /// Creates the file; fails where one was created meanwhile.
    fn create(self) -> Result<Keys> {
        self.put(|draft, path| fs::hard_link(draft, path).and_then(|()| fs::remove_file(draft)))?;
        Ok(self)
    }

    /// Writes a draft and lets `publish` give it its name, so that the file is complete at every moment.
    fn put(&self, publish: impl FnOnce(&Path, &Path) -> io::Result<()>) -> Result<()> {
        let lines = self.keys.iter().map(|key| hex::encode(key.expose()) + "\n");
        let text = Secret::new(lines.collect::<String>());
        let draft = self.path.with_extension("key.draft");
        let written = (|| {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(text.expose().as_bytes())?;
            file.sync_all()?;
            publish(&draft, &self.path)?;
            let directory = self.path.parent().filter(|directory| !directory.as_os_str().is_empty());
            fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
        })();
        written.map_err(|error: io::Error| fault(&self.path, format!("it cannot be written: {error}")))
    }

    /// Encrypts a text, so that only these keys decrypt it, and only as the secrets of this channel.
    pub(crate) fn seal(&self, channel: &str, text: &str) -> Result<String> {
        let failed = || fault(&self.path, format!("the secrets of {channel} cannot be sealed"));
        let none = || fault(&self.path, "it does not exist; the daemon creates it at its first start".to_owned());
        let first = self.keys.first().ok_or_else(none)?;
        // A random nonce does not repeat: a channel's secrets are written a few times a year, not billions of times.
        let nonce: [u8; NONCE_LEN] = random().ok_or_else(failed)?;
        let mut sealed = text.as_bytes().to_vec();
        let done = cipher(first).and_then(|cipher| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            cipher.seal_in_place_append_tag(nonce, Aad::from(bound_to(channel)), &mut sealed).ok()
        });
        done.ok_or_else(failed)?;
        Ok(format!("{SEALED}{}{}", hex::encode(nonce), hex::encode(sealed)))
    }

    /// Decrypts a sealed text. A text in clear, from a version before keys, is returned unchanged.
    pub(crate) fn unseal(&self, channel: &str, text: &str) -> Result<Secret> {
        if !is_sealed(text) {
            return Ok(Secret::new(text.to_owned()));
        }
        let opened = self.keys.iter().find_map(|key| open(key, channel, text));
        opened.ok_or_else(|| {
            let detail = format!(
                "no key in it opens the secrets of the channel {channel}: they were sealed with another key or changed \
                 since; restore the key that was there"
            );
            fault(&self.path, detail)
        })
    }

    /// Whether a text is sealed with the first key.
    pub(crate) fn is_current(&self, channel: &str, text: &str) -> bool {
        self.keys.first().is_some_and(|first| open(first, channel, text).is_some())
    }
}

/// Whether a text is sealed, with any key.
pub(crate) fn is_sealed(text: &str) -> bool {
    text.starts_with(SEALED)
}

fn open(key: &Key, channel: &str, text: &str) -> Option<Secret> {
    let bytes = hex::decode(text.strip_prefix(SEALED)?).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut sealed = sealed.to_vec();
    let opened = cipher(key)?.open_in_place(nonce, Aad::from(bound_to(channel)), &mut sealed).ok()?;
    String::from_utf8(opened.to_vec()).ok().map(Secret::new)
}

/// ChaCha20-Poly1305 (RFC 8439); none only where the key has the wrong length.
fn cipher(key: &Key) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key.expose()).ok().map(LessSafeKey::new)
}

/// The associated data, so that the secrets of one channel cannot be moved to another by writing to the database.
fn bound_to(channel: &str) -> Vec<u8> {
    [b"tidings secrets of the channel ".as_slice(), channel.as_bytes()].concat()
}

fn generate(path: &Path) -> Result<Key> {
    random().map(Secret::new).ok_or_else(|| fault(path, "the system provides no random numbers".to_owned()))
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok().map(|()| bytes)
}

fn fault(path: &Path, detail: String) -> StoreError {
    StoreError::Key { path: path.display().to_string(), detail }
}

#[cfg(test)]
mod tests;
