//! Scan units: read, sniff, clean and fingerprint a batch of objects.
//!
//! A batch is cut from the objects in the order of a hash of their keys, wherever that hash says so: an object more or
//! less changes one batch and shifts no other. Its receipt is named by a digest of everything that its result depends on,
//! and is found by later runs: a rerun after a crash, or over a longer listing, reuses every scan that is still true.
//!
//! A unit leaves two files in the dataset's `_runs/scan/`: `<key>.bin`, the re-encoded images one behind the other, and
//! then `<key>.json`, the receipt with a row for every object. A receipt that cannot be read is none.

use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::event::{Event, Stage, Watch};
use crate::clean::{self, Clean, Cleaned, Outcome};
use crate::sample::{Action, Indexed, Object, Reason, Sha256, rank};
use crate::sniff;
use crate::source::folder::{self, ReadError};
use crate::store::{Store, StoreError};

/// Part of every receipt's key: raise it when the same bytes would be cleaned differently.
const CODE: &str = concat!("swinpipe ", env!("CARGO_PKG_VERSION"), " scan 4");

/// A batch ends, on average, after so many objects.
const OBJECTS: u64 = 64;
/// A batch ends for sure after so many objects, or after one more than these bytes: what is read and staged lies in memory.
const MOST_OBJECTS: usize = 256;
const MOST_BYTES: u64 = 16 << 20;

/// A scan unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Digest of everything that the result depends on.
    pub key: String,
    /// The objects, in the order of their hashes.
    pub objects: Vec<Object>,
}

/// Cuts batches.
pub fn batches(objects: Vec<Object>, clean: &Clean, seed: u64) -> Vec<Batch> {
    let mut hashed: Vec<(u64, Object)> =
        objects.into_iter().map(|object| (rank("batch", 0, &[object.uri.as_bytes()]), object)).collect();
    hashed.sort_unstable_by(|a, b| (a.0, &a.1.uri).cmp(&(b.0, &b.1.uri)));
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for (hash, object) in hashed {
        bytes += object.size;
        batch.push(object);
        if hash % OBJECTS == 0 || batch.len() == MOST_OBJECTS || bytes > MOST_BYTES {
            batches.push(Batch::new(std::mem::take(&mut batch), clean, seed));
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        batches.push(Batch::new(batch, clean, seed));
    }
    batches
}

impl Batch {
    fn new(objects: Vec<Object>, clean: &Clean, seed: u64) -> Batch {
        let everything =
            serde_json::to_vec(&(CODE, seed, clean.per_image(), &objects)).expect("settings have string keys");
        Batch { key: Sha256::of(&everything).to_string()[..32].to_owned(), objects }
    }

    /// Path of the staged images.
    pub fn segment(&self) -> String {
        format!("_runs/scan/{}.bin", self.key)
    }

    fn receipt(&self) -> String {
        format!("_runs/scan/{}.json", self.key)
    }
}

/// What a finished unit leaves.
#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    /// Size of the segment in bytes; 0 if nothing is staged and there is none.
    segment: u64,
    rows: Vec<Indexed>,
}

/// Why a scan ends early.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run is no longer wanted.
    #[error("interrupted")]
    Stopped,
}

/// A scanned batch.
#[derive(Debug)]
pub struct Scanned {
    /// The batch's segment, if something is staged.
    pub segment: Option<String>,
    /// A row for every object.
    pub rows: Vec<Indexed>,
}

/// Runs every batch that has no receipt yet and returns all results, in the order of the batches.
///
/// # Errors
/// The store's, or `Stopped`; finished batches keep their receipts.
pub fn scan(
    store: &Store,
    source: &std::path::Path,
    batches: &[Batch],
    clean: &Clean,
    watch: &Watch,
) -> Result<Vec<Scanned>, ScanError> {
    let mut results: Vec<Option<Scanned>> = batches.iter().map(|batch| finished(store, batch)).collect();
    let images = |wanted: bool| -> u64 {
        let of = batches.iter().zip(&results).filter(|(_, result)| result.is_some() == wanted);
        of.map(|(batch, _)| batch.objects.len() as u64).sum()
    };
    let (done, todo) = (images(true), images(false));
    let open: Vec<usize> = (0..batches.len()).filter(|&i| results[i].is_none()).collect();
    watch.stage(Stage::Scan, done + todo, done, || -> Result<(), ScanError> {
        // Three threads in a row, each with one batch in hand: reading, cleaning (on all cores), staging.
        std::thread::scope(|scope| {
            let (read, to_clean) = sync_channel::<(usize, Vec<Input>)>(1);
            let (cleaned, to_stage) = sync_channel::<(usize, Vec<(Indexed, Option<Bytes>)>)>(1);
            let open = &open;
            scope.spawn(move || {
                for &i in open {
                    let inputs = batches[i].objects.iter().map(|object| input(source, object, clean)).collect();
                    if watch.stopped() || read.send((i, inputs)).is_err() {
                        break;
                    }
                }
            });
            let staging = scope.spawn(move || -> Result<Vec<(usize, Scanned)>, StoreError> {
                to_stage.iter().map(|(i, rows)| Ok((i, stage(store, &batches[i], rows)?))).collect()
            });
            for (i, inputs) in to_clean {
                // One at a time: images differ, and the batch is done when its last one is.
                let each = batches[i].objects.par_iter().zip(inputs).with_max_len(1);
                let rows = each.map(|(object, input)| {
                    if watch.stopped() {
                        return None;
                    }
                    let row = index(object, input, clean);
                    watch.tell(Event::Advance(1));
                    Some(row)
                });
                let Some(rows) = rows.collect::<Option<Vec<_>>>() else { break };
                if cleaned.send((i, rows)).is_err() {
                    break;
                }
            }
            drop(cleaned);
            for (i, scanned) in staging.join().expect("the staging thread does not panic")? {
                results[i] = Some(scanned);
            }
            Ok(())
        })
    })?;
    results.into_iter().collect::<Option<Vec<_>>>().ok_or(ScanError::Stopped)
}

/// The result of a batch that an earlier run finished.
fn finished(store: &Store, batch: &Batch) -> Option<Scanned> {
    let bytes = store.get(&batch.receipt()).ok().flatten()?;
    let receipt: Receipt = serde_json::from_slice(&bytes).ok()?;
    let complete = receipt.rows.len() == batch.objects.len()
        && receipt.rows.iter().zip(&batch.objects).all(|(row, object)| row.object == *object);
    let staged = receipt.segment == 0 || store.size(&batch.segment()).ok().flatten() == Some(receipt.segment);
    (complete && staged)
        .then(|| Scanned { segment: (receipt.segment > 0).then(|| batch.segment()), rows: receipt.rows })
}

/// What was read of an object.
enum Input {
    /// All of it.
    Whole(Bytes),
    /// Nothing: it is larger than the limit.
    TooLarge,
    /// Its name is no image's, and neither is its beginning.
    NotAnImage(crate::sample::Format),
    /// It is not the object that was listed any more.
    Changed(String),
    /// The system refused.
    Unreadable(String),
}

fn input(source: &std::path::Path, object: &Object, clean: &Clean) -> Input {
    let read = || -> Result<Input, ReadError> {
        if sniff::claimed(&object.uri).is_none() {
            let format = sniff::sniff(&folder::read_head(source, object, sniff::HEAD)?);
            if !format.is_image() {
                return Ok(Input::NotAnImage(format));
            }
        }
        if object.size > clean.limits.bytes.0 {
            return Ok(Input::TooLarge);
        }
        folder::read(source, object).map(Input::Whole)
    };
    match read() {
        Ok(input) => input,
        Err(error @ (ReadError::Changed | ReadError::Gone)) => Input::Changed(error.to_string()),
        Err(error) => Input::Unreadable(error.to_string()),
    }
}

/// Turns what was read into a row, and the bytes to stage.
fn index(object: &Object, input: Input, clean: &Clean) -> (Indexed, Option<Bytes>) {
    let mut row = Indexed {
        object: object.clone(),
        id: None,
        claimed: sniff::claimed(&object.uri),
        format: None,
        action: Action::Quarantined,
        changes: Vec::new(),
        reason: None,
        detail: None,
        image: None,
        staged: None,
    };
    match input {
        Input::Whole(bytes) => return cleaned(row, clean::clean(&object.uri, &bytes, clean)),
        Input::TooLarge => {
            row.reason = Some(Reason::TooManyBytes);
            row.detail = Some(format!("{} bytes; clean.limits.bytes is {}", object.size, clean.limits.bytes));
        }
        Input::NotAnImage(format) => (row.action, row.format) = (Action::Ignored, Some(format)),
        Input::Changed(detail) => (row.action, row.detail) = (Action::Deferred, Some(detail)),
        Input::Unreadable(detail) => (row.reason, row.detail) = (Some(Reason::Unreadable), Some(detail)),
    }
    (row, None)
}

fn cleaned(row: Indexed, cleaned: Cleaned) -> (Indexed, Option<Bytes>) {
    let action = cleaned.action();
    let (reason, stored) = match cleaned.outcome {
        Outcome::Source => (None, None),
        Outcome::Stored(bytes) => (None, Some(bytes)),
        Outcome::Refused(reason) => (Some(reason), None),
    };
    let row = Indexed {
        id: Some(cleaned.id),
        format: Some(cleaned.format),
        action,
        changes: cleaned.changes,
        reason,
        detail: cleaned.detail,
        image: cleaned.image,
        ..row
    };
    (row, stored)
}

/// Writes a batch's segment, then its receipt.
fn stage(store: &Store, batch: &Batch, rows: Vec<(Indexed, Option<Bytes>)>) -> Result<Scanned, StoreError> {
    let mut segment = Vec::new();
    let mut indexed = Vec::with_capacity(rows.len());
    let again = rows.iter().any(|(row, _)| row.action == Action::Deferred || row.reason == Some(Reason::Unreadable));
    for (mut row, bytes) in rows {
        if let Some(bytes) = bytes {
            row.staged = Some(segment.len() as u64);
            segment.extend_from_slice(&bytes);
        }
        indexed.push(row);
    }
    let receipt = Receipt { segment: segment.len() as u64, rows: indexed };
    let path = (!segment.is_empty()).then(|| batch.segment());
    if let Some(path) = &path {
        store.put(path, segment)?;
    }
    // What changed or could not be read is to be looked at again.
    if !again {
        store.put(&batch.receipt(), serde_json::to_vec(&receipt).expect("rows have string keys"))?;
    }
    Ok(Scanned { segment: path, rows: receipt.rows })
}
