//! The commit: one Delta transaction makes everything that a run wrote visible at once.
//!
//! Before it, nothing that a reader may see has changed; after it, the version is complete. A crash in between leaves
//! files that no version names. The transaction carries the run's id, so that a run that committed and then lost its
//! process does not commit again.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, StructArray};
use arrow::datatypes::{Field, Fields, Int64Type, Schema};
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_conversion::TryFromArrow;
use delta_kernel::schema::StructType;
use delta_kernel::snapshot::Snapshot;
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::transaction::{CommitResult, UpdateTableOperation};
use delta_kernel::{FileMeta, KernelError};
use delta_kernel_default_engine::build_add_file_metadata;
use delta_kernel_default_engine::parquet::DataFileMetadata;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::manifest::ManifestError;
use super::version::{DOMAIN, Shard, State, Version, engine};
use crate::shard::schema;
use crate::shard::writer::{ParquetFile, WriteError, Written};
use crate::store::Store;

/// Who writes, in the log.
const ENGINE_INFO: &str = concat!("swinpipe/", env!("CARGO_PKG_VERSION"));

/// Why a version cannot be committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else committed first.
    #[error("{url} got version {version} from another writer during this run: run again to build on it")]
    Conflict {
        /// The dataset.
        url: String,
        /// The other writer's version.
        version: u64,
    },
    /// The log refused.
    #[error("cannot commit to {url}: {source}")]
    Delta {
        /// The dataset.
        url: String,
        /// The kernel's words.
        source: Box<KernelError>,
    },
    /// The state cannot be spelled.
    #[error("cannot commit to {url}: {source}")]
    State {
        /// The dataset.
        url: String,
        /// Serde's words.
        source: serde_json::Error,
    },
}

/// Commits `shards` and `state` as the version after `base`, and returns its number.
///
/// If the log already holds this run's transaction, nothing is written and that version's number is returned.
///
/// # Errors
/// See [`CommitError`].
pub fn commit(store: &Store, base: Option<&Version>, state: &State, shards: &[Shard]) -> Result<u64, CommitError> {
    let url = store.folder().display().to_string();
    let document = serde_json::to_string(state).map_err(|source| CommitError::State { url: url.clone(), source })?;
    let failed = |source| CommitError::Delta { url: url.clone(), source: Box::new(source) };
    let committed = try_commit(store, base, &state.run, document, shards).map_err(failed)?;
    match committed {
        Ok(version) => Ok(version),
        Err(version) => Err(CommitError::Conflict { url, version }),
    }
}

/// `Ok(Err(version))`: another writer has that version.
fn try_commit(
    store: &Store,
    base: Option<&Version>,
    run: &str,
    document: String,
    shards: &[Shard],
) -> Result<Result<u64, u64>, KernelError> {
    let engine = engine();
    let version = base.map_or(0, |base| base.number + 1);
    macro_rules! fill_and_commit {
        ($transaction:expr) => {{
            let mut transaction = $transaction
                .with_transaction_id(run.to_owned(), version as i64)
                .with_domain_metadata(DOMAIN.to_owned(), document)
                .build(&engine, Box::new(FileSystemCommitter::new()))?;
            let context = transaction.write_state()?.write_context_builder().build()?;
            for shard in shards {
                let metadata = DataFileMetadata::new(file_meta(store, shard)?, statistics(shard));
                transaction.add_files(build_add_file_metadata(metadata, &context)?);
            }
            match transaction.commit(&engine)? {
                CommitResult::Committed(committed) => Ok(committed.commit_version()),
                CommitResult::Conflicted(conflicted) => Err(conflicted.conflict_version()),
                CommitResult::Retryable(retryable) => return Err(retryable.error),
            }
        }};
    }
    Ok(match base {
        Some(base) => {
            let latest = Snapshot::builder_for(store.url()).build(&engine)?;
            if latest.get_app_id_version(run, &engine)? == Some(version as i64) {
                return Ok(Ok(version));
            }
            if latest.version() != base.number {
                return Ok(Err(latest.version()));
            }
            fill_and_commit!(latest.update_table(UpdateTableOperation::Write, ENGINE_INFO, true))
        }
        None => {
            let schema = Arc::new(StructType::try_from_arrow(&Schema::new(schema::columns()))?);
            let builder = create_table(store.url(), schema, ENGINE_INFO, true).with_table_properties([
                ("delta.feature.domainMetadata", "supported"),
                // Versions stay readable: neither their log nor their files expire by age.
                ("delta.logRetentionDuration", "interval 5200 weeks"),
                ("delta.deletedFileRetentionDuration", "interval 5200 weeks"),
                ("delta.enableExpiredLogCleanup", "false"),
            ]);
            fill_and_commit!(builder)
        }
    })
}

fn file_meta(store: &Store, shard: &Shard) -> Result<FileMeta, KernelError> {
    let location = store.url().join(&shard.file.path).map_err(KernelError::generic_err)?;
    // The modification time is part of the log, not of any decision; a fixed one keeps the commit a function of its inputs.
    Ok(FileMeta { location, last_modified: 0, size: shard.file.bytes })
}

/// File statistics for data skipping: the number of rows and the split.
fn statistics(shard: &Shard) -> StructArray {
    let split: ArrayRef = Arc::new(StringArray::from(vec![shard.split.as_str()]));
    let bounds = |values: ArrayRef| -> ArrayRef {
        let fields = Fields::from(vec![Field::new("split", values.data_type().clone(), true)]);
        Arc::new(StructArray::new(fields, vec![values], None))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("numRecords", Arc::new(Int64Array::from(vec![shard.file.rows as i64]))),
        ("nullCount", bounds(Arc::new(Int64Array::from(vec![0])))),
        ("minValues", bounds(split.clone())),
        ("maxValues", bounds(split)),
        ("tightBounds", Arc::new(arrow::array::BooleanArray::from(vec![true]))),
    ];
    let fields: Fields =
        columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true)).collect();
    StructArray::new(fields, columns.into_iter().map(|(_, values)| values).collect(), None)
}

/// Writes the table of a version's new shards: path, sha256, bytes, rows, split.
///
/// # Errors
/// See [`WriteError`].
pub fn write_shard_table(store: &Store, path: String, shards: &[Shard]) -> Result<Written, WriteError> {
    let text =
        |get: fn(&Shard) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(shards.iter().map(get))) };
    let long = |get: fn(&Shard) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(shards.iter().map(|shard| get(shard) as i64)))
    };
    let columns = vec![
        ("path", text(|shard| &shard.file.path)),
        ("sha256", text(|shard| &shard.file.sha256)),
        ("bytes", long(|shard| shard.file.bytes)),
        ("rows", long(|shard| shard.file.rows)),
        ("split", text(|shard| &shard.split)),
    ];
    let schema = Schema::new(
        columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), false)).collect::<Vec<_>>(),
    );
    let mut file = ParquetFile::create(store, path, Arc::new(schema), u64::MAX)?;
    if !shards.is_empty() {
        file.append(columns.into_iter().map(|(_, values)| values).collect(), 0)?;
    }
    file.finish()
}

/// Reads the table that [`write_shard_table`] wrote.
///
/// # Errors
/// See [`ManifestError`].
pub fn read_shard_table(bytes: bytes::Bytes) -> Result<Vec<Shard>, ManifestError> {
    let mut shards = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        let batch = batch?;
        let column = |name| batch.column_by_name(name).ok_or(ManifestError::Column(name));
        let text = |name| column(name)?.as_string_opt::<i32>().ok_or(ManifestError::Column(name));
        let long = |name| column(name)?.as_primitive_opt::<Int64Type>().ok_or(ManifestError::Column(name));
        let (path, sha256, split) = (text("path")?, text("sha256")?, text("split")?);
        let (bytes, rows) = (long("bytes")?, long("rows")?);
        for i in 0..batch.num_rows() {
            let file = Written {
                path: path.value(i).to_owned(),
                sha256: sha256.value(i).to_owned(),
                bytes: bytes.value(i) as u64,
                rows: rows.value(i) as u64,
            };
            shards.push(Shard { file, split: split.value(i).to_owned() });
        }
    }
    Ok(shards)
}
