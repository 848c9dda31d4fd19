//! URLs of local folders.

use std::path::{Component, PathBuf};

/// `s3` of `s3://bucket/key`.
pub(super) fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    valid.then_some(scheme)
}

/// The absolute path of a local `url`, `.` and `..` resolved without looking at the disk.
pub(super) fn folder(url: &str) -> Option<PathBuf> {
    let path = match scheme(url) {
        Some("file") => {
            let url = url::Url::parse(url).ok()?;
            let plain = url.query().is_none() && url.fragment().is_none();
            plain.then_some(url)?.to_file_path().ok()?
        }
        Some(_) => return None,
        None => PathBuf::from(url),
    };
    let path = std::path::absolute(&path).unwrap_or(path);
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            component => normal.push(component),
        }
    }
    Some(normal)
}
