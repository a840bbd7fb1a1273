//! The keys under which channels' secrets are sealed, and the file that they are in. One key a line, in 64 hexadecimal
//! digits: the first seals, every one opens, so that a key is replaced without a moment in which something cannot be read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use tidings_domain::secret::Secret;

use crate::{Result, StoreError};

/// What a sealed text begins with; JSON never does.
const SEALED: &str = "sealed:1:";
const KEY_BYTES: usize = 32;
/// The name of the file that is made where none was named.
const FILE: &str = "secrets.key";

type Key = Secret<[u8; KEY_BYTES]>;

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// `secrets.key` beside the database, made for a database that has nothing sealed.
    Beside,
    /// A file that is there already.
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

/// Keys, read. None at all where a command looks at a database before its daemon made them: nothing is sealed there yet.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    path: PathBuf,
    /// The first seals.
    keys: Vec<Key>,
}

/// What is done where there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingKeyFile {
    /// One is made. For the daemon alone, which holds the database's lock and runs as the user who is to read the file.
    Make,
    /// Then there are no keys.
    Leave,
    /// It is an error: the file was named, or something is sealed.
    Refuse,
}

impl Keys {
    /// Reads the file.
    pub(crate) fn open(path: &Path, lacking: MissingKeyFile) -> Result<Keys> {
        match (fs::read_to_string(path), lacking) {
            (Ok(text), _) => Keys::read(path, &text),
            (Err(error), MissingKeyFile::Make) if error.kind() == io::ErrorKind::NotFound => {
                Keys { path: path.to_owned(), keys: vec![generate(path)?] }.make()
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
            // Never with the line itself.
            let wrong = |_| fault(path, format!("line {} is not a key of 64 hexadecimal digits", number + 1));
            hex::decode_to_slice(line.trim(), &mut key).map_err(wrong)?;
            keys.push(Secret::new(key));
        }
        if keys.is_empty() {
            return Err(fault(path, "there is no key in it".to_owned()));
        }
        Ok(Keys { path: path.to_owned(), keys })
    }

    /// A new key in front of these, in the file too.
    pub(crate) fn add(mut self) -> Result<Keys> {
        self.keys.insert(0, generate(&self.path)?);
        self.put(|draft, path| fs::rename(draft, path))?;
        Ok(self)
    }

    /// The first alone, in the file too.
    pub(crate) fn forget_others(mut self) -> Result<Keys> {
        self.keys.truncate(1);
        self.put(|draft, path| fs::rename(draft, path))?;
        Ok(self)
    }

    /// Makes the file; never in the place of one that somebody put there meanwhile.
    fn make(self) -> Result<Keys> {
        self.put(|draft, path| fs::hard_link(draft, path).and_then(|()| fs::remove_file(draft)))?;
        Ok(self)
    }

    /// Writes beside and lets `place` give it its name, so that there is a whole file at every moment.
    fn put(&self, place: impl FnOnce(&Path, &Path) -> io::Result<()>) -> Result<()> {
        let lines = self.keys.iter().map(|key| hex::encode(key.expose()) + "\n");
        let text = Secret::new(lines.collect::<String>());
        let draft = self.path.with_extension("key.draft");
        let written = (|| {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(text.expose().as_bytes())?;
            file.sync_all()?;
            place(&draft, &self.path)?;
            let directory = self.path.parent().filter(|directory| !directory.as_os_str().is_empty());
            fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
        })();
        written.map_err(|error: io::Error| fault(&self.path, format!("it cannot be written: {error}")))
    }

    /// A text that only these keys open, and only as the secrets of this channel.
    pub(crate) fn seal(&self, channel: &str, text: &str) -> Result<String> {
        let failed = || fault(&self.path, format!("the secrets of {channel} cannot be sealed"));
        let none = || fault(&self.path, "the daemon makes it at its first start, and there is none yet".to_owned());
        let first = self.keys.first().ok_or_else(none)?;
        // By chance is good enough: a channel's secrets are written a few times a year, not billions of times.
        let nonce: [u8; NONCE_LEN] = random().ok_or_else(failed)?;
        let mut sealed = text.as_bytes().to_vec();
        let done = cipher(first).and_then(|cipher| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            cipher.seal_in_place_append_tag(nonce, Aad::from(bound_to(channel)), &mut sealed).ok()
        });
        done.ok_or_else(failed)?;
        Ok(format!("{SEALED}{}{}", hex::encode(nonce), hex::encode(sealed)))
    }

    /// What was sealed. A text in clear, from before there were keys, is as it is.
    pub(crate) fn unseal(&self, channel: &str, text: &str) -> Result<Secret> {
        if !is_sealed(text) {
            return Ok(Secret::new(text.to_owned()));
        }
        let opened = self.keys.iter().find_map(|key| open(key, channel, text));
        opened.ok_or_else(|| {
            let detail = format!(
                "no key in it opens the secrets of the channel {channel}, which were sealed with another key or changed \
                 since; put the key back that was there"
            );
            fault(&self.path, detail)
        })
    }

    /// Whether a text is as [`seal`](Keys::seal) would leave it today.
    pub(crate) fn is_current(&self, channel: &str, text: &str) -> bool {
        self.keys.first().is_some_and(|first| open(first, channel, text).is_some())
    }
}

/// Whether a text was sealed, by whatever key.
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

/// ChaCha20-Poly1305 (RFC 8439); none only where a key has not its length.
fn cipher(key: &Key) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key.expose()).ok().map(LessSafeKey::new)
}

/// So that nobody who can write to the database moves one channel's secrets to another's plugin.
fn bound_to(channel: &str) -> Vec<u8> {
    [b"tidings secrets of the channel ".as_slice(), channel.as_bytes()].concat()
}

fn generate(path: &Path) -> Result<Key> {
    random().map(Secret::new).ok_or_else(|| fault(path, "this machine gives no random numbers".to_owned()))
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok().map(|()| bytes)
}

fn fault(path: &Path, detail: String) -> StoreError {
    StoreError::Key { path: path.display().to_string(), detail }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        (directory, path)
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_channel_and_not_otherwise() {
        let ((_one, here), (_two, there)) = (place(), place());
        let (keys, others) =
            (Keys::open(&here, MissingKeyFile::Make).unwrap(), Keys::open(&there, MissingKeyFile::Make).unwrap());
        let sealed = keys.seal("email", "hunter2").unwrap();
        assert!(is_sealed(&sealed) && !sealed.contains("hunter2") && !sealed.contains(&hex::encode("hunter2")));
        assert_ne!(sealed, keys.seal("email", "hunter2").unwrap(), "each time another nonce");
        assert_eq!(keys.unseal("email", &sealed).unwrap().expose(), "hunter2");
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 1;
        changed[last] = if changed[last] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).unwrap();
        for (name, keys, channel, text) in [
            ("another key", &others, "email", &*sealed),
            ("another channel", &keys, "irc", &sealed),
            ("changed", &keys, "email", &changed),
            ("cut off", &keys, "email", &sealed[..40]),
            ("nothing in it", &keys, "email", SEALED),
        ] {
            let error = keys.unseal(channel, text).expect_err(name);
            assert!(matches!(error, StoreError::Key { .. }), "{name}: {error}");
        }
        assert_eq!(keys.unseal("email", "{}").unwrap().expose(), "{}", "from before there were keys");
    }

    #[test]
    fn a_key_file_is_private_and_a_bad_one_is_named_without_what_is_in_it() {
        let (_directory, path) = place();
        assert!(
            matches!(Keys::open(&path, MissingKeyFile::Refuse), Err(StoreError::Key { .. })),
            "it is not made unasked"
        );
        let none = Keys::open(&path, MissingKeyFile::Leave).unwrap();
        assert!(
            matches!(none.seal("email", "hunter2"), Err(StoreError::Key { .. })),
            "nothing is sealed without a key"
        );
        assert!(!path.exists());
        Keys::open(&path, MissingKeyFile::Make).unwrap();
        assert!(!path.with_extension("key.draft").exists());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for (text, expected) in [("", "there is no key"), ("canary", "line 1"), (&"0".repeat(63), "line 1")] {
            fs::write(&path, text).unwrap();
            let error = Keys::open(&path, MissingKeyFile::Make).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("canary"), "{text}: {error}");
        }
    }

    #[test]
    fn a_key_that_is_made_takes_no_place_of_another() {
        let (_directory, path) = place();
        let key = |byte| Keys { path: path.clone(), keys: vec![Secret::new([byte; KEY_BYTES])] };
        key(1).make().unwrap();
        assert!(matches!(key(2).make(), Err(StoreError::Key { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), "01".repeat(KEY_BYTES));
    }

    #[test]
    fn an_old_key_opens_until_it_is_forgotten() {
        let (_directory, path) = place();
        let old = Keys::open(&path, MissingKeyFile::Make).unwrap();
        let sealed = old.seal("email", "hunter2").unwrap();
        old.add().unwrap();
        let both = Keys::open(&path, MissingKeyFile::Refuse).unwrap();
        assert_eq!(both.unseal("email", &sealed).unwrap().expose(), "hunter2");
        assert!(!both.is_current("email", &sealed));
        let again = both.seal("email", "hunter2").unwrap();
        assert!(both.is_current("email", &again));
        both.forget_others().unwrap();
        let new = Keys::open(&path, MissingKeyFile::Refuse).unwrap();
        assert_eq!(new.unseal("email", &again).unwrap().expose(), "hunter2");
        assert!(new.unseal("email", &sealed).is_err());
        assert!(!format!("{new:?}").contains(&hex::encode(new.keys[0].expose())[..8]));
    }
}
