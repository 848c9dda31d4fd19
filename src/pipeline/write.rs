//! Write units: gather the rows of an interval of the rank and write one file per split, and one of the quarantine.
//!
//! Kept bytes of a local source were not staged: they are read again, and proven by their digest to be what was scanned.
//! An object that changed in between becomes `deferred`, and the run assigns and lays out anew without it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use bytes::Bytes;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::event::{Event, Stage, Watch};
use super::layout::{self, File, Unit};
use crate::sample::{Facts, Indexed, Sha256};
use crate::shard::writer::{QuarantineRow, QuarantineWriter, Row, ShardWriter, WriteError, Written};
use crate::source::folder::{self, ReadError};
use crate::split::assign::Assigned;
use crate::store::{Store, StoreError};

/// Image bytes that a file being written holds at a time.
const GATHERED: u64 = 4 << 20;

/// What every unit of a run reads.
pub struct Inputs<'a> {
    /// The dataset.
    pub store: &'a Store,
    /// The source's folder.
    pub source: &'a Path,
    /// The index.
    pub index: &'a [Indexed],
    /// Per row of the index, the segment that holds its staged bytes.
    pub segments: &'a [Option<&'a str>],
    /// The assignment, parallel to the index.
    pub assigned: &'a [Assigned],
    /// Class names in the order of their codes.
    pub classes: &'a [String],
    /// Bytes of a row group.
    pub row_group_size: u64,
}

/// Why a unit cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Staged bytes cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Staged bytes are not what was staged.
    #[error("{segment}: the staged image of {uri} is damaged: remove the file and run again, it will be scanned anew")]
    Staged {
        /// The segment.
        segment: String,
        /// The object.
        uri: String,
    },
    /// An object cannot be read again.
    #[error("{uri}: {source}")]
    Read {
        /// The object.
        uri: String,
        /// More.
        source: ReadError,
    },
    /// The run is no longer wanted.
    #[error("interrupted")]
    Stopped,
    /// These rows of the index changed at the source since they were scanned.
    #[error("objects changed during the run")]
    Changed(Vec<usize>),
}

/// A finished unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The files, in the order of the unit's.
    pub files: Vec<Written>,
}

/// Writes every unit that has no receipt yet; the receipts lie in `folder`.
///
/// # Errors
/// See [`UnitError`]; finished units keep their receipts.
pub fn write(inputs: &Inputs, units: &[Unit], folder: &str, watch: &Watch) -> Result<Vec<Receipt>, UnitError> {
    let path = |unit: usize| format!("{folder}/write-{unit:05}.json");
    let rows = |unit: &Unit| unit.files.iter().map(|file| file.rows.len() as u64).sum::<u64>();
    let receipts: Vec<Option<Receipt>> =
        units.iter().enumerate().map(|(i, unit)| finished(inputs.store, unit, &path(i))).collect();
    let total = units.iter().map(rows).sum();
    let done = units.iter().zip(&receipts).filter(|(_, receipt)| receipt.is_some()).map(|(unit, _)| rows(unit)).sum();
    let changed = Mutex::new(Vec::new());
    let result = watch.stage(Stage::Write, total, done, || {
        let unit = |(i, (unit, receipt)): (usize, (&Unit, Option<Receipt>))| match receipt {
            Some(receipt) => Ok(Some(receipt)),
            None => match write_unit(inputs, unit, watch) {
                Ok(files) => {
                    let receipt = Receipt { files };
                    let bytes = serde_json::to_vec(&receipt).expect("a receipt has string keys");
                    inputs.store.put(&path(i), bytes)?;
                    Ok(Some(receipt))
                }
                Err(UnitError::Changed(rows)) => {
                    changed.lock().expect("no panic holds it").extend(rows);
                    Ok(None)
                }
                Err(error) => Err(error),
            },
        };
        let units = units.par_iter().zip(receipts).enumerate().with_max_len(1);
        in_pool(|| units.map(unit).collect::<Result<Vec<_>, UnitError>>())
    });
    let receipts = result?;
    let mut changed = changed.into_inner().expect("no panic held it");
    if !changed.is_empty() {
        changed.sort_unstable();
        return Err(UnitError::Changed(changed));
    }
    Ok(receipts.into_iter().flatten().collect())
}

/// Runs `work` on more threads than cores: while some wait for the disk to confirm, the others go on.
fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads() + 2).build() {
        Ok(pool) => pool.install(work),
        // No more threads are to be had: those that are there do it.
        Err(_) => work(),
    }
}

/// A receipt whose files are there, in full.
fn finished(store: &Store, unit: &Unit, path: &str) -> Option<Receipt> {
    let receipt: Receipt = serde_json::from_slice(&store.get(path).ok().flatten()?).ok()?;
    let there = |(written, file): (&Written, &File)| {
        written.path == file.path && store.size(&written.path).ok().flatten() == Some(written.bytes)
    };
    let complete = receipt.files.len() == unit.files.len() && receipt.files.iter().zip(&unit.files).all(there);
    complete.then_some(receipt)
}

/// The files of a unit are independent of each other; all are tried, so that all changed objects are known at once.
fn write_unit(inputs: &Inputs, unit: &Unit, watch: &Watch) -> Result<Vec<Written>, UnitError> {
    let write = |file: &File| {
        let mut changed = Vec::new();
        let written = match &file.split {
            Some(split) => write_shard(inputs, file, split, watch, &mut changed)?,
            None => write_quarantine(inputs, file, watch, &mut changed)?,
        };
        Ok((written, changed))
    };
    let files: Vec<(Written, Vec<usize>)> =
        unit.files.par_iter().with_max_len(1).map(write).collect::<Result<_, UnitError>>()?;
    let (written, changed): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    let changed = changed.concat();
    if changed.is_empty() { Ok(written) } else { Err(UnitError::Changed(changed)) }
}

fn write_shard(
    inputs: &Inputs,
    file: &File,
    split: &str,
    watch: &Watch,
    changed: &mut Vec<usize>,
) -> Result<Written, UnitError> {
    let mut shard = ShardWriter::create(inputs.store, file.path.clone(), inputs.classes, inputs.row_group_size)?;
    let image = |row| sample(inputs, row);
    let mut rest = &file.rows[..];
    while !rest.is_empty() {
        if watch.stopped() {
            return Err(UnitError::Stopped);
        }
        let mut bytes = 0;
        let fits = |&&row: &&usize| {
            bytes += image(row).1.bytes;
            bytes <= GATHERED
        };
        let (rows, after) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        rest = after;
        for (&row, bytes) in rows.iter().zip(stored_bytes(inputs, rows)?) {
            let (id, image) = image(row);
            let Some(bytes) = bytes else {
                changed.push(row);
                continue;
            };
            let label = inputs.assigned[row].label.as_ref();
            shard.push(&Row {
                bytes: &bytes,
                path: &layout::image_path(&inputs.index[row]),
                label: label
                    .and_then(|label| inputs.classes.iter().position(|class| class == label))
                    .map(|code| code as i64),
                split,
                id,
                image_sha256: image.sha256,
                width: image.width,
                height: image.height,
            })?;
            watch.tell(Event::Advance(1));
        }
    }
    Ok(shard.finish()?)
}

fn write_quarantine(
    inputs: &Inputs,
    file: &File,
    watch: &Watch,
    changed: &mut Vec<usize>,
) -> Result<Written, UnitError> {
    let mut quarantine = QuarantineWriter::create(inputs.store, file.path.clone(), inputs.row_group_size)?;
    for &row in &file.rows {
        if watch.stopped() {
            return Err(UnitError::Stopped);
        }
        let (indexed, assigned) = (&inputs.index[row], &inputs.assigned[row]);
        let bytes = match indexed.id {
            Some(id) => match source_bytes(inputs, row, id)? {
                Some(bytes) => Some(bytes),
                None => {
                    changed.push(row);
                    continue;
                }
            },
            None => None,
        };
        let Some(reason) = assigned.reason else { unreachable!("what is kept out has a reason") };
        quarantine.push(&QuarantineRow {
            uri: &indexed.object.uri,
            id: indexed.id,
            label: assigned.label.as_deref(),
            reason,
            detail: assigned.detail.as_deref(),
            size: indexed.object.size,
            bytes: bytes.as_deref(),
        })?;
        watch.tell(Event::Advance(1));
    }
    Ok(quarantine.finish()?)
}

/// A sample's identity, and what is stored of it.
fn sample<'a>(inputs: &Inputs<'a>, row: usize) -> (Sha256, &'a Facts) {
    match (inputs.index[row].id, &inputs.index[row].image) {
        (Some(id), Some(image)) => (id, image),
        _ => unreachable!("only good images are assigned to a split"),
    }
}

/// The bytes that the rows of these samples store; `None` where the source changed.
///
/// Staged images are asked for segment by segment: one request for many instead of one for each.
fn stored_bytes(inputs: &Inputs, rows: &[usize]) -> Result<Vec<Option<Bytes>>, UnitError> {
    let facts = |row| sample(inputs, row).1;
    let mut bytes = vec![None; rows.len()];
    let mut staged: BTreeMap<&str, Vec<(usize, Range<u64>)>> = BTreeMap::new();
    for (at, &row) in rows.iter().enumerate() {
        match (inputs.segments[row], inputs.index[row].staged) {
            (Some(segment), Some(offset)) => {
                staged.entry(segment).or_default().push((at, offset..offset + facts(row).bytes));
            }
            _ => bytes[at] = source_bytes(inputs, row, facts(row).sha256)?,
        }
    }
    for (segment, wanted) in staged {
        let ranges: Vec<Range<u64>> = wanted.iter().map(|(_, range)| range.clone()).collect();
        for ((at, _), found) in wanted.into_iter().zip(inputs.store.get_ranges(segment, &ranges)?) {
            if Sha256::of(&found) != facts(rows[at]).sha256 {
                let uri = inputs.index[rows[at]].object.uri.clone();
                return Err(UnitError::Staged { segment: segment.to_owned(), uri });
            }
            bytes[at] = Some(found);
        }
    }
    Ok(bytes)
}

/// An object's own bytes; `None` if they are not those that were scanned.
fn source_bytes(inputs: &Inputs, row: usize, sha256: Sha256) -> Result<Option<Bytes>, UnitError> {
    let object = &inputs.index[row].object;
    match folder::read(inputs.source, object) {
        Ok(bytes) if Sha256::of(&bytes) == sha256 => Ok(Some(bytes)),
        Ok(_) | Err(ReadError::Changed | ReadError::Gone) => Ok(None),
        Err(source) => Err(UnitError::Read { uri: object.uri.clone(), source }),
    }
}
