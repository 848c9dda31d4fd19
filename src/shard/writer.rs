//! Writing a file of the dataset: in one pass, hashed as it is streamed out, never held whole in memory.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder, StructArray};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use sha2::Digest;

use super::schema;
use crate::sample::{Reason, Sha256};
use crate::store::{Failure, Store, StoreError, Upload};

/// Image bytes gathered before they are handed to the Parquet writer.
const BATCH_BYTES: usize = 1 << 20;

/// A row of a shard.
pub struct Row<'a> {
    /// The encoded image.
    pub bytes: &'a [u8],
    /// Path relative to the source, extension corrected.
    pub path: &'a str,
    /// Class code.
    pub label: Option<i64>,
    /// Split.
    pub split: &'a str,
    /// Identity.
    pub id: Sha256,
    /// Digest of `bytes`.
    pub image_sha256: Sha256,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// A row of a quarantine file.
pub struct QuarantineRow<'a> {
    /// The object's key.
    pub uri: &'a str,
    /// Identity; null if the object was not read.
    pub id: Option<Sha256>,
    /// Class name, if one is known.
    pub label: Option<&'a str>,
    /// Why it is here.
    pub reason: Reason,
    /// The decoder's words.
    pub detail: Option<&'a str>,
    /// Bytes at the source.
    pub size: u64,
    /// The source's bytes; null if it was not read.
    pub bytes: Option<&'a [u8]>,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Written {
    /// Path in the dataset.
    pub path: String,
    /// Digest of the file, in hexadecimal digits.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
}

/// What can go wrong while writing.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The Parquet writer refused.
    #[error("cannot write {path}: {source}")]
    Parquet {
        /// The file.
        path: String,
        /// Parquet's words.
        source: ParquetError,
    },
    /// Columns that do not fit together.
    #[error("cannot write {path}: {source}")]
    Arrow {
        /// The file.
        path: String,
        /// Arrow's words.
        source: ArrowError,
    },
}

/// An upload that is hashed and counted on its way.
struct Hashed {
    upload: Upload,
    digest: sha2::Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.upload.write(bytes)?;
        self.digest.update(&bytes[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.upload.flush()
    }
}

/// A Parquet file on its way into a store.
pub struct ParquetFile {
    path: String,
    schema: Arc<Schema>,
    writer: ArrowWriter<Hashed>,
    /// The store's own error if there is one: Parquet only passes on its text.
    failure: Failure,
    row_group_size: usize,
    in_row_group: usize,
    rows: u64,
}

impl ParquetFile {
    /// Starts a file. `row_group_size`: bytes after which a row group ends.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn create(store: &Store, path: String, schema: Arc<Schema>, row_group_size: u64) -> Result<Self, WriteError> {
        let hashed = Hashed { upload: store.upload(&path)?, digest: sha2::Sha256::new(), bytes: 0 };
        let failure = hashed.upload.failure();
        let properties = schema::properties(&schema);
        let writer = ArrowWriter::try_new(hashed, schema.clone(), Some(properties))
            .map_err(|source| WriteError::Parquet { path: path.clone(), source })?;
        let row_group_size = usize::try_from(row_group_size).unwrap_or(usize::MAX);
        Ok(ParquetFile { path, schema, writer, failure, row_group_size, in_row_group: 0, rows: 0 })
    }

    /// Appends columns of equal length, which hold about `bytes` bytes.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn append(&mut self, columns: Vec<ArrayRef>, bytes: usize) -> Result<(), WriteError> {
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|source| WriteError::Arrow { path: self.path.clone(), source })?;
        self.writer.write(&batch).map_err(|e| failed(&self.failure, &self.path, e))?;
        self.rows += batch.num_rows() as u64;
        self.in_row_group += bytes;
        if self.in_row_group >= self.row_group_size {
            self.in_row_group = 0;
            self.writer.flush().map_err(|e| failed(&self.failure, &self.path, e))?;
        }
        Ok(())
    }

    /// Writes the footer and makes the file appear.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn finish(self) -> Result<Written, WriteError> {
        let hashed = self.writer.into_inner().map_err(|e| failed(&self.failure, &self.path, e))?;
        hashed.upload.finish()?;
        let sha256 = Sha256(hashed.digest.finalize().into()).to_string();
        Ok(Written { path: self.path, sha256, bytes: hashed.bytes, rows: self.rows })
    }
}

fn failed(failure: &Failure, path: &str, source: ParquetError) -> WriteError {
    match failure.take() {
        Some(error) => error.into(),
        None => WriteError::Parquet { path: path.to_owned(), source },
    }
}

/// Writes a shard.
pub struct ShardWriter {
    file: ParquetFile,
    bytes: BinaryBuilder,
    path: StringBuilder,
    label: Int64Builder,
    split: StringBuilder,
    id: StringBuilder,
    image_sha256: StringBuilder,
    width: Int32Builder,
    height: Int32Builder,
    pending: usize,
}

impl ShardWriter {
    /// Starts a shard of a dataset with these classes.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn create(store: &Store, path: String, classes: &[String], row_group_size: u64) -> Result<Self, WriteError> {
        Ok(ShardWriter {
            file: ParquetFile::create(store, path, schema::shard(classes), row_group_size)?,
            bytes: BinaryBuilder::new(),
            path: StringBuilder::new(),
            label: Int64Builder::new(),
            split: StringBuilder::new(),
            id: StringBuilder::new(),
            image_sha256: StringBuilder::new(),
            width: Int32Builder::new(),
            height: Int32Builder::new(),
            pending: 0,
        })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn push(&mut self, row: &Row) -> Result<(), WriteError> {
        self.bytes.append_value(row.bytes);
        self.path.append_value(row.path);
        self.label.append_option(row.label);
        self.split.append_value(row.split);
        self.id.append_value(row.id.to_string());
        self.image_sha256.append_value(row.image_sha256.to_string());
        self.width.append_value(row.width as i32);
        self.height.append_value(row.height as i32);
        self.pending += row.bytes.len();
        if self.pending >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let image: Vec<ArrayRef> = vec![Arc::new(self.bytes.finish()), Arc::new(self.path.finish())];
        let rows = image[0].len();
        if rows == 0 {
            return Ok(());
        }
        let id: ArrayRef = Arc::new(self.id.finish());
        let mut nothing = StringBuilder::new();
        nothing.append_nulls(rows);
        let nothing: ArrayRef = Arc::new(nothing.finish());
        let mut no_fold = Int64Builder::new();
        no_fold.append_nulls(rows);
        let mut original = Int32Builder::new();
        original.append_value_n(0, rows);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StructArray::new(schema::image_fields(), image, None)),
            Arc::new(self.label.finish()),
            Arc::new(self.split.finish()),
            id.clone(),
            Arc::new(self.image_sha256.finish()),
            id,
            nothing.clone(),
            Arc::new(no_fold.finish()),
            Arc::new(self.width.finish()),
            Arc::new(self.height.finish()),
            Arc::new(original.finish()),
            nothing,
        ];
        self.file.append(columns, std::mem::take(&mut self.pending))
    }

    /// Makes the shard appear.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn finish(mut self) -> Result<Written, WriteError> {
        self.flush()?;
        self.file.finish()
    }
}

/// Writes a quarantine file.
pub struct QuarantineWriter {
    file: ParquetFile,
}

impl QuarantineWriter {
    /// Starts a quarantine file.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn create(store: &Store, path: String, row_group_size: u64) -> Result<Self, WriteError> {
        Ok(QuarantineWriter { file: ParquetFile::create(store, path, schema::quarantine(), row_group_size)? })
    }

    /// Appends a row. Rows are few: each is a batch of its own.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn push(&mut self, row: &QuarantineRow) -> Result<(), WriteError> {
        use arrow::array::{BinaryArray, Int64Array, StringArray};
        let text = |value: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        let columns: Vec<ArrayRef> = vec![
            text(Some(row.uri)),
            text(row.id.map(|id| id.to_string()).as_deref()),
            text(row.label),
            text(Some(row.reason.as_str())),
            text(row.detail),
            Arc::new(Int64Array::from(vec![row.size as i64])),
            Arc::new(BinaryArray::from(vec![row.bytes])),
        ];
        self.file.append(columns, row.bytes.map_or(0, <[u8]>::len))
    }

    /// Makes the file appear.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn finish(self) -> Result<Written, WriteError> {
        self.file.finish()
    }
}
