//! A local folder as a source: its listing, and reads that notice when a file is no longer the one that was listed.
//!
//! # Why
//! Nothing may be lost silently: a folder that cannot be listed stops the run, and what is no regular file is counted
//! as skipped with its reason. Nothing outside the root is read: a symlink counts only if its target lies inside. And
//! nothing may hang: FIFOs, sockets and devices are never listed, and one that took a file's place is not waited for.
//!
//! A file's `etag` is made of its inode, modification time and size, so an edit, a replacement and a touched file all
//! change it. A change that keeps all three (within one tick of the file system's clock) goes unnoticed here.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::key;
use crate::sample::Object;

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The files taken, sorted by the bytes of their `uri`.
    pub objects: Vec<Object>,
    /// Files left out by the globs.
    pub excluded: u64,
    /// What the globs would take and no run can, sorted by the bytes of its `uri`.
    pub skipped: Vec<Skipped>,
    /// Size of all `objects` in bytes.
    pub bytes: u64,
}

/// Something in the folder that is no readable file of the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Its key.
    pub uri: String,
    /// Why it is skipped.
    pub why: SkipReason,
}

/// Why something in the folder is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// A symlink to a place outside the source.
    SymlinkLeavesSource,
    /// A symlink to nothing.
    DanglingSymlink,
    /// A symlink to itself, or to a folder that contains it: its files are listed where they are.
    SymlinkLoop,
    /// A FIFO, socket or device.
    SpecialFile,
}

impl SkipReason {
    /// One phrase for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            SkipReason::SymlinkLeavesSource => "a symlink to a place outside the source",
            SkipReason::DanglingSymlink => "a symlink to nothing",
            SkipReason::SymlinkLoop => "a symlink to itself or to a folder that contains it",
            SkipReason::SpecialFile => "a FIFO, socket or device",
        }
    }
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.meaning())
    }
}

/// A glob that does not parse.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{glob}` is not a glob: {why}")]
pub struct BadGlob {
    /// The glob as written.
    pub glob: String,
    why: globset::ErrorKind,
}

/// Why a folder cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The root is not there.
    #[error("the source folder `{0}` does not exist: correct `source.url`, or mount or create the folder")]
    Missing(PathBuf),
    /// The root is a file or something else.
    #[error("the source `{0}` is not a folder: give the folder that holds the images as `source.url`")]
    NotAFolder(PathBuf),
    /// The root cannot be opened.
    #[error("the source folder `{0}` cannot be read: give this user permission to read and enter it")]
    Root(PathBuf, #[source] io::Error),
    /// A folder below the root cannot be listed.
    #[error(
        "the folder `{path}` cannot be listed: give this user permission to read and enter it, \
         or leave it out with `exclude = [\"{glob}\"]`"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The glob that would leave it out.
        glob: String,
        /// What the system said.
        source: io::Error,
    },
    /// A folder's entry cannot be looked at.
    #[error(
        "`{path}` cannot be looked at: give this user permission to enter its folder, \
         or leave it out with `exclude = [\"{glob}\"]`"
    )]
    Entry {
        /// The entry.
        path: PathBuf,
        /// The glob that would leave it out.
        glob: String,
        /// What the system said.
        source: io::Error,
    },
    /// A glob of `include` or `exclude` does not parse.
    #[error(transparent)]
    Glob(#[from] BadGlob),
}

/// Why a listed file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no longer the file that was listed, or changed while it was read.
    #[error("the file changed after it was listed")]
    Changed,
    /// It is not there any more.
    #[error("the file vanished after it was listed")]
    Gone,
    /// The system does not let it be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] io::Error),
}

/// A set of globs over keys: `*` and `?` stay within a name, `**` crosses folders; case counts.
pub fn compile(globs: &[String]) -> Result<GlobSet, BadGlob> {
    let bad = |glob: &str, e: globset::Error| BadGlob { glob: glob.to_owned(), why: e.kind().clone() };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(|e| bad(glob, e))?);
    }
    set.build().map_err(|e| bad(&globs.join(", "), e))
}

/// Everything below `root` that `include` takes and `exclude` does not. Listed without opening a file.
///
/// Symlinks are followed as long as they stay inside `root`; a file that two paths lead to is two objects.
pub fn list(root: &Path, include: &[String], exclude: &[String]) -> Result<Listing, ListError> {
    let globs = Globs::new(include, exclude)?;
    let real = fs::canonicalize(root).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => ListError::Missing(root.to_owned()),
        io::ErrorKind::NotADirectory => ListError::NotAFolder(root.to_owned()),
        _ => ListError::Root(root.to_owned(), e),
    })?;
    if !fs::metadata(&real).map_err(|e| ListError::Root(root.to_owned(), e))?.is_dir() {
        return Err(ListError::NotAFolder(root.to_owned()));
    }
    let mut walk = Walk { root, real_root: real.clone(), globs, folders: Vec::new(), listing: Listing::default() };
    walk.folders.push(Folder { path: root.to_owned(), uri: String::new(), real, links: None });
    while let Some(folder) = walk.folders.pop() {
        walk.folder(&folder)?;
    }
    let mut listing = walk.listing;
    listing.objects.sort_unstable_by(|a, b| a.uri.cmp(&b.uri));
    listing.skipped.sort_unstable();
    Ok(listing)
}

/// The etag of a file: inode, modification time in nanoseconds and size, in hexadecimal.
pub fn etag(file: &Metadata) -> String {
    let nanoseconds = i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec());
    format!("{:x}-{:x}-{:x}", file.ino(), nanoseconds, file.size())
}

/// The whole file of `object`, proven to be the one that was listed, before and after reading.
///
/// Reads `object.size` bytes into memory: hold that against the limits first.
pub fn read(root: &Path, object: &Object) -> Result<Bytes, ReadError> {
    let bytes = read_up_to(root, object, object.size)?;
    if bytes.len() as u64 == object.size { Ok(bytes) } else { Err(ReadError::Changed) }
}

/// The first `n` bytes of `object`, or all of a shorter one, with the same proof as [`read`].
pub fn read_head(root: &Path, object: &Object, n: usize) -> Result<Bytes, ReadError> {
    read_up_to(root, object, object.size.min(n as u64))
}

fn read_up_to(root: &Path, object: &Object, n: u64) -> Result<Bytes, ReadError> {
    let mut file = open(root, object)?;
    same(&file, object)?;
    let mut bytes = Vec::new();
    let length = usize::try_from(n).map_err(|_| unreadable(io::ErrorKind::OutOfMemory))?;
    bytes.try_reserve_exact(length).map_err(|_| unreadable(io::ErrorKind::OutOfMemory))?;
    file.by_ref().take(n).read_to_end(&mut bytes).map_err(ReadError::Unreadable)?;
    same(&file, object)?;
    Ok(Bytes::from(bytes))
}

fn unreadable(kind: io::ErrorKind) -> ReadError {
    ReadError::Unreadable(kind.into())
}

fn open(root: &Path, object: &Object) -> Result<File, ReadError> {
    let path =
        key::to_path(&object.uri).map_err(|e| ReadError::Unreadable(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
    // Without NONBLOCK, opening a FIFO that took the file's place waits for a writer, for ever.
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let opened = File::options().read(true).custom_flags(no_wait).open(root.join(path));
    opened.map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::Gone,
        // A socket, or a device without a driver, took its place.
        _ if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => ReadError::Changed,
        _ => ReadError::Unreadable(e),
    })
}

fn same(file: &File, object: &Object) -> Result<(), ReadError> {
    let now = file.metadata().map_err(ReadError::Unreadable)?;
    let same = now.is_file() && now.size() == object.size && etag(&now) == object.etag;
    if same { Ok(()) } else { Err(ReadError::Changed) }
}

/// What `include` and `exclude` say about a key.
struct Globs {
    include: GlobSet,
    exclude: GlobSet,
    /// The folders all of whose content `exclude` leaves out.
    exclude_folders: GlobSet,
}

impl Globs {
    fn new(include: &[String], exclude: &[String]) -> Result<Self, BadGlob> {
        let whole = |glob: &String| glob.strip_suffix("/**").or(glob.strip_suffix("/**/*")).map(str::to_owned);
        let folders: Vec<_> = exclude.iter().filter_map(whole).collect();
        // The folders' globs last: it is the glob as written that an error names.
        let (include, exclude) = (compile(include)?, compile(exclude)?);
        Ok(Globs { include, exclude, exclude_folders: compile(&folders)? })
    }

    fn take(&self, uri: &str) -> bool {
        self.include.is_match(uri) && !self.exclude.is_match(uri)
    }

    /// Whether nothing below the folder `uri` can be taken.
    fn exclude_folder(&self, uri: &str) -> bool {
        let ends = uri.match_indices('/').map(|(at, _)| at).chain([uri.len()]);
        ends.into_iter().any(|end| self.exclude_folders.is_match(&uri[..end]))
    }
}

/// A folder still to be listed.
struct Folder {
    path: PathBuf,
    /// Its key; empty for the root.
    uri: String,
    /// Where it is without symlinks.
    real: PathBuf,
    /// The symlinks that led here.
    links: Option<Rc<Link>>,
}

/// The folder that a followed symlink lies in, and the way to it.
struct Link {
    real: PathBuf,
    before: Option<Rc<Link>>,
}

impl Folder {
    /// Whether `target` contains this folder or a symlink on the way to it, so that following it would never end.
    fn is_below(&self, target: &Path) -> bool {
        let mut links = std::iter::successors(self.links.as_ref(), |link| link.before.as_ref());
        self.real.starts_with(target) || links.any(|link| link.real.starts_with(target))
    }
}

struct Walk<'a> {
    root: &'a Path,
    real_root: PathBuf,
    globs: Globs,
    folders: Vec<Folder>,
    listing: Listing,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Folder) -> Result<(), ListError> {
        let failed = |e| self.folder_error(folder, e);
        let entries = match fs::read_dir(&folder.path) {
            Ok(entries) => entries,
            Err(_) if !folder.uri.is_empty() && self.globs.exclude_folder(&folder.uri) => return Ok(()),
            Err(e) => return Err(failed(e)),
        };
        for entry in entries {
            self.entry(folder, &entry.map_err(|e| self.folder_error(folder, e))?)?;
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Folder, entry: &fs::DirEntry) -> Result<(), ListError> {
        let name = entry.file_name();
        let mut uri = key::from_path(Path::new(&name));
        if !folder.uri.is_empty() {
            uri = format!("{}/{uri}", folder.uri);
        }
        let kind = match entry.file_type() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            kind => kind.map_err(|e| entry_error(entry, &uri, e))?,
        };
        if kind.is_dir() {
            let real = folder.real.join(&name);
            self.folders.push(Folder { path: entry.path(), uri, real, links: folder.links.clone() });
        } else if kind.is_symlink() {
            self.symlink(folder, entry, uri)?;
        } else if !self.globs.take(&uri) {
            self.listing.excluded += 1;
        } else if !kind.is_file() {
            self.skip(uri, SkipReason::SpecialFile);
        } else {
            match entry.metadata() {
                // Deleted since its folder was read: a listing a moment later would not have it either.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(entry_error(entry, &uri, e)),
                Ok(file) => self.file(uri, &file),
            }
        }
        Ok(())
    }

    fn symlink(&mut self, folder: &Folder, entry: &fs::DirEntry, uri: String) -> Result<(), ListError> {
        if self.globs.exclude.is_match(&uri) || self.globs.exclude_folder(&uri) {
            self.listing.excluded += 1;
            return Ok(());
        }
        let target = fs::canonicalize(entry.path()).and_then(|real| fs::metadata(&real).map(|to| (real, to)));
        let (real, to) = match target {
            Ok(target) => target,
            Err(e) => {
                let why = match e.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SkipReason::DanglingSymlink,
                    _ if e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => SkipReason::SymlinkLoop,
                    _ => return Err(entry_error(entry, &uri, e)),
                };
                self.skip(uri, why);
                return Ok(());
            }
        };
        if !to.is_dir() && !self.globs.take(&uri) {
            self.listing.excluded += 1;
        } else if !real.starts_with(&self.real_root) {
            self.skip(uri, SkipReason::SymlinkLeavesSource);
        } else if !to.is_dir() {
            self.file(uri, &to);
        } else if folder.is_below(&real) {
            self.skip(uri, SkipReason::SymlinkLoop);
        } else {
            let links = Some(Rc::new(Link { real: folder.real.clone(), before: folder.links.clone() }));
            self.folders.push(Folder { path: entry.path(), uri, real, links });
        }
        Ok(())
    }

    /// Lists what the globs take, unless it was replaced by something else since its folder was read.
    fn file(&mut self, uri: String, file: &Metadata) {
        if !file.is_file() {
            return self.skip(uri, SkipReason::SpecialFile);
        }
        self.listing.bytes += file.size();
        self.listing.objects.push(Object { uri, size: file.size(), etag: etag(file) });
    }

    fn skip(&mut self, uri: String, why: SkipReason) {
        self.listing.skipped.push(Skipped { uri, why });
    }

    fn folder_error(&self, folder: &Folder, source: io::Error) -> ListError {
        if folder.uri.is_empty() {
            return ListError::Root(self.root.to_owned(), source);
        }
        let glob = format!("{}/**", globset::escape(&folder.uri));
        ListError::Folder { path: folder.path.clone(), glob, source }
    }
}

fn entry_error(entry: &fs::DirEntry, uri: &str, source: io::Error) -> ListError {
    ListError::Entry { path: entry.path(), glob: globset::escape(uri), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    fn globs(globs: &[&str]) -> Vec<String> {
        globs.iter().map(|&glob| glob.to_owned()).collect()
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    fn everything(root: &Path) -> Listing {
        list(root, &globs(&["**/*"]), &[]).unwrap()
    }

    fn uris(listing: &Listing) -> Vec<&str> {
        listing.objects.iter().map(|object| object.uri.as_str()).collect()
    }

    fn skipped(listing: &Listing) -> Vec<(&str, SkipReason)> {
        listing.skipped.iter().map(|skipped| (skipped.uri.as_str(), skipped.why)).collect()
    }

    fn fifo(path: &Path) {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap();
    }

    /// Runs `work` with a limit on time, so that a read that waits for a FIFO's writer fails and does not hang.
    fn without_waiting<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(work()));
        receiver.recv_timeout(std::time::Duration::from_secs(10)).expect("it waits")
    }

    #[test]
    fn files_of_all_folders_are_listed_by_the_bytes_of_their_keys() {
        let root = folder(&["b.jpg", "a/2.jpg", "a/1.jpg", "a.jpg", "a/b/c d.jpg", "B.jpg", "é.jpg", ".hidden"]);
        let listing = everything(root.path());
        assert_eq!(
            uris(&listing),
            [".hidden", "B.jpg", "a.jpg", "a/1.jpg", "a/2.jpg", "a/b/c d.jpg", "b.jpg", "é.jpg"]
        );
        assert_eq!(listing.objects[3].size, 7);
        assert_eq!(listing.bytes, listing.objects.iter().map(|object| object.size).sum::<u64>());
        assert_eq!((listing.excluded, listing.skipped.len()), (0, 0));
    }

    #[test]
    fn every_name_that_unix_allows_is_listed_and_read() {
        use std::os::unix::ffi::OsStrExt;
        let root = folder(&[]);
        for name in [&b"caf\xe9.jpg"[..], b"100%25.jpg", b"a\nb.jpg", b"a\\b.jpg", b"*?[x].jpg"] {
            fs::write(root.path().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
        }
        let listing = everything(root.path());
        assert_eq!(uris(&listing), ["*?[x].jpg", "100%2525.jpg", "a%0Ab.jpg", "a\\b.jpg", "caf%E9.jpg"]);
        let contents: Vec<_> = listing.objects.iter().map(|object| read(root.path(), object).unwrap()).collect();
        assert_eq!(contents, [&b"*?[x].jpg"[..], b"100%25.jpg", b"a\nb.jpg", b"a\\b.jpg", b"caf\xe9.jpg"]);
    }

    #[test]
    fn globs_take_and_leave_out_and_what_they_leave_out_is_counted() {
        let root = folder(&["a.jpg", "b.JPG", "x/c.jpg", "x/y/d.jpg", "x/y/e.txt"]);
        let listed = |include: &[&str], exclude: &[&str]| {
            let listing = list(root.path(), &globs(include), &globs(exclude)).unwrap();
            assert_eq!(listing.objects.len() as u64 + listing.excluded, 5);
            uris(&listing).join(" ")
        };
        assert_eq!(listed(&["*.jpg"], &[]), "a.jpg");
        assert_eq!(listed(&["**/*.jpg"], &[]), "a.jpg x/c.jpg x/y/d.jpg");
        assert_eq!(listed(&["**/*.{jpg,JPG}"], &["x/*"]), "a.jpg b.JPG x/y/d.jpg");
        assert_eq!(listed(&["**"], &["x/**"]), "a.jpg b.JPG");
        assert_eq!(listed(&["x/?/*"], &["**/*.txt"]), "x/y/d.jpg");
        assert_eq!(listed(&[], &[]), "");
    }

    #[test]
    fn a_bad_glob_is_named() {
        let root = folder(&["a.jpg"]);
        let message = |include: &[&str], exclude: &[&str]| {
            list(root.path(), &globs(include), &globs(exclude)).unwrap_err().to_string()
        };
        assert!(message(&["**/*", "a[.jpg"], &[]).starts_with("`a[.jpg` is not a glob: unclosed character class"));
        assert!(message(&["**/*"], &["{a/**"]).starts_with("`{a/**` is not a glob: unclosed alternate group"));
        assert!(compile(&globs(&["**/*", "a/*.jpg"])).is_ok());
    }

    #[test]
    fn a_root_that_is_no_readable_folder_is_refused_with_its_path() {
        let root = folder(&["a.jpg"]);
        let message = |path: &str| list(&root.path().join(path), &[], &[]).unwrap_err().to_string();
        assert!(message("nowhere").contains("nowhere` does not exist: correct `source.url`"));
        assert!(message("a.jpg").contains("a.jpg` is not a folder"));
        assert!(message("a.jpg/x").contains("a.jpg/x` is not a folder"));
    }

    #[test]
    fn a_folder_that_cannot_be_listed_stops_the_listing_unless_it_is_excluded() {
        let root = folder(&["a.jpg", "lost [1]/b.jpg"]);
        let lost = root.path().join("lost [1]");
        fs::set_permissions(&lost, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::read_dir(&lost).is_ok() {
            eprintln!("skipped: this user may read everything");
            return;
        }
        let error = list(root.path(), &globs(&["**/*"]), &[]).unwrap_err();
        let ListError::Folder { path, glob, .. } = &error else { panic!("{error:?}") };
        assert_eq!((path, glob.as_str()), (&lost, "lost [[]1[]]/**"));
        assert!(error.to_string().contains("or leave it out with `exclude = [\"lost [[]1[]]/**\"]`"), "{error}");
        assert_eq!(uris(&list(root.path(), &globs(&["**/*"]), std::slice::from_ref(glob)).unwrap()), ["a.jpg"]);

        fs::set_permissions(&lost, fs::Permissions::from_mode(0o400)).unwrap();
        let error = list(root.path(), &globs(&["**/*"]), &[]).unwrap_err();
        assert!(matches!(error, ListError::Entry { .. }), "{error:?}");
        fs::set_permissions(&lost, fs::Permissions::from_mode(0o700)).unwrap();

        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o000)).unwrap();
        let error = list(root.path(), &globs(&["**/*"]), &globs(&["**/*"])).unwrap_err();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(matches!(error, ListError::Root(..)), "{error:?}");
    }

    #[test]
    fn a_folder_too_deep_for_a_path_stops_the_listing() {
        let root = folder(&["a.jpg"]);
        let name = "n".repeat(250);
        let mut at = File::open(root.path()).unwrap();
        for _ in 0..20 {
            rustix::fs::mkdirat(&at, &name, rustix::fs::Mode::RWXU).unwrap();
            let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
            at = rustix::fs::openat(&at, &name, flags, rustix::fs::Mode::empty()).unwrap().into();
        }
        let error = list(root.path(), &globs(&["**/*"]), &[]).unwrap_err();
        assert!(matches!(error, ListError::Folder { .. }), "{error:?}");
        assert_eq!(uris(&list(root.path(), &globs(&["**/*"]), &globs(&["n*/**"])).unwrap()), ["a.jpg"]);
    }

    #[test]
    fn symlinks_are_followed_inside_the_source_and_skipped_outside() {
        let outside = folder(&["secret.jpg", "deep/secret.jpg"]);
        let root = folder(&["cats/1.jpg"]);
        let link = |to: &Path, at: &str| symlink(to, root.path().join(at)).unwrap();
        link(Path::new("cats/1.jpg"), "file.jpg");
        link(&root.path().join("cats"), "folder");
        link(&outside.path().join("secret.jpg"), "out.jpg");
        link(outside.path(), "out");
        link(Path::new("../.."), "cats/up");
        link(Path::new("nowhere"), "dangling.jpg");
        link(Path::new("cats/1.jpg/x"), "through.jpg");
        let listing = everything(root.path());
        assert_eq!(uris(&listing), ["cats/1.jpg", "file.jpg", "folder/1.jpg"]);
        assert_eq!(listing.objects[0].etag, listing.objects[1].etag);
        use SkipReason::*;
        assert_eq!(
            skipped(&listing),
            [
                ("cats/up", SymlinkLeavesSource),
                ("dangling.jpg", DanglingSymlink),
                ("folder/up", SymlinkLeavesSource),
                ("out", SymlinkLeavesSource),
                ("out.jpg", SymlinkLeavesSource),
                ("through.jpg", DanglingSymlink),
            ]
        );
        assert_eq!(read(root.path(), &listing.objects[2]).unwrap(), "cats/1.jpg");

        let listing = list(root.path(), &globs(&["**/1.jpg"]), &globs(&["out", "dangling*", "**/up/**"])).unwrap();
        assert_eq!(uris(&listing), ["cats/1.jpg", "folder/1.jpg"]);
        assert_eq!((skipped(&listing), listing.excluded), (vec![("through.jpg", DanglingSymlink)], 6));
    }

    #[test]
    fn a_root_behind_a_symlink_is_listed_as_if_it_were_there() {
        let root = folder(&["real/a.jpg"]);
        symlink("real", root.path().join("link")).unwrap();
        symlink("a.jpg", root.path().join("real/b.jpg")).unwrap();
        assert_eq!(uris(&everything(&root.path().join("link"))), ["a.jpg", "b.jpg"]);
    }

    #[test]
    fn symlinks_that_go_round_end() {
        let root = folder(&["a/1.jpg", "b/2.jpg"]);
        for (to, at) in [("self", "self"), ("..", "a/up"), (".", "a/here"), ("../b", "a/b"), ("../a", "b/a")] {
            symlink(to, root.path().join(at)).unwrap();
        }
        let listing = everything(root.path());
        assert_eq!(uris(&listing), ["a/1.jpg", "a/b/2.jpg", "b/2.jpg", "b/a/1.jpg"]);
        assert!(listing.skipped.iter().all(|skipped| skipped.why == SkipReason::SymlinkLoop), "{listing:?}");
        assert_eq!(listing.skipped.len(), 7);
    }

    #[test]
    fn special_files_are_skipped_and_never_opened() {
        let root = folder(&["a.jpg"]);
        fifo(&root.path().join("fifo.jpg"));
        fifo(&root.path().join("left.out"));
        symlink("fifo.jpg", root.path().join("link.jpg")).unwrap();
        let _socket = UnixListener::bind(root.path().join("socket.jpg")).unwrap();
        let path = root.path().to_owned();
        let listing = without_waiting(move || list(&path, &globs(&["**/*.jpg"]), &[]).unwrap());
        assert_eq!(uris(&listing), ["a.jpg"]);
        use SkipReason::SpecialFile;
        assert_eq!(
            skipped(&listing),
            [("fifo.jpg", SpecialFile), ("link.jpg", SpecialFile), ("socket.jpg", SpecialFile)]
        );
        assert_eq!(listing.excluded, 1);
    }

    #[test]
    fn a_file_is_read_whole_or_its_head() {
        let root = folder(&["a.jpg"]);
        fs::write(root.path().join("empty.jpg"), "").unwrap();
        let objects = everything(root.path()).objects;
        assert_eq!(read(root.path(), &objects[0]).unwrap(), "a.jpg");
        assert_eq!(read_head(root.path(), &objects[0], 2).unwrap(), "a.");
        assert_eq!(read_head(root.path(), &objects[0], 99).unwrap(), "a.jpg");
        assert_eq!(read(root.path(), &objects[1]).unwrap(), "");
    }

    #[test]
    fn a_file_that_changed_since_the_listing_is_not_read() {
        let root = folder(&["a.jpg", "same-size", "x/gone.jpg"]);
        let [a, same_size, gone] = everything(root.path()).objects.try_into().unwrap();
        let path = root.path().join("a.jpg");
        let changed = |object: &Object| matches!(read(root.path(), object), Err(ReadError::Changed));

        fs::write(&path, "longer than it was").unwrap();
        assert!(changed(&a));
        fs::write(root.path().join("other"), "same-size").unwrap();
        fs::rename(root.path().join("other"), root.path().join("same-size")).unwrap();
        assert!(changed(&same_size));
        assert!(matches!(read_head(root.path(), &same_size, 1), Err(ReadError::Changed)));

        fs::remove_file(&path).unwrap();
        assert!(matches!(read(root.path(), &a), Err(ReadError::Gone)));
        fs::create_dir(&path).unwrap();
        assert!(changed(&a));
        fs::remove_dir_all(root.path().join("x")).unwrap();
        fs::write(root.path().join("x"), "a file where a folder was").unwrap();
        assert!(matches!(read(root.path(), &gone), Err(ReadError::Gone)));
    }

    #[test]
    fn a_file_replaced_by_a_fifo_or_a_socket_counts_as_changed_without_waiting() {
        let root = folder(&["a.jpg", "b.jpg"]);
        for object in everything(root.path()).objects {
            let path = root.path().join(&object.uri);
            fs::remove_file(&path).unwrap();
            let _socket = match object.uri.as_str() {
                "a.jpg" => Some(UnixListener::bind(&path).unwrap()),
                _ => {
                    fifo(&path);
                    None
                }
            };
            let root = root.path().to_owned();
            let result = without_waiting(move || read(&root, &object));
            assert!(matches!(result, Err(ReadError::Changed)), "{result:?}");
        }
    }

    #[test]
    fn a_forged_object_reads_nothing_outside_the_source() {
        let root = folder(&["a.jpg", "sub/b.jpg"]);
        let forged = Object { uri: "../a.jpg".to_owned(), size: 5, etag: String::new() };
        assert!(matches!(read(&root.path().join("sub"), &forged), Err(ReadError::Unreadable(_))));
    }

    #[test]
    fn a_time_before_1970_has_an_etag() {
        let root = folder(&["a.jpg"]);
        let old = std::time::SystemTime::UNIX_EPOCH - std::time::Duration::from_millis(1500);
        File::options().write(true).open(root.path().join("a.jpg")).unwrap().set_modified(old).unwrap();
        let objects = everything(root.path()).objects;
        assert_eq!(read(root.path(), &objects[0]).unwrap(), "a.jpg");
    }
}
