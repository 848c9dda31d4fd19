//! Opening a dataset: which version, what it holds.
//!
//! Everything that a version needs beyond its shards is named, with its SHA-256, in one JSON document that the commit
//! carries as Delta domain metadata: [`State`]. A reader of version *v* therefore never sees a file of version *v* + 1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use delta_kernel::Engine;
use delta_kernel::snapshot::{Snapshot, SnapshotRef};
use delta_kernel_default_engine::DefaultEngineBuilder;
use object_store::local::LocalFileSystem;
use serde::{Deserialize, Serialize};

use super::manifest::{self, Entry};
use crate::sample::Sha256;
use crate::shard::writer::Written;
use crate::store::{Store, StoreError, local_folder};

/// Version of the dataset's format that this program writes and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The Delta metadata domain of [`State`].
pub const DOMAIN: &str = "swinpipe";

/// What a version holds, beside the Delta log's own file list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Version of the format.
    pub format: u32,
    /// Version of swinpipe that committed it.
    pub swinpipe: String,
    /// The dataset's name.
    pub name: String,
    /// The run that committed it.
    pub run: String,
    /// Seed of the splits and of the order of rows.
    pub seed: u64,
    /// Strategy of the splits.
    pub strategy: String,
    /// Version of the perceptual hash.
    pub phash: u32,
    /// Class names in the order of their codes; empty in a dataset without labels.
    pub classes: Vec<String>,
    /// The splits, in order.
    pub splits: Vec<String>,
    /// Digests of the listing and of the settings: what names a run, and what tells that settings changed.
    pub inputs: Inputs,
    /// Manifest parts, oldest first.
    pub manifest: Vec<Written>,
    /// Tables of the shards added by each version, oldest first.
    pub shards: Vec<Written>,
    /// Quarantine files, oldest first.
    pub quarantine: Vec<Written>,
}

/// Digests of what a version was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Of every object's key, size and etag, and of the labels and splits that tables give them.
    pub objects: String,
    /// Of `[clean]`.
    pub clean: String,
    /// Of `[dedupe]`, `[split]`, `[source]`'s classes and the seed.
    pub assign: String,
}

/// Why a dataset cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing is there.
    #[error("there is no dataset at {0}: run a pipeline that writes to it, or check the path")]
    Missing(String),
    /// A Delta table without our domain.
    #[error("{0} holds a Delta table that swinpipe did not write: name another folder")]
    Foreign(String),
    /// The version does not exist.
    #[error("{url} has no version {wanted}: its newest is {latest}")]
    NoVersion {
        /// The dataset.
        url: String,
        /// As asked for.
        wanted: u64,
        /// The newest.
        latest: u64,
    },
    /// After `@` stands no number.
    #[error("`{0}`: after `@` comes a version number, such as `{1}@0`")]
    BadVersion(String, String),
    /// A newer swinpipe wrote it.
    #[error("{url} is written in dataset format {found}, this swinpipe reads up to {FORMAT}: use a newer one")]
    Newer {
        /// The dataset.
        url: String,
        /// Its format.
        found: u32,
    },
    /// Its state is not what we write.
    #[error("{url} does not hold a readable state: {source}")]
    State {
        /// The dataset.
        url: String,
        /// Serde's words.
        source: serde_json::Error,
    },
    /// The Delta log cannot be read.
    #[error("cannot read the Delta log of {url}: {}", first_line(.source))]
    Delta {
        /// The dataset.
        url: String,
        /// The kernel's words.
        source: Box<delta_kernel::KernelError>,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file that the version names is gone.
    #[error("{url} lacks {path}, which version {version} names: restore it from a copy, or open an older version")]
    Gone {
        /// The dataset.
        url: String,
        /// The file.
        path: String,
        /// The version.
        version: u64,
    },
    /// A file is not the one that was committed.
    #[error("{url}: {path} is not the file that was committed (its SHA-256 differs): restore it from a copy")]
    Altered {
        /// The dataset.
        url: String,
        /// The file.
        path: String,
    },
    /// A file of the version cannot be read.
    #[error("{url}: {path}: {source}")]
    Manifest {
        /// The dataset.
        url: String,
        /// The file.
        path: String,
        /// More.
        source: manifest::ManifestError,
    },
}

/// The kernel's words without the backtrace that may follow them.
fn first_line(error: &delta_kernel::KernelError) -> String {
    error.to_string().lines().next().unwrap_or("no reason is given").to_owned()
}

/// An open version of a dataset.
pub struct Version {
    /// Where it lies.
    pub store: Store,
    /// Its number, from 0.
    pub number: u64,
    /// What it holds.
    pub state: State,
    pub(super) snapshot: SnapshotRef,
}

/// The kernel's engine over the local file system; URLs carry the whole path.
pub(super) fn engine() -> impl Engine {
    DefaultEngineBuilder::new(Arc::new(LocalFileSystem::new().with_fsync(true))).build()
}

/// A dataset's folder and the version asked for, from `URL` or `URL@version`.
///
/// # Errors
/// A URL that is not local, a version that is no number.
pub fn parse_name(name: &str) -> Result<(PathBuf, Option<u64>), OpenError> {
    // A folder whose name contains `@` is itself, if it exists.
    let whole = local_folder(name)?;
    match name.rsplit_once('@') {
        Some((url, version)) if !whole.exists() => {
            let version = version.parse().map_err(|_| OpenError::BadVersion(name.to_owned(), url.to_owned()))?;
            Ok((local_folder(url)?, Some(version)))
        }
        _ => Ok((whole, None)),
    }
}

/// Opens a dataset named `URL` or `URL@version`.
///
/// # Errors
/// See [`OpenError`].
pub fn open(name: &str) -> Result<Version, OpenError> {
    let (folder, version) = parse_name(name)?;
    match find(&folder, version)? {
        Some(version) => Ok(version),
        None => Err(OpenError::Missing(folder.display().to_string())),
    }
}

/// Opens a version (the newest if none is named) of the dataset in `folder`; `None` if there is no Delta table.
///
/// # Errors
/// See [`OpenError`].
pub fn find(folder: &Path, version: Option<u64>) -> Result<Option<Version>, OpenError> {
    let url = folder.display().to_string();
    if !folder.join("_delta_log").is_dir() {
        return Ok(None);
    }
    let store = Store::open(folder)?;
    if store.list("_delta_log")?.iter().all(|(path, _)| !path.ends_with(".json")) {
        return Ok(None);
    }
    let engine = engine();
    let failed = |source| OpenError::Delta { url: url.clone(), source: Box::new(source) };
    let latest = Snapshot::builder_for(store.url()).build(&engine).map_err(failed)?;
    let snapshot = match version {
        Some(wanted) if wanted > latest.version() => {
            return Err(OpenError::NoVersion { url, wanted, latest: latest.version() });
        }
        Some(wanted) => Snapshot::builder_for(store.url()).at_version(wanted).build(&engine).map_err(failed)?,
        None => latest,
    };
    let state = snapshot.get_domain_metadata(DOMAIN, &engine).map_err(failed)?;
    let state = state.ok_or_else(|| OpenError::Foreign(url.clone()))?;
    let readable = |source| OpenError::State { url: url.clone(), source };
    // The format's version first: a newer state may lack or add fields.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_str(&state).map_err(readable)?;
    if format > FORMAT {
        return Err(OpenError::Newer { url, found: format });
    }
    let state = serde_json::from_str(&state).map_err(readable)?;
    Ok(Some(Version { store, number: snapshot.version(), state, snapshot }))
}

impl Version {
    /// The dataset's folder, for messages.
    pub fn url(&self) -> String {
        self.store.folder().display().to_string()
    }

    /// Reads a file that the version names, and checks its digest.
    fn named(&self, file: &Written) -> Result<bytes::Bytes, OpenError> {
        let path = || (self.url(), file.path.clone());
        let Some(bytes) = self.store.get(&file.path)? else {
            let (url, path) = path();
            return Err(OpenError::Gone { url, path, version: self.number });
        };
        if Sha256::of(&bytes).to_string() != file.sha256 {
            let (url, path) = path();
            return Err(OpenError::Altered { url, path });
        }
        Ok(bytes)
    }

    /// The whole manifest: the latest row of each (uri, id, label).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn manifest(&self) -> Result<Vec<Entry>, OpenError> {
        Ok(manifest::latest(self.history()?))
    }

    /// Every row of every manifest part, oldest part first.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn history(&self) -> Result<Vec<Entry>, OpenError> {
        let mut parts = Vec::new();
        for file in &self.state.manifest {
            let failed = |source| OpenError::Manifest { url: self.url(), path: file.path.clone(), source };
            parts.extend(manifest::read(self.named(file)?).map_err(failed)?);
        }
        Ok(parts)
    }

    /// The shards, with their splits, sorted by path.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn shards(&self) -> Result<Vec<Shard>, OpenError> {
        let mut shards = Vec::new();
        for file in &self.state.shards {
            let failed = |source| OpenError::Manifest { url: self.url(), path: file.path.clone(), source };
            shards.extend(super::commit::read_shard_table(self.named(file)?).map_err(failed)?);
        }
        shards.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        Ok(shards)
    }

    /// The paths and sizes of the files in the Delta log's own list, sorted by path.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn logged_files(&self) -> Result<Vec<(String, u64)>, OpenError> {
        let failed = |source| OpenError::Delta { url: self.url(), source: Box::new(source) };
        let engine = engine();
        let scan = self.snapshot.clone().scan_builder().build().map_err(failed)?;
        let mut files = Vec::new();
        for metadata in scan.scan_metadata(&engine).map_err(failed)? {
            files = metadata
                .and_then(|metadata| {
                    metadata.visit_scan_files(files, |files: &mut Vec<(String, u64)>, file| {
                        files.push((file.path, file.size as u64));
                    })
                })
                .map_err(failed)?;
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// A shard of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// The file.
    #[serde(flatten)]
    pub file: Written,
    /// The split of all its rows.
    pub split: String,
}
