//! Keys: the reversible mapping between a file's relative path and its object's `uri`.
//!
//! # Why
//! A key goes into Parquet columns, JSON, CSV and terminals, so it must be one line of valid UTF-8; a Unix file name is
//! any bytes but `/` and NUL. Nearly every name is its own key. What would not survive is percent-encoded: bytes that
//! are not UTF-8, control characters, line separators, and a `%` that would read as an encoded byte. So each path has
//! exactly one key and each valid key exactly one path; anything else is refused, above all what could leave the source.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A string that is not the key of any path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// The key is empty or absolute, ends in `/` or has two slashes in a row.
    #[error("`{0}` is not a key: a folder or file name in it is empty")]
    EmptyName(String),
    /// A name in the key is `.` or `..`.
    #[error("`{0}` is not a key: `.` and `..` are not names")]
    Dots(String),
    /// The key names a NUL byte, which no path can have.
    #[error("`{0}` is not a key: it has a NUL byte")]
    Nul(String),
    /// A character is encoded that must not be, or the other way round.
    #[error("`{0}` is not a key: that file's key is `{1}`")]
    NotCanonical(String, String),
}

/// The key of `path`, which must be relative and made of names only (no `.`, no `..`), as a walk below a root gives it.
pub fn from_path(path: &Path) -> String {
    encode(path.as_os_str())
}

/// The path of `key`, relative to the source and never above it: the inverse of [`from_path`].
pub fn to_path(key: &str) -> Result<PathBuf, BadKey> {
    let path = decode(key);
    for name in path.split(|&b| b == b'/') {
        match name {
            b"" => return Err(BadKey::EmptyName(key.to_owned())),
            b"." | b".." => return Err(BadKey::Dots(key.to_owned())),
            _ => {}
        }
    }
    if path.contains(&0) {
        return Err(BadKey::Nul(key.to_owned()));
    }
    let path = PathBuf::from(std::ffi::OsString::from_vec(path));
    let canonical = from_path(&path);
    if canonical == key { Ok(path) } else { Err(BadKey::NotCanonical(key.to_owned(), canonical)) }
}

/// Whether `c` would break a line, a terminal or a log.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn encode(name: &OsStr) -> String {
    let bytes = name.as_bytes();
    let mut key = String::with_capacity(bytes.len());
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let next = at + c.len_utf8();
            if is_unprintable(c) || (c == '%' && encoded_byte(&bytes[at..]).is_some()) {
                bytes[at..next].iter().for_each(|&byte| push_encoded(&mut key, byte));
            } else {
                key.push(c);
            }
            at = next;
        }
        chunk.invalid().iter().for_each(|&byte| push_encoded(&mut key, byte));
        at += chunk.invalid().len();
    }
    key
}

fn push_encoded(key: &mut String, byte: u8) {
    let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[nibble as usize]);
    key.extend(['%', digit(byte >> 4), digit(byte & 15)]);
}

/// The byte that `%` and two hexadecimal digits at the start of `bytes` stand for.
fn encoded_byte(bytes: &[u8]) -> Option<u8> {
    let digit = |c: u8| char::from(c).to_digit(16);
    match bytes {
        [b'%', high, low, ..] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    }
}

fn decode(key: &str) -> Vec<u8> {
    let mut rest = key.as_bytes();
    let mut path = Vec::with_capacity(rest.len());
    while let Some(&first) = rest.first() {
        let (byte, length) = encoded_byte(rest).map_or((first, 1), |byte| (byte, 3));
        path.push(byte);
        rest = &rest[length..];
    }
    path
}

/// `text`, a key or a part of one, as its file is named on disk; `None` where that is not printable UTF-8.
pub(crate) fn display_name(text: &str) -> Option<String> {
    match String::from_utf8(decode(text)) {
        Ok(name) if !name.contains(is_unprintable) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(bytes: &[u8]) -> &Path {
        Path::new(OsStr::from_bytes(bytes))
    }

    #[test]
    fn ordinary_names_are_their_own_keys() {
        for name in [
            "a.jpg",
            "cats/пёс 1.jpg",
            "100%.jpg",
            "50% off",
            "a\\b.jpg",
            "%zz",
            "%4",
            "a%",
            "é/日本.png",
            "..a/b..",
            " x ",
        ] {
            assert_eq!(from_path(Path::new(name)), name);
            assert_eq!(to_path(name), Ok(PathBuf::from(name)));
        }
    }

    #[test]
    fn what_would_not_survive_is_percent_encoded() {
        for (bytes, key) in [
            (&b"100%25 cat.jpg"[..], "100%2525 cat.jpg"),
            (b"%%41%fF", "%%2541%25fF"),
            (b"a\nb\r\t\x7f", "a%0Ab%0D%09%7F"),
            (b"caf\xe9.jpg", "caf%E9.jpg"),
            (b"%\xff/%4\xe9\xe9", "%%FF/%4%E9%E9"),
            ("\u{85}\u{2028}\u{2029}".as_bytes(), "%C2%85%E2%80%A8%E2%80%A9"),
            (b"\xf0\x9f/\xed\xa0\x80", "%F0%9F/%ED%A0%80"),
        ] {
            assert_eq!(from_path(path(bytes)), key);
            assert_eq!(to_path(key).unwrap(), path(bytes));
        }
    }

    #[test]
    fn a_key_never_leads_out_of_the_source() {
        let empty = |key: &str| BadKey::EmptyName(key.to_owned());
        let dots = |key: &str| BadKey::Dots(key.to_owned());
        for key in ["", "/", "/etc/passwd", "a//b", "a/", "%2Fetc/passwd"] {
            assert_eq!(to_path(key), Err(empty(key)));
        }
        for key in ["..", ".", "a/../b", "../a", "a/.", "%2E%2E/a", "%2e./a", "..%2Fa"] {
            assert_eq!(to_path(key), Err(dots(key)));
        }
        for key in ["a\0b", "a%00b"] {
            assert_eq!(to_path(key), Err(BadKey::Nul(key.to_owned())));
        }
    }

    #[test]
    fn a_second_spelling_of_a_key_is_refused_and_the_right_one_named() {
        for (key, right) in
            [("%41.jpg", "A.jpg"), ("a%2Fb", "a/b"), ("a%0a", "a%0A"), ("a\nb", "a%0Ab"), ("%C3%A9", "é")]
        {
            assert_eq!(to_path(key), Err(BadKey::NotCanonical(key.to_owned(), right.to_owned())));
        }
    }

    #[test]
    fn a_display_name_is_the_name_on_disk_if_that_can_be_shown() {
        assert_eq!(display_name("100%2525 wool").as_deref(), Some("100%25 wool"));
        assert_eq!(display_name("cats").as_deref(), Some("cats"));
        assert_eq!(display_name("caf%E9"), None);
        assert_eq!(display_name("a%0Ab"), None);
    }

    /// Names of any bytes that Unix allows, biased to those that matter here.
    fn name() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![any::<u8>(), prop::sample::select(b"%%%0aF5.\\ \n\xc2\x85\xe2\x80\xa8\xff".to_vec())];
        let wanted = |name: &Vec<u8>| name != b"." && name != b".." && !name.iter().any(|b| matches!(b, 0 | b'/'));
        prop::collection::vec(byte, 1..12).prop_filter("not a file name", wanted)
    }

    proptest! {
        #[test]
        fn any_path_comes_back_from_its_key(names in prop::collection::vec(name(), 1..4)) {
            let bytes = names.join(&b'/');
            let key = from_path(path(&bytes));
            prop_assert!(!key.contains(is_unprintable));
            let back = to_path(&key).unwrap();
            prop_assert_eq!(back.as_os_str().as_bytes(), bytes);
        }

        #[test]
        fn a_path_is_encoded_name_by_name(names in prop::collection::vec(name(), 1..4)) {
            let keys: Vec<_> = names.iter().map(|name| from_path(path(name))).collect();
            prop_assert_eq!(from_path(path(&names.join(&b'/'))), keys.join("/"));
        }

        #[test]
        fn any_accepted_key_comes_back_from_its_path(key in "([%0-9a-fA-F./é\n]|\\PC){0,12}") {
            if let Ok(path) = to_path(&key) {
                prop_assert_eq!(from_path(&path), key);
                prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
            }
        }
    }
}
