//! Sealing, and the key file.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn key_path() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    (directory, path)
}

#[test]
fn a_sealed_text_opens_only_with_its_key_and_for_its_channel() {
    let ((_one, here), (_two, there)) = (key_path(), key_path());
    let (keys, others) =
        (Keys::open(&here, MissingKeyFile::Create).unwrap(), Keys::open(&there, MissingKeyFile::Create).unwrap());
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
fn a_key_file_is_private_and_an_error_does_not_quote_it() {
    let (_directory, path) = key_path();
    assert!(matches!(Keys::open(&path, MissingKeyFile::Refuse), Err(StoreError::Key { .. })), "it is not created");
    let none = Keys::open(&path, MissingKeyFile::Leave).unwrap();
    assert!(matches!(none.seal("email", "hunter2"), Err(StoreError::Key { .. })), "nothing is sealed without a key");
    assert!(!path.exists());
    Keys::open(&path, MissingKeyFile::Create).unwrap();
    assert!(!path.with_extension("key.draft").exists());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for (text, expected) in [("", "contains no key"), ("canary", "line 1"), (&"0".repeat(63), "line 1")] {
        fs::write(&path, text).unwrap();
        let error = Keys::open(&path, MissingKeyFile::Create).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("canary"), "{text}: {error}");
    }
}

#[test]
fn creating_a_key_file_does_not_replace_another() {
    let (_directory, path) = key_path();
    let key = |byte| Keys { path: path.clone(), keys: vec![Secret::new([byte; KEY_BYTES])] };
    key(1).create().unwrap();
    assert!(matches!(key(2).create(), Err(StoreError::Key { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap().trim(), "01".repeat(KEY_BYTES));
}

#[test]
fn an_old_key_opens_until_it_is_removed() {
    let (_directory, path) = key_path();
    let old = Keys::open(&path, MissingKeyFile::Create).unwrap();
    let sealed = old.seal("email", "hunter2").unwrap();
    old.add().unwrap();
    let both = Keys::open(&path, MissingKeyFile::Refuse).unwrap();
    assert_eq!(both.unseal("email", &sealed).unwrap().expose(), "hunter2");
    assert!(!both.is_current("email", &sealed));
    let again = both.seal("email", "hunter2").unwrap();
    assert!(both.is_current("email", &again));
    both.keep_first().unwrap();
    let new = Keys::open(&path, MissingKeyFile::Refuse).unwrap();
    assert_eq!(new.unseal("email", &again).unwrap().expose(), "hunter2");
    assert!(new.unseal("email", &sealed).is_err());
    assert!(!format!("{new:?}").contains(&hex::encode(new.keys[0].expose())[..8]));
}
