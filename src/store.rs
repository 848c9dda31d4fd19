//! A URL and what is behind it.
//!
//! Everything that is written, staging and receipts included, goes through [`Store`], so that where a dataset lies is
//! decided in one place. Objects appear whole or not at all, and what is written is on the disk when the call returns; but
//! for what lies under [`SCRATCH`], which is checked when it is used and can be made again.

use std::io;
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use url::Url;

/// Bytes of one part of a streamed upload, of which two may be in flight.
const PART: usize = 4 << 20;
const PARTS_IN_FLIGHT: usize = 2;

/// Where staging and receipts lie.
pub const SCRATCH: &str = "_runs/";

/// The I/O runtime. No pixels are touched on its workers.
static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("swinpipe-io")
        .enable_all()
        .build()
        .expect("the I/O runtime starts")
});

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is of a kind that this version does not know.
    #[error("`{url}`: this version works on local folders: give a path or a `file://` URL")]
    NotLocal {
        /// As given.
        url: String,
    },
    /// The URL cannot be parsed.
    #[error("`{url}` is not a path or a `file://` URL")]
    BadUrl {
        /// As given.
        url: String,
    },
    /// The folder cannot be made or reached.
    #[error("cannot use the folder {folder}: {source}{}", hint(.source))]
    Folder {
        /// The folder.
        folder: String,
        /// The system's words.
        source: io::Error,
    },
    /// A read or write failed.
    #[error("{action} {url}/{path}: {source}{}", hint(&**.source))]
    Object {
        /// What was tried, such as `cannot write`.
        action: &'static str,
        /// The store.
        url: String,
        /// The object.
        path: String,
        /// The store's words.
        source: Box<object_store::Error>,
    },
}

/// What to do about an error that has one usual cure, as the end of its message.
pub fn hint(error: &(dyn std::error::Error + 'static)) -> &'static str {
    let io = std::iter::successors(Some(error), |error| error.source()).find_map(|e| e.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            "; the disk is full: free some space and run again, finished work is kept"
        }
        Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
            "; it is not writable: change its permissions or name another folder"
        }
        _ => "",
    }
}

/// The folder that a path or `file://` URL names, absolute but not resolved.
///
/// # Errors
/// Another scheme, or nonsense.
pub fn local_folder(url: &str) -> Result<PathBuf, StoreError> {
    let bad = || StoreError::BadUrl { url: url.to_owned() };
    let path = match url.split_once("://") {
        Some(("file", _)) => Url::parse(url).map_err(|_| bad())?.to_file_path().map_err(|()| bad())?,
        Some(_) => return Err(StoreError::NotLocal { url: url.to_owned() }),
        None => PathBuf::from(url),
    };
    std::path::absolute(&path).map_err(|_| bad())
}

/// A place for objects.
#[derive(Debug, Clone)]
pub struct Store {
    durable: Arc<dyn ObjectStore>,
    scratch: Arc<dyn ObjectStore>,
    folder: PathBuf,
}

impl Store {
    /// The store at a local folder, which must exist.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(folder: &FsPath) -> Result<Store, StoreError> {
        let shown = folder.display().to_string();
        let failed = |source| StoreError::Folder { folder: shown.clone(), source };
        let folder = folder.canonicalize().map_err(failed)?;
        let objects = |fsync| -> Result<Arc<dyn ObjectStore>, StoreError> {
            let objects = LocalFileSystem::new_with_prefix(&folder).map_err(|e| failed(io::Error::other(e)))?;
            Ok(Arc::new(objects.with_fsync(fsync).with_automatic_cleanup(true)))
        };
        Ok(Store { durable: objects(true)?, scratch: objects(false)?, folder })
    }

    /// The store at a local folder, which is made if it does not exist.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn create(folder: &FsPath) -> Result<Store, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::Folder { folder: folder.display().to_string(), source })?;
        Store::open(folder)
    }

    /// The local folder.
    pub fn folder(&self) -> &FsPath {
        &self.folder
    }

    /// The folder as a `file://` URL that ends in `/`.
    pub fn url(&self) -> Url {
        Url::from_directory_path(&self.folder).expect("a canonical path is absolute")
    }

    fn objects(&self, path: &str) -> &dyn ObjectStore {
        if path.starts_with(SCRATCH) { &*self.scratch } else { &*self.durable }
    }

    fn failed(&self, action: &'static str, path: &str) -> impl FnOnce(object_store::Error) -> StoreError {
        let (url, path) = (self.folder.display().to_string(), path.to_owned());
        move |source| StoreError::Object { action, url, path, source: Box::new(source) }
    }

    /// Writes an object, replacing what is there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn put(&self, path: &str, bytes: impl Into<PutPayload>) -> Result<(), StoreError> {
        let location = Path::from(path);
        let put = self.objects(path).put(&location, bytes.into());
        RUNTIME.block_on(put).map(|_| ()).map_err(self.failed("cannot write", path))
    }

    /// Reads an object whole; `None` if there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn get(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let get = async { self.objects(path).get(&Path::from(path)).await?.bytes().await };
        match RUNTIME.block_on(get) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("cannot read", path)(error)),
        }
    }

    /// Reads parts of an object.
    ///
    /// # Errors
    /// See [`StoreError`]; an object that is too short is an error as well.
    pub fn get_ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        let location = Path::from(path);
        let get = self.objects(path).get_ranges(&location, ranges);
        RUNTIME.block_on(get).map_err(self.failed("cannot read", path))
    }

    /// An object's size in bytes; `None` if there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        match RUNTIME.block_on(self.objects(path).head(&Path::from(path))) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("cannot read", path)(error)),
        }
    }

    /// The paths and sizes of the objects under `prefix`, sorted.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let list =
            self.objects(prefix).list(Some(&Path::from(prefix))).map_ok(|meta| (meta.location.to_string(), meta.size));
        let mut found: Vec<_> = RUNTIME.block_on(list.try_collect()).map_err(self.failed("cannot list", prefix))?;
        found.sort_unstable();
        Ok(found)
    }

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn delete(&self, path: &str) -> Result<(), StoreError> {
        match RUNTIME.block_on(self.objects(path).delete(&Path::from(path))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("cannot remove", path)(error)),
        }
    }

    /// Removes what a killed process left of objects that never appeared, if `ours` says so of the object's path.
    ///
    /// Until an object appears it lies beside its place, as `<name>#<number>`, where no listing shows it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn sweep(&self, ours: impl Fn(&str) -> bool) -> Result<(), StoreError> {
        let failed = |source| StoreError::Folder { folder: self.folder.display().to_string(), source };
        for entry in walkdir::WalkDir::new(&self.folder) {
            let entry = entry.map_err(|error| failed(error.into()))?;
            let path = entry.path().strip_prefix(&self.folder).unwrap_or(entry.path()).to_string_lossy();
            let unfinished = path.rsplit_once('#').filter(|(_, number)| number.bytes().all(|b| b.is_ascii_digit()));
            if entry.file_type().is_file() && unfinished.is_some_and(|(object, _)| ours(object)) {
                std::fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Streams an object in parts; it appears when [`Upload::finish`] returns.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn upload(&self, path: &str) -> Result<Upload, StoreError> {
        let started = RUNTIME.block_on(self.objects(path).put_multipart(&Path::from(path)));
        let upload = started.map_err(self.failed("cannot write", path))?;
        let parts = WriteMultipart::new_with_chunk_size(upload, PART);
        Ok(Upload { parts: Some(parts), store: self.clone(), path: path.to_owned(), failure: Failure::default() })
    }
}

/// An object that is being written; dropped unfinished it leaves nothing behind.
pub struct Upload {
    /// Taken by `finish`.
    parts: Option<WriteMultipart>,
    store: Store,
    path: String,
    failure: Failure,
}

/// The store's own error behind an `io::Error` that a write returned, kept where it outlives the upload.
#[derive(Clone, Default)]
pub struct Failure(Arc<Mutex<Option<StoreError>>>);

impl Failure {
    /// The error, once.
    pub fn take(&self) -> Option<StoreError> {
        self.0.lock().ok().and_then(|mut slot| slot.take())
    }
}

impl io::Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let parts = self.parts.as_mut().expect("not finished");
        let _in_runtime = RUNTIME.enter();
        parts.write(bytes);
        if let Err(error) = RUNTIME.block_on(parts.wait_for_capacity(PARTS_IN_FLIGHT)) {
            let error = self.store.failed("cannot write", &self.path)(error);
            let told = io::Error::other(error.to_string());
            if let Ok(mut slot) = self.failure.0.lock() {
                *slot = Some(error);
            }
            return Err(told);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Upload {
    /// Makes the object appear.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn finish(mut self) -> Result<(), StoreError> {
        let parts = self.parts.take().expect("finished once");
        let finished = RUNTIME.block_on(parts.finish()).map(|_| ());
        finished.map_err(self.store.failed("cannot write", &self.path))
    }

    /// Where the error behind a failed write will be found.
    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take()
            && let Err(error) = RUNTIME.block_on(parts.abort())
        {
            tracing::warn!("{}: the unfinished upload is left behind: {error}", self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn objects_are_written_read_listed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("a b%20ü")).unwrap();
        store.put("x/one", "1").unwrap();
        store.put("x/two", "12").unwrap();
        assert_eq!(store.get("x/two").unwrap().unwrap(), "12");
        assert_eq!(store.get_ranges("x/two", &[1..2, 0..1]).unwrap(), [&b"2"[..], b"1"]);
        assert_eq!(store.get("x/three").unwrap(), None);
        assert_eq!(store.list("x").unwrap(), [("x/one".to_owned(), 1), ("x/two".to_owned(), 2)]);
        store.delete("x/one").unwrap();
        store.delete("x/one").unwrap();
        assert_eq!(store.size("x/one").unwrap(), None);
        assert!(Store::open(&folder.path().join("nothing here")).is_err());
    }

    #[test]
    fn an_upload_appears_only_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let bytes = vec![7u8; PART * 5 / 2];
        let mut upload = store.upload("big").unwrap();
        upload.write_all(&bytes).unwrap();
        assert_eq!(store.get("big").unwrap(), None);
        upload.finish().unwrap();
        assert_eq!(store.get("big").unwrap().unwrap(), bytes);
        let mut dropped = store.upload("dropped").unwrap();
        dropped.write_all(&bytes).unwrap();
        drop(dropped);
        assert_eq!(store.list("").unwrap().len(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        assert!(local_folder("s3://bucket/x").unwrap_err().to_string().contains("s3://bucket/x"));
        assert_eq!(local_folder("file:///a/b%20c").unwrap(), PathBuf::from("/a/b c"));
        assert!(local_folder("data").unwrap().is_absolute());
    }
}
