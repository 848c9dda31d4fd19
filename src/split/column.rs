//! Splits that a table names: read, held against each other and against what is committed.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::assign::{Assigned, Rules, Word, list};
use crate::sample::{Action, Indexed, Reason, Sha256};

/// A split name becomes a folder name: what a ratio's key may be.
pub fn is_split_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 64 && name.chars().all(plain) && !name.starts_with(['-', '_'])
}

/// The split that the table names. A committed sample has its split for good and is not asked again.
pub(super) fn read_splits(index: &[Indexed], columns: &[Word], rows: &mut [Assigned], rules: &Rules) {
    let committed: HashSet<(Sha256, Option<&str>)> =
        rules.placed.iter().map(|placed| (placed.id, placed.label.as_deref())).collect();
    for ((row, indexed), column) in rows.iter_mut().zip(index).zip(columns) {
        let known = indexed.id.is_some_and(|id| committed.contains(&(id, row.label.as_deref())));
        if known || !row.action.in_dataset() {
            continue;
        }
        match column {
            Word::One(name) if is_split_name(name) => row.split = Some(name.clone()),
            Word::One(name) => {
                let detail = format!("`{name}` cannot name a split: letters, digits, `-` and `_` can");
                row.keep_out(Action::Quarantined, Reason::NoSplit, detail);
            }
            Word::Several(names) => {
                let detail = format!("the split table says {}", list(names));
                row.keep_out(Action::SplitConflict, Reason::SplitConflict, detail);
            }
            Word::Missing | Word::NotAsked => {
                row.keep_out(Action::Quarantined, Reason::NoSplit, None);
            }
        }
    }
}

/// One image, several rows: they agree with each other and with what is committed, or they are kept out.
pub(super) fn keep_together(
    index: &[Indexed],
    columns: &[Word],
    rows: &mut [Assigned],
    rules: &Rules,
    warnings: &mut Vec<String>,
) {
    // Only samples are in a split.
    rows.iter_mut().filter(|row| !row.action.in_dataset()).for_each(|row| row.split = None);
    let mut wanted: HashMap<Sha256, BTreeSet<String>> = HashMap::new();
    for placed in rules.placed {
        wanted.entry(placed.id).or_default().insert(placed.split.clone());
    }
    for (i, row) in rows.iter().enumerate() {
        if let (Some(id), Some(split)) = (index[i].id, &row.split) {
            wanted.entry(id).or_default().insert(split.clone());
        }
    }
    let mut leaks = 0;
    for (i, row) in rows.iter_mut().enumerate() {
        let Some(splits) = index[i].id.and_then(|id| wanted.get(&id)) else { continue };
        if row.split.is_some() && splits.len() > 1 {
            let splits: Vec<String> = splits.iter().cloned().collect();
            row.split = None;
            let detail = format!("the same bytes are put into {}", list(&splits));
            row.keep_out(Action::SplitConflict, Reason::SplitConflict, detail);
        } else if let (Action::Duplicate, Word::One(asked)) = (row.action, &columns[i])
            && !splits.contains(asked)
        {
            // A committed sample that was only touched is no copy of itself.
            if row.duplicate_of.as_deref() == Some(&index[i].object.uri) {
                continue;
            }
            leaks += 1;
            let of_sample: Vec<String> = splits.iter().cloned().collect();
            let told = format!("the split table puts this copy into `{asked}`, its sample is in {}", list(&of_sample));
            row.detail = Some(told);
        }
    }
    if leaks > 0 {
        warnings
            .push(format!("the split table leaks: {leaks} duplicates lie in another split than their sample; dropped"));
    }
}

/// A duplicate of what is kept out is kept out with it.
pub(super) fn follow(index: &[Indexed], rows: &mut [Assigned]) {
    let kept_out: HashMap<&str, Assigned> = index
        .iter()
        .zip(rows.iter())
        .filter(|(_, row)| row.action.in_quarantine())
        .map(|(indexed, row)| (indexed.object.uri.as_str(), row.clone()))
        .collect();
    for row in rows.iter_mut() {
        if let Some(of) = row.duplicate_of.as_deref().and_then(|uri| kept_out.get(uri)) {
            (row.action, row.reason, row.detail) = (of.action, of.reason, of.detail.clone());
            row.duplicate_of = None;
        }
    }
}
