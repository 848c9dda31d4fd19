//! `swinpipe demo DIR`: a small, deterministic, dirty dataset to try everything on.
//!
//! Five classes of drawn shapes ([`draw`]), dirty in every way that swinpipe knows ([`dirt`]), and the truth about each
//! file. One set of [`Options`] gives the same bytes wherever the architecture and the C library, which rounds the
//! sines, are the same.
//!
//! ```text
//! DIR/<class>/<name>   the files; Options::images of them and a notes.txt
//! DIR/.DS_Store        litter
//! DIR/truth.csv        path,class,dirt,real_format,expected_action,expected_reason of every file here, itself included;
//!                      the last two are what a run with the default [clean] and [dedupe] makes of it
//! DIR/demo.json        the options; written last, so that a folder with it is complete
//! ```
//!
//! While a demo is drawn, `DIR/demo.json.partial` holds its options. A folder with it is an interrupted draw, which the
//! next call with the same options finishes. A finished demo is checked and mended likewise. Files that are not part of
//! it are never touched: a folder that holds any is refused.

mod shape;
mod dice;
pub mod draw;
pub mod dirt;
mod plan;
mod encode;
mod damage;
mod decoy;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use dirt::Dirt;
pub use encode::EncodeError;
use plan::File;
pub use shape::Shape;

/// What to draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Files in the class folders, dirty ones and copies included. From [`Options::FEWEST`] on; from about 300 on less
    /// than 5% of them are to be quarantined, below that more.
    pub images: usize,
    /// Another seed draws other pictures and gives the dirt to other files.
    pub seed: u64,
    /// Pixels of the shorter side of most pictures, 32 to 1024; a few are five times as large.
    pub side: u32,
}

impl Options {
    /// The fewest images among which every dirt is found.
    pub const FEWEST: usize = 80;
}

impl Default for Options {
    fn default() -> Self {
        Options { images: 600, seed: 42, side: 96 }
    }
}

/// What a demo holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Every file of the folder, `truth.csv` and `demo.json` included.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// The class names in order.
    pub classes: Vec<String>,
    /// How many files have each dirt, in the order of [`Dirt::ALL`].
    pub by_dirt: Vec<(Dirt, usize)>,
}

/// Why no demo was drawn.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Too few to hold every dirt.
    #[error("{0} images are too few to show every kind of dirt: ask for {least} or more", least = Options::FEWEST)]
    TooFew(usize),
    /// Too small to recognise a shape, or too large for a demo.
    #[error("pictures of {0} pixels a side: ask for 32 to 1024")]
    Side(u32),
    /// The folder holds something else.
    #[error(
        "`{dir}` is not empty and `{found}` is not part of a demo: name an empty or a new folder",
        dir = .dir.display(),
        found = .found.display()
    )]
    Foreign {
        /// The folder.
        dir: PathBuf,
        /// A path in it.
        found: PathBuf,
    },
    /// The folder holds a demo of other options.
    #[error(
        "`{dir}` holds a demo of {found}, not of {wanted}: name another folder, or delete that one first",
        dir = .dir.display()
    )]
    OtherOptions {
        /// The folder.
        dir: PathBuf,
        /// What it was drawn with.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The file system failed.
    #[error("cannot write the demo: {path}", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// An encoder failed.
    #[error("cannot draw {key}")]
    Encode {
        /// The file.
        key: String,
        /// The cause.
        source: EncodeError,
    },
}

const MARKER: &str = "demo.json";
const PARTIAL: &str = "demo.json.partial";
const TRUTH: &str = "truth.csv";

/// The content of `demo.json` and `demo.json.partial`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    made_by: String,
    /// Raised whenever the same options draw something else.
    version: u32,
    options: Options,
}

impl Marker {
    fn new(options: &Options) -> Self {
        Marker { made_by: "swinpipe demo".to_owned(), version: 1, options: options.clone() }
    }

    fn text(&self) -> String {
        format!("{:#}\n", serde_json::json!(self))
    }
}

/// Draws the demo of `options` into `dir`, or finishes or mends the one that is there.
///
/// # Errors
///
/// If `dir` holds anything else, is not writable, or the options are out of range.
pub fn write(dir: &Path, options: &Options) -> Result<Drawn, DemoError> {
    if !(32..=1024).contains(&options.side) {
        return Err(DemoError::Side(options.side));
    }
    let files = plan::files(options).ok_or(DemoError::TooFew(options.images))?;
    let marker = Marker::new(options).text();
    fs::create_dir_all(dir).map_err(|source| DemoError::Io { path: dir.to_owned(), source })?;
    refuse_foreign(dir, options, &files)?;

    let put = |path: &Path, bytes: &[u8]| put(&dir.join(path), bytes);
    let partial = dir.join(PARTIAL);
    if !dir.join(MARKER).exists() {
        put(Path::new(PARTIAL), marker.as_bytes())?;
    }
    for shape in Shape::ALL {
        let folder = dir.join(shape.as_str());
        fs::create_dir_all(&folder).map_err(|source| DemoError::Io { path: folder, source })?;
    }
    let drawn = files.par_iter().map(|file| {
        let bytes =
            encode::bytes(file, options).map_err(|source| DemoError::Encode { key: file.key.clone(), source })?;
        put(&file.path, &bytes)
    });
    let mut bytes = drawn.try_reduce(|| 0, |a, b| Ok(a + b))?;
    bytes += put(Path::new(TRUTH), truth(&files).as_bytes())?;
    bytes += put(Path::new(MARKER), marker.as_bytes())?;
    if partial.exists() {
        fs::remove_file(&partial).map_err(|source| DemoError::Io { path: partial, source })?;
    }

    let count = |dirt| files.iter().filter(|file| file.dirt == dirt).count();
    let by_dirt = Dirt::ALL.map(|dirt| (dirt, count(dirt) + if dirt == Dirt::NotAnImage { 2 } else { 0 }));
    Ok(Drawn {
        files: files.len() + 2,
        bytes,
        classes: Shape::ALL.map(|shape| shape.as_str().to_owned()).to_vec(),
        by_dirt: by_dirt.to_vec(),
    })
}

/// Writes `bytes` unless the file has them already, and returns how many they are.
fn put(path: &Path, bytes: &[u8]) -> Result<u64, DemoError> {
    let there = match fs::read(path) {
        Ok(there) => there == bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(source) => return Err(DemoError::Io { path: path.to_owned(), source }),
    };
    if !there {
        fs::write(path, bytes).map_err(|source| DemoError::Io { path: path.to_owned(), source })?;
    }
    Ok(bytes.len() as u64)
}

/// Refuses a folder that is neither empty nor a demo of `options`, finished or not.
fn refuse_foreign(dir: &Path, options: &Options, files: &[File]) -> Result<(), DemoError> {
    let failed = |path: PathBuf| move |source| DemoError::Io { path, source };
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| failed(dir.to_owned())(error.into()))?;
        let path = entry.path().strip_prefix(dir).unwrap_or(entry.path());
        found.push((path.to_owned(), entry.file_type().is_dir()));
    }
    let Some((first, _)) = found.first() else { return Ok(()) };

    let wanted = Marker::new(options);
    let marker = [PARTIAL, MARKER].map(|name| dir.join(name)).into_iter().find(|path| path.exists());
    let Some(marker) = marker else { return Err(DemoError::Foreign { dir: dir.to_owned(), found: first.clone() }) };
    let text = fs::read_to_string(&marker).map_err(failed(marker.clone()))?;
    match serde_json::from_str::<Marker>(&text) {
        Ok(found) if found == wanted => {}
        Ok(found) => {
            let (found, wanted) = (found.to_string(), wanted.to_string());
            return Err(DemoError::OtherOptions { dir: dir.to_owned(), found, wanted });
        }
        // Cut off while it was written.
        Err(_) if wanted.text().starts_with(&text) => {}
        Err(_) => return Err(DemoError::Foreign { dir: dir.to_owned(), found: marker }),
    }

    let folders = Shape::ALL.map(Shape::as_str);
    let ours: HashSet<&Path> =
        files.iter().map(|file| &*file.path).chain([MARKER, PARTIAL, TRUTH].map(Path::new)).collect();
    let is_ours = |path: &Path, is_dir: bool| match is_dir {
        true => folders.iter().any(|folder| path == Path::new(folder)),
        false => ours.contains(path),
    };
    match found.into_iter().find(|(path, is_dir)| !is_ours(path, *is_dir)) {
        Some((found, _)) => Err(DemoError::Foreign { dir: dir.to_owned(), found }),
        None => Ok(()),
    }
}

impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Options { images, seed, side } = self.options;
        write!(f, "{images} images, seed {seed}, side {side}")?;
        if self.version == 1 { Ok(()) } else { write!(f, " (drawing version {})", self.version) }
    }
}

/// The content of `truth.csv`.
fn truth(files: &[File]) -> String {
    let mut text = "path,class,dirt,real_format,expected_action,expected_reason\n".to_owned();
    let own = [MARKER, TRUTH].map(|key| (key, "", Dirt::NotAnImage));
    let mut rows: Vec<_> =
        files.iter().map(|f| (&*f.key, f.class.map_or("", Shape::as_str), f.dirt)).chain(own).collect();
    rows.sort_unstable();
    for (key, class, dirt) in rows {
        let (action, reason) = dirt.expected();
        let reason = reason.map_or("", |reason| reason.as_str());
        let row = [&*quoted(key), class, dirt.as_str(), dirt.real_format().as_str(), action.as_str(), reason];
        text.push_str(&row.join(","));
        text.push('\n');
    }
    text
}

/// A CSV field (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests;
