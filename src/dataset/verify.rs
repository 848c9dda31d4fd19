//! Verification: everything that a version names is there, whole, and says the same.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};

use arrow::array::{Array, AsArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;
use serde::Serialize;
use sha2::Digest;

use super::describe;
use super::manifest::Entry;
use super::version::{self, OpenError, Shard, Version};
use crate::sample::Sha256;
use crate::shard::writer::Written;

/// What verification found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version.
    pub version: u64,
    /// Files whose digest was computed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Images whose digest was computed.
    pub images: u64,
    /// Everything that is wrong.
    pub problems: Vec<String>,
    /// Whether the card or the Croissant file was missing or out of date, and was written again.
    pub card_rewritten: bool,
}

/// Hashes every file of the version, every image in its shards, and compares the log, the shard tables, the manifest and
/// the shards with each other. A card that is missing or out of date is written again.
///
/// # Errors
/// Only what keeps it from looking; what is wrong with the dataset is in the report.
pub fn verify(version: &Version) -> Result<Report, OpenError> {
    let mut problems = Vec::new();
    let state = &version.state;
    // A table that cannot be read is among the files that are wrong; the rest is looked at all the same.
    let (tables, manifest) = (readable(version.shards())?, readable(version.manifest())?);
    let complete = tables.is_some();
    let shards = tables.unwrap_or_default();
    let mut files: Vec<&Written> = state.manifest.iter().chain(&state.shards).chain(&state.quarantine).collect();
    files.extend(shards.iter().map(|shard| &shard.file));
    let wrong: Vec<(&str, String)> =
        files.par_iter().filter_map(|file| Some((file.path.as_str(), check_file(version, file)?))).collect();
    let sound: Vec<&Shard> =
        shards.iter().filter(|shard| wrong.iter().all(|(path, _)| *path != shard.file.path)).collect();
    problems.extend(wrong.iter().map(|(_, problem)| problem.clone()));
    let rows: Vec<Result<Vec<ShardRow>, String>> = sound.par_iter().map(|shard| read_rows(version, shard)).collect();
    let images = rows.iter().flatten().map(|rows| rows.len() as u64).sum();
    if let Some(manifest) = manifest.as_ref().filter(|_| complete) {
        compare_log(version, &shards, &mut problems)?;
        compare_manifest(manifest, &shards, &sound, rows, &mut problems);
    }
    // The card describes the newest version.
    let newest = version::find(version.store.folder(), None)?.is_some_and(|newest| newest.number == version.number);
    let card_rewritten = newest && describe::write(version)?;
    let bytes = files.iter().map(|file| file.bytes).sum();
    Ok(Report { version: version.number, files: files.len() as u64, bytes, images, problems, card_rewritten })
}

/// What a table says; `None` if its file is gone or another.
fn readable<T>(table: Result<T, OpenError>) -> Result<Option<T>, OpenError> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(OpenError::Gone { .. } | OpenError::Altered { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn compare_log(version: &Version, shards: &[Shard], problems: &mut Vec<String>) -> Result<(), OpenError> {
    let logged: BTreeMap<String, u64> = version.logged_files()?.into_iter().collect();
    let named: BTreeMap<String, u64> = shards.iter().map(|shard| (shard.file.path.clone(), shard.file.bytes)).collect();
    for (path, bytes) in &named {
        match logged.get(path) {
            None => problems.push(format!("{path}: in the shard table, but not in the Delta log")),
            Some(found) if found != bytes => {
                problems.push(format!("{path}: {bytes} bytes in the shard table, {found} in the Delta log"));
            }
            Some(_) => {}
        }
    }
    let unnamed = logged.keys().filter(|path| !named.contains_key(*path));
    problems.extend(unnamed.map(|path| format!("{path}: in the Delta log, but not in the shard table")));
    Ok(())
}

/// What is wrong with a file, if anything is.
fn check_file(version: &Version, file: &Written) -> Option<String> {
    let hash = || -> io::Result<(u64, String)> {
        let mut source = File::open(version.store.folder().join(&file.path))?;
        let mut digest = sha2::Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            match source.read(&mut buffer)? {
                0 => return Ok((bytes, Sha256(digest.finalize().into()).to_string())),
                read => {
                    digest.update(&buffer[..read]);
                    bytes += read as u64;
                }
            }
        }
    };
    match hash() {
        Err(error) => Some(format!("{}: {error}", file.path)),
        Ok((bytes, _)) if bytes != file.bytes => Some(format!("{}: {bytes} bytes, {} wanted", file.path, file.bytes)),
        Ok((_, sha256)) if sha256 != file.sha256 => {
            Some(format!("{}: its SHA-256 is not the committed one", file.path))
        }
        Ok(_) => None,
    }
}

/// What a row of a shard says of itself.
struct ShardRow {
    id: String,
    split: String,
    /// The digest that the row names is that of its bytes.
    sound: bool,
}

fn read_rows(version: &Version, shard: &Shard) -> Result<Vec<ShardRow>, String> {
    let path = &shard.file.path;
    let failed = |error: &dyn std::fmt::Display| format!("{path}: {error}");
    let file = File::open(version.store.folder().join(path)).map_err(|e| failed(&e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&e))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["image.bytes", "split", "id", "image_sha256"]);
    let reader = builder.with_projection(mask).with_batch_size(64).build().map_err(|e| failed(&e))?;
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| failed(&e))?;
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| failed(&format!("no column `{name}`")));
        let text = |name: &str| {
            column(name)?.as_string_opt::<i32>().ok_or_else(|| failed(&format!("`{name}` is not a string")))
        };
        let (split, id, sha256) = (text("split")?, text("id")?, text("image_sha256")?);
        let images = column("image")?.as_struct_opt().and_then(|image| image.column_by_name("bytes"));
        let images = images.and_then(|bytes| bytes.as_binary_opt::<i32>());
        let images = images.ok_or_else(|| failed(&"`image.bytes` is not binary"))?;
        for i in 0..batch.num_rows() {
            let sound = images.is_valid(i) && Sha256::of(images.value(i)).to_string() == sha256.value(i);
            rows.push(ShardRow { id: id.value(i).to_owned(), split: split.value(i).to_owned(), sound });
        }
    }
    Ok(rows)
}

fn compare_manifest(
    manifest: &[Entry],
    shards: &[Shard],
    sound: &[&Shard],
    rows: Vec<Result<Vec<ShardRow>, String>>,
    problems: &mut Vec<String>,
) {
    let mut splits_of: HashMap<String, &str> = HashMap::new();
    let mut by_path: HashMap<&str, &[ShardRow]> = HashMap::new();
    let mut readable = Vec::with_capacity(rows.len());
    for (shard, rows) in sound.iter().zip(rows) {
        match rows {
            Ok(rows) => readable.push((shard, rows)),
            Err(problem) => problems.push(problem),
        }
    }
    for (shard, rows) in &readable {
        let path = shard.file.path.as_str();
        by_path.insert(path, rows);
        if rows.len() as u64 != shard.file.rows {
            problems.push(format!("{path}: {} rows, {} wanted", rows.len(), shard.file.rows));
        }
        for (at, row) in rows.iter().enumerate() {
            if !row.sound {
                problems.push(format!("{path}, row {at}: the image is not the one that was committed"));
            }
            if row.split != shard.split {
                problems.push(format!("{path}, row {at}: of split {}, in a file of {}", row.split, shard.split));
            }
            match splits_of.insert(row.id.clone(), &shard.split) {
                Some(other) if other != shard.split => {
                    problems.push(format!("leak: image {} is in {other} and in {}", row.id, shard.split));
                }
                _ => {}
            }
        }
    }
    let mut placed = 0;
    for entry in manifest.iter().filter(|entry| entry.action.in_dataset()) {
        let (Some(path), Some(row)) = (&entry.shard, entry.row) else {
            problems.push(format!("{}: {} in the manifest, but in no shard", entry.uri, entry.action));
            continue;
        };
        placed += 1;
        let found = by_path.get(path.as_str()).and_then(|rows| rows.get(row as usize));
        let id = entry.id.map(|id| id.to_string());
        match found {
            Some(found) if Some(&found.id) == id.as_ref() => {}
            Some(_) => problems.push(format!("{}: row {row} of {path} is another image", entry.uri)),
            // A shard that cannot be read was reported above.
            None if !by_path.contains_key(path.as_str()) => {}
            None => problems.push(format!("{}: {path} has no row {row}", entry.uri)),
        }
    }
    let in_shards: u64 = shards.iter().map(|shard| shard.file.rows).sum();
    if placed != in_shards {
        problems.push(format!("the manifest places {placed} samples, the shards hold {in_shards}"));
    }
}
