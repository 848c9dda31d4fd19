//! Why a run cannot be planned.

use crate::dataset::version::OpenError;
use crate::source::folder::ListError;
use crate::source::label::LabelError;
use crate::source::table::TableError;
use crate::store::StoreError;

/// Why nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The source cannot be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// The source holds nothing that the file wants.
    #[error("{source_url} holds no file that the pipeline takes: {}", excluded_words(.excluded))]
    Empty {
        /// The source.
        source_url: String,
        /// Files that the globs leave out.
        excluded: u64,
    },
    /// No object has a label.
    #[error("no object of {source_url} has a label: {hint}")]
    NoLabels {
        /// The source.
        source_url: String,
        /// What to do about it.
        hint: String,
    },
    /// The label rule does not work.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// The split table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The dataset cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The dataset's folder holds something else.
    #[error(
        "{folder} is not empty and not a swinpipe dataset (it holds `{found}`): name another folder in dataset.url"
    )]
    Occupied {
        /// The folder.
        folder: String,
        /// Something in it.
        found: String,
    },
    /// The dataset's path cannot be written as the Delta log writes paths.
    #[error(
        "the dataset cannot be at {folder}: its path holds {what}, which the Delta log's URLs do not carry; name another folder in dataset.url"
    )]
    BadPath {
        /// The folder.
        folder: String,
        /// The character.
        what: &'static str,
    },
    /// The dataset's log is gone.
    #[error(
        "{folder} holds a dataset whose _delta_log is gone: restore it from a copy, or name another folder in dataset.url"
    )]
    NoLog {
        /// The folder.
        folder: String,
    },
    /// The dataset's folder cannot be one.
    #[error("the dataset cannot be at {folder}: {file} is a file; name a folder in dataset.url")]
    IsAFile {
        /// The folder.
        folder: String,
        /// The file, there or on the way.
        file: String,
    },
    /// The dataset lies in its source, or the source in it, by way of a link.
    #[error(
        "the dataset {dataset} and the source folder {source_folder} lie one inside the other, by way of a link: the dataset would ingest itself; name another folder in dataset.url"
    )]
    Nested {
        /// The dataset's folder, links resolved.
        dataset: String,
        /// The source's, likewise.
        source_folder: String,
    },
    /// A trial was made with other settings.
    #[error("the trial at {folder} was made with other settings: delete that folder to try again")]
    OtherTrial {
        /// The trial's folder.
        folder: String,
    },
    /// A URL is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The seed or the classes would contradict what is committed.
    #[error(
        "{url} was made with {known}, the file says {wanted}: committed samples keep their split and their class's code; keep the old setting, or name another dataset"
    )]
    Contradicts {
        /// The dataset.
        url: String,
        /// Its setting.
        known: String,
        /// The file's.
        wanted: String,
    },
}

fn excluded_words(excluded: &u64) -> String {
    match excluded {
        0 => "the folder is empty: check source.url".to_owned(),
        1 => "its 1 file is left out by source.include and source.exclude".to_owned(),
        n => format!("its {n} files are left out by source.include and source.exclude"),
    }
}
