//! The layout: which row of which file every object becomes, known before a byte is written.

use crate::clean::limits::ByteSize;
use crate::dataset::DatasetConfig;
use crate::sample::{Action, Indexed, rank};
use crate::sniff;
use crate::split::assign::Assigned;

/// Write units are cut so that there are up to this many, where each still gets a useful number of bytes: a reader with
/// several workers wants several files.
const UNITS: u64 = 20;
const USEFUL_BYTES: u64 = 8 << 20;

/// A write unit: an interval of the rank, one file per split and one for the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The files, in the order of the splits, the quarantine last; empty ones are left out.
    pub files: Vec<File>,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path in the dataset.
    pub path: String,
    /// The split; `None` is the quarantine.
    pub split: Option<String>,
    /// Rows of the index, in the file's order.
    pub rows: Vec<usize>,
}

/// Cuts units and orders the rows that are `news`. `stem` names the run and the version in every path.
pub fn layout(
    index: &[Indexed],
    assigned: &[Assigned],
    news: &[Option<usize>],
    splits: &[String],
    seed: u64,
    config: &DatasetConfig,
    stem: &str,
) -> Vec<Unit> {
    let mut ranked: Vec<(u64, usize)> = (0..index.len())
        .filter(|&row| news[row].is_some())
        .filter(|&row| assigned[row].action.in_dataset() || assigned[row].action.in_quarantine())
        .map(|row| (rank("unit", seed, &[identity(&index[row])]), row))
        .collect();
    ranked.sort_unstable_by(|a, b| (a.0, &index[a.1].object.uri).cmp(&(b.0, &index[b.1].object.uri)));
    let total: u64 = ranked.iter().map(|&(_, row)| bytes(&index[row])).sum();
    let units = unit_count(total, config.shard_size);
    let mut cut: Vec<Vec<usize>> = vec![Vec::new(); units as usize];
    let mut before = 0u64;
    for (_, row) in ranked {
        let unit = (u128::from(before) * u128::from(units) / u128::from(total.max(1))).min(u128::from(units - 1));
        cut[unit as usize].push(row);
        before += bytes(&index[row]);
    }
    cut.into_iter()
        .enumerate()
        .map(|(unit, rows)| Unit { files: files(&rows, index, assigned, splits, seed, &format!("{stem}-{unit:05}")) })
        .filter(|unit| !unit.files.is_empty())
        .collect()
}

/// Units that together hold `total` bytes: enough for no file to exceed `shard_size`, and more where the data allows.
fn unit_count(total: u64, shard_size: ByteSize) -> u64 {
    // A tenth of room for the unevenness of the cut.
    let needed = total.div_ceil((shard_size.0 - shard_size.0 / 10).max(1));
    needed.max((total / USEFUL_BYTES).min(UNITS)).max(1)
}

fn identity(row: &Indexed) -> &[u8] {
    row.id.as_ref().map_or(row.object.uri.as_bytes(), |id| &id.0)
}

/// Bytes that the row will occupy.
fn bytes(row: &Indexed) -> u64 {
    match (&row.image, row.id) {
        (Some(image), _) => image.bytes,
        (None, Some(_)) => row.object.size,
        (None, None) => 0,
    }
}

fn files(
    rows: &[usize],
    index: &[Indexed],
    assigned: &[Assigned],
    splits: &[String],
    seed: u64,
    stem: &str,
) -> Vec<File> {
    let order = |row: &usize| {
        let label = assigned[*row].label.as_deref().unwrap_or("");
        let copy = 0u32.to_le_bytes();
        let rank = rank("row", seed, &[identity(&index[*row]), label.as_bytes(), &copy]);
        (rank, index[*row].object.uri.as_str())
    };
    let file = |split: Option<&String>| {
        let path = match split {
            Some(split) => format!("data/{split}/{stem}.parquet"),
            None => format!("_quarantine/{stem}.parquet"),
        };
        let mut rows: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|&row| match split {
                Some(_) => assigned[row].split.as_ref() == split,
                None => assigned[row].action.in_quarantine(),
            })
            .collect();
        rows.sort_by_cached_key(order);
        File { path, split: split.cloned(), rows }
    };
    splits.iter().map(Some).chain([None]).map(file).filter(|file| !file.rows.is_empty()).collect()
}

/// The path that a sample has in its shard: the key, with the extension of what is stored if the key claims another format.
pub fn image_path(row: &Indexed) -> String {
    let uri = &row.object.uri;
    let Some(image) = &row.image else { return uri.clone() };
    match row.claimed {
        Some(claimed) if claimed != image.format => {
            let dot = uri.rfind('.').unwrap_or(uri.len());
            format!("{}.{}", &uri[..dot], sniff::extension(image.format))
        }
        _ => uri.clone(),
    }
}

/// Rows per action, for the check that nothing is lost.
pub fn count(assigned: &[Assigned], action: Action) -> usize {
    assigned.iter().filter(|row| row.action == action).count()
}
