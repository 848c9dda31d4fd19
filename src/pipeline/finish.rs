//! The end of a run: the card, and away with what no version names.

use std::collections::HashSet;

use super::run::{LOCK, RunError};
use crate::dataset::describe;
use crate::dataset::version::Version;
use crate::store::Store;

/// Writes the card of `version`, if there is one, and removes what earlier runs left unfinished.
///
/// # Errors
/// The store's, or those of opening the version's tables.
pub fn finish(store: &Store, version: Option<&Version>) -> Result<(), RunError> {
    let Some(version) = version else { return Ok(()) };
    describe::write(version)?;
    let state = &version.state;
    let shards = version.shards()?;
    let named: HashSet<&str> = state
        .manifest
        .iter()
        .chain(&state.shards)
        .chain(&state.quarantine)
        .chain(shards.iter().map(|shard| &shard.file))
        .map(|file| file.path.as_str())
        .collect();
    for folder in ["data", "_manifest", "_quarantine"] {
        for (path, _) in store.list(folder)? {
            // Left by a run that ended before its commit; the lock says that it is not at work.
            if !named.contains(path.as_str()) && is_ours(&path) {
                store.delete(&path)?;
            }
        }
    }
    store.sweep(|path| is_ours(path) || ["_runs/", "_delta_log/"].iter().any(|folder| path.starts_with(folder)))?;
    for (path, _) in store.list("_runs")? {
        if path != LOCK {
            store.delete(&path)?;
        }
    }
    Ok(())
}

/// Whether a file has a name that a run gives: `<run>-<version>-<unit>.parquet`, `<version>-<run>[.shards].parquet`.
fn is_ours(path: &str) -> bool {
    if [describe::CARD, describe::CROISSANT].contains(&path) {
        return true;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(stem) = name.strip_suffix(".parquet") else { return false };
    let stem = stem.strip_suffix(".shards").unwrap_or(stem);
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let run = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match stem.split('-').collect::<Vec<_>>()[..] {
        [first, version, unit] => run(first) && number(version) && number(unit),
        [version, last] => number(version) && run(last),
        _ => false,
    }
}
