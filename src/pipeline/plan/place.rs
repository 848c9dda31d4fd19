//! Whether a dataset may lie where the file says.

use std::path::Path;

use super::PlanError;
use crate::dataset::describe;
use crate::pipeline::run::LOCK;
use crate::store::StoreError;

/// The kernel decodes the log's URLs once more than they were encoded, and splits them as a browser does.
pub(super) fn check_path(dataset: &Path) -> Result<(), PlanError> {
    let path = dataset.to_str();
    let held = |c: char| path.is_some_and(|path| path.contains(c));
    let what = match path {
        None => "bytes that are not UTF-8",
        Some(_) if held('%') => "`%`",
        Some(_) if held('\\') => "a backslash",
        Some(path) if path.contains(char::is_control) => "a control character",
        Some(_) => return Ok(()),
    };
    Err(PlanError::BadPath { folder: dataset.display().to_string(), what })
}

/// The file was checked for this, but not for links, which may be on the way to either.
pub(super) fn check_apart(source: &Path, dataset: &Path) -> Result<(), PlanError> {
    // Of what does not exist yet, the part that does.
    let resolved = |path: &Path| {
        let there = path.ancestors().find_map(|there| Some((there, there.canonicalize().ok()?)));
        there.map_or_else(|| path.to_owned(), |(there, real)| real.join(path.strip_prefix(there).unwrap_or(path)))
    };
    let (source, dataset) = (resolved(source), resolved(dataset));
    if source.starts_with(&dataset) || dataset.starts_with(&source) {
        let (dataset, source_folder) = (dataset.display().to_string(), source.display().to_string());
        return Err(PlanError::Nested { dataset, source_folder });
    }
    Ok(())
}

/// A folder without a Delta log is ours if it is empty or a run of ours has started in it.
pub(super) fn check_unoccupied(dataset: &Path) -> Result<(), PlanError> {
    let occupied = |found: String| PlanError::Occupied { folder: dataset.display().to_string(), found };
    let entries = match std::fs::read_dir(dataset) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            let file = dataset.ancestors().find(|path| path.is_file()).unwrap_or(dataset);
            return Err(PlanError::IsAFile { folder: dataset.display().to_string(), file: file.display().to_string() });
        }
        Err(source) => return Err(StoreError::Folder { folder: dataset.display().to_string(), source }.into()),
    };
    if dataset.join(LOCK).exists() {
        // A run writes the card behind its commit.
        let committed = dataset.join(describe::CARD).exists();
        let folder = dataset.display().to_string();
        return if committed { Err(PlanError::NoLog { folder }) } else { Ok(()) };
    }
    let failed = |source| StoreError::Folder { folder: dataset.display().to_string(), source };
    let name = |entry: std::io::Result<std::fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = entries.map(name).collect::<Result<_, _>>().map_err(failed)?;
    match names.into_iter().min() {
        Some(found) => Err(occupied(found)),
        None => Ok(()),
    }
}
