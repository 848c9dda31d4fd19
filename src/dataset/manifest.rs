//! The split manifest: a row for every object that a version met, whatever became of it.
//!
//! A version writes only the rows that are new or changed in it; the whole manifest is the latest row of each (uri, id,
//! label) over the parts that the version names.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, UInt64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::sample::{Action, Change, Format, Reason, Sha256};
use crate::shard::writer::{ParquetFile, WriteError, Written};
use crate::store::Store;

/// A row of the manifest. `None` is null: not known, or it does not apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The object's key, relative to the source.
    pub uri: String,
    /// The object's etag when it was listed.
    pub etag: String,
    /// Bytes at the source.
    pub size: u64,
    /// SHA-256 of the source bytes.
    pub id: Option<Sha256>,
    /// SHA-256 of the stored bytes.
    pub image_sha256: Option<Sha256>,
    /// Class name.
    pub label: Option<String>,
    /// Format that the extension claims.
    pub declared_format: Option<Format>,
    /// Format of the content.
    pub real_format: Option<Format>,
    /// What became of it.
    pub action: Action,
    /// What was done to it.
    pub changes: Vec<Change>,
    /// Why it is kept out.
    pub reason: Option<Reason>,
    /// More about the reason, or worth knowing of a good image.
    pub detail: Option<String>,
    /// Pixels, of the stored image.
    pub width: Option<u32>,
    /// Pixels, of the stored image.
    pub height: Option<u32>,
    /// The source's mode, in Pillow's words.
    pub mode: Option<String>,
    /// The source's EXIF orientation.
    pub orientation: Option<u32>,
    /// The source's frames.
    pub frames: Option<u32>,
    /// Perceptual hash.
    pub phash: Option<u64>,
    /// The object that stands for this duplicate.
    pub duplicate_of: Option<String>,
    /// Split.
    pub split: Option<String>,
    /// Path of its shard.
    pub shard: Option<String>,
    /// Row in its shard, from 0.
    pub row: Option<u64>,
    /// Run that wrote this row.
    pub run: String,
    /// Version that this row came with.
    pub version: u64,
}

impl Entry {
    /// The row as a JSON object, its keys in the file's order.
    pub fn to_json(&self) -> serde_json::Value {
        let digest = |digest: Option<Sha256>| digest.map(|digest| digest.to_string());
        serde_json::json!({
            "uri": self.uri,
            "etag": self.etag,
            "size": self.size,
            "id": digest(self.id),
            "image_sha256": digest(self.image_sha256),
            "label": self.label,
            "group": null,
            "declared_format": self.declared_format,
            "real_format": self.real_format,
            "action": self.action,
            "changes": self.changes,
            "reason": self.reason,
            "detail": self.detail,
            "width": self.width,
            "height": self.height,
            "mode": self.mode,
            "orientation": self.orientation,
            "frames": self.frames,
            "phash": self.phash,
            "cluster": digest(self.cluster()),
            "duplicate_of": self.duplicate_of,
            "split": self.split,
            "fold": null,
            "copies": 0,
            "shard": self.shard,
            "row": self.row,
            "run": self.run,
            "version": self.version,
        })
    }

    /// First-seen id of its cluster: its own, since near duplicates are not looked for.
    fn cluster(&self) -> Option<Sha256> {
        self.id.filter(|_| self.action.in_dataset())
    }
}

/// What each column means, in the file's order.
pub const COLUMNS: [(&str, &str); 28] = [
    ("uri", "The object's key, relative to the source; bytes that are not UTF-8 are percent-encoded."),
    ("etag", "Changes when the object may have changed."),
    ("size", "Bytes at the source."),
    ("id", "SHA-256 of the source bytes; null if it was not read."),
    ("image_sha256", "SHA-256 of the stored bytes."),
    ("label", "Name of the class."),
    ("group", "What must not be divided between splits; null without groups."),
    ("declared_format", "Format that the extension claims; null if it claims none."),
    ("real_format", "Format of the content."),
    ("action", "What became of the object: exactly one word of a closed list."),
    ("changes", "Everything that was done to its bytes or name, in order."),
    ("reason", "Why it is kept out of the dataset: a word of a closed list."),
    ("detail", "The decoder's words, or what is worth knowing of a good image."),
    ("width", "Pixels, of the stored image."),
    ("height", "Pixels, of the stored image."),
    ("mode", "Mode of the source image, in Pillow's words."),
    ("orientation", "EXIF orientation of the source image, 1 to 8."),
    ("frames", "Frames of the source image."),
    ("phash", "64-bit perceptual hash of the stored image."),
    ("cluster", "First-seen id of its cluster of near duplicates; its own id where there are none."),
    ("duplicate_of", "Key of the object that stands for this one."),
    ("split", "Split; null if it is in none."),
    ("fold", "Fold of a k-fold split; null without folds."),
    ("copies", "Augmented copies of it in the dataset."),
    ("shard", "Path of the shard that holds it."),
    ("row", "Its row in that shard, from 0."),
    ("run", "Run that wrote this row."),
    ("version", "Version that this row came with."),
];

/// The Arrow schema of a manifest part.
pub fn schema() -> Arc<Schema> {
    let field = |name: &str| {
        let (data_type, nullable) = match name {
            "uri" | "etag" | "action" | "run" => (DataType::Utf8, false),
            "size" | "version" => (DataType::Int64, false),
            "fold" | "row" => (DataType::Int64, true),
            "width" | "height" | "orientation" | "frames" => (DataType::Int32, true),
            "copies" => (DataType::Int32, false),
            "phash" => (DataType::UInt64, true),
            "changes" => (DataType::List(Arc::new(Field::new("element", DataType::Utf8, false))), false),
            _ => (DataType::Utf8, true),
        };
        Field::new(name, data_type, nullable)
    };
    Arc::new(Schema::new(COLUMNS.iter().map(|(name, _)| field(name)).collect::<Vec<_>>()))
}

/// Rows handed to the Parquet writer at a time.
const BATCH_ROWS: usize = 16_384;

/// Writes a manifest part.
///
/// # Errors
/// See [`WriteError`].
pub fn write(store: &Store, path: String, entries: &[Entry]) -> Result<Written, WriteError> {
    let mut file = ParquetFile::create(store, path, schema(), u64::MAX)?;
    for entries in entries.chunks(BATCH_ROWS) {
        file.append(columns(entries), 0)?;
    }
    file.finish()
}

fn columns(entries: &[Entry]) -> Vec<ArrayRef> {
    fn text<'a>(entries: &'a [Entry], get: impl Fn(&'a Entry) -> Option<&'a str>) -> ArrayRef {
        let mut builder = StringBuilder::new();
        entries.iter().for_each(|entry| builder.append_option(get(entry)));
        Arc::new(builder.finish())
    }
    fn digest(entries: &[Entry], get: impl Fn(&Entry) -> Option<Sha256>) -> ArrayRef {
        let mut builder = StringBuilder::new();
        entries.iter().for_each(|entry| builder.append_option(get(entry).map(|digest| digest.to_string())));
        Arc::new(builder.finish())
    }
    fn int(entries: &[Entry], get: impl Fn(&Entry) -> Option<u32>) -> ArrayRef {
        let mut builder = Int32Builder::new();
        entries.iter().for_each(|entry| builder.append_option(get(entry).map(|value| value as i32)));
        Arc::new(builder.finish())
    }
    fn long(entries: &[Entry], get: impl Fn(&Entry) -> Option<u64>) -> ArrayRef {
        let mut builder = Int64Builder::new();
        entries.iter().for_each(|entry| builder.append_option(get(entry).map(|value| value as i64)));
        Arc::new(builder.finish())
    }
    let mut changes = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, false));
    let mut phash = UInt64Builder::new();
    for entry in entries {
        changes.append_value(entry.changes.iter().map(|change| Some(change.as_str())));
        phash.append_option(entry.phash);
    }
    let (mut changes, mut phash) = (Some(changes), Some(phash));
    let column = |(name, _): &(&str, &str)| -> ArrayRef {
        match *name {
            "uri" => text(entries, |e| Some(&e.uri)),
            "etag" => text(entries, |e| Some(&e.etag)),
            "size" => long(entries, |e| Some(e.size)),
            "id" => digest(entries, |e| e.id),
            "image_sha256" => digest(entries, |e| e.image_sha256),
            "label" => text(entries, |e| e.label.as_deref()),
            "declared_format" => text(entries, |e| e.declared_format.map(Format::as_str)),
            "real_format" => text(entries, |e| e.real_format.map(Format::as_str)),
            "action" => text(entries, |e| Some(e.action.as_str())),
            "changes" => Arc::new(changes.take().expect("one such column").finish()),
            "reason" => text(entries, |e| e.reason.map(Reason::as_str)),
            "detail" => text(entries, |e| e.detail.as_deref()),
            "width" => int(entries, |e| e.width),
            "height" => int(entries, |e| e.height),
            "mode" => text(entries, |e| e.mode.as_deref()),
            "orientation" => int(entries, |e| e.orientation),
            "frames" => int(entries, |e| e.frames),
            "phash" => Arc::new(phash.take().expect("one such column").finish()),
            "cluster" => digest(entries, Entry::cluster),
            "duplicate_of" => text(entries, |e| e.duplicate_of.as_deref()),
            "split" => text(entries, |e| e.split.as_deref()),
            "copies" => int(entries, |_| Some(0)),
            "fold" => long(entries, |_| None),
            "shard" => text(entries, |e| e.shard.as_deref()),
            "row" => long(entries, |e| e.row),
            "run" => text(entries, |e| Some(&e.run)),
            "version" => long(entries, |e| Some(e.version)),
            _ => text(entries, |_| None),
        }
    };
    COLUMNS.iter().map(column).collect()
}

/// Why a manifest part cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not a Parquet file of ours.
    #[error("cannot read the manifest part: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// A batch cannot be decoded.
    #[error("cannot read the manifest part: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A column is missing or of another type.
    #[error("the manifest part has no column `{0}` of the wanted type")]
    Column(&'static str),
    /// A word of a newer version.
    #[error("cannot read the manifest part: {0}")]
    Word(#[from] crate::sample::UnknownWord),
    /// A digest that is none.
    #[error("cannot read the manifest part: {0}")]
    Digest(#[from] crate::sample::NotADigest),
}

/// Reads a manifest part from its bytes.
///
/// # Errors
/// See [`ManifestError`].
pub fn read(bytes: bytes::Bytes) -> Result<Vec<Entry>, ManifestError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(BATCH_ROWS).build()?;
    let mut entries = Vec::new();
    for batch in reader {
        read_batch(&batch?, &mut entries)?;
    }
    Ok(entries)
}

fn read_batch(batch: &RecordBatch, entries: &mut Vec<Entry>) -> Result<(), ManifestError> {
    let column = |name| batch.column_by_name(name).ok_or(ManifestError::Column(name));
    let text = |name| column(name)?.as_string_opt::<i32>().ok_or(ManifestError::Column(name));
    let long = |name| column(name)?.as_primitive_opt::<Int64Type>().ok_or(ManifestError::Column(name));
    let int = |name| column(name)?.as_primitive_opt::<Int32Type>().ok_or(ManifestError::Column(name));
    let (uri, etag, id, image_sha256) = (text("uri")?, text("etag")?, text("id")?, text("image_sha256")?);
    let (label, declared, real) = (text("label")?, text("declared_format")?, text("real_format")?);
    let (action, reason, detail, mode) = (text("action")?, text("reason")?, text("detail")?, text("mode")?);
    let (duplicate_of, split, shard, run) = (text("duplicate_of")?, text("split")?, text("shard")?, text("run")?);
    let (size, row, version) = (long("size")?, long("row")?, long("version")?);
    let (width, height, orientation, frames) = (int("width")?, int("height")?, int("orientation")?, int("frames")?);
    let changes = column("changes")?.as_list_opt::<i32>().ok_or(ManifestError::Column("changes"))?;
    let phash = column("phash")?.as_primitive_opt::<UInt64Type>().ok_or(ManifestError::Column("phash"))?;
    for i in 0..batch.num_rows() {
        let string = |array: &arrow::array::StringArray| array.is_valid(i).then(|| array.value(i).to_owned());
        let number = |array: &arrow::array::Int32Array| array.is_valid(i).then(|| array.value(i) as u32);
        let word = |array: &arrow::array::StringArray| array.is_valid(i).then(|| array.value(i).to_owned());
        let made = changes.value(i);
        let made = made.as_string_opt::<i32>().ok_or(ManifestError::Column("changes"))?;
        entries.push(Entry {
            uri: uri.value(i).to_owned(),
            etag: etag.value(i).to_owned(),
            size: size.value(i) as u64,
            id: word(id).map(|text| text.parse()).transpose()?,
            image_sha256: word(image_sha256).map(|text| text.parse()).transpose()?,
            label: string(label),
            declared_format: word(declared).map(|text| text.parse()).transpose()?,
            real_format: word(real).map(|text| text.parse()).transpose()?,
            action: action.value(i).parse()?,
            changes: made.iter().flatten().map(str::parse).collect::<Result<_, _>>()?,
            reason: word(reason).map(|text| text.parse()).transpose()?,
            detail: string(detail),
            width: number(width),
            height: number(height),
            mode: string(mode),
            orientation: number(orientation),
            frames: number(frames),
            phash: phash.is_valid(i).then(|| phash.value(i)),
            duplicate_of: string(duplicate_of),
            split: string(split),
            shard: string(shard),
            row: row.is_valid(i).then(|| row.value(i) as u64),
            run: run.value(i).to_owned(),
            version: version.value(i) as u64,
        });
    }
    Ok(())
}

/// The latest row of each (uri, id, label), sorted by uri; within a uri the latest version comes last, and within that what
/// the object no longer is comes first.
pub fn latest(mut rows: Vec<Entry>) -> Vec<Entry> {
    fn key(row: &Entry) -> (&str, Option<Sha256>, Option<&str>) {
        (&row.uri, row.id, row.label.as_deref())
    }
    // In place: the rows of a large dataset do not fit into memory twice.
    rows.sort_unstable_by(|a, b| key(a).cmp(&key(b)).then(b.version.cmp(&a.version)));
    rows.dedup_by(|later, first| key(later) == key(first));
    rows.sort_unstable_by(|a, b| {
        let in_version = |row: &Entry| (row.version, row.action != Action::Removed);
        let in_uri = (in_version(a), a.label.as_deref(), a.id).cmp(&(in_version(b), b.label.as_deref(), b.id));
        a.uri.cmp(&b.uri).then(in_uri)
    });
    rows
}
