//! What is new at the source since the base version.

use std::collections::{HashMap, HashSet};

use crate::dataset::manifest::Entry;
use crate::sample::{Action, Object, Reason, Sha256};
use crate::split::assign::Word;

/// The newest row of each key; rows come sorted by version within a key.
pub fn newest(known: &[Entry]) -> HashMap<&str, &Entry> {
    known.iter().map(|entry| (entry.uri.as_str(), entry)).collect()
}

/// Committed samples that the split table now puts elsewhere.
pub(super) fn moved(objects: &[Object], columns: &[Word], known: &[Entry]) -> usize {
    let newest = newest(known);
    let moved = |(object, column): &(&Object, &Word)| match (newest.get(object.uri.as_str()), column) {
        (Some(entry), Word::One(name)) => entry.split.as_ref().is_some_and(|split| split != name),
        _ => false,
    };
    objects.iter().zip(columns).filter(moved).count()
}

/// The rows that the base version does not account for, and those of them that it would but for their etag.
pub(super) fn fresh(
    objects: &[Object],
    labels: &[Word],
    columns: &[Word],
    known: &[Entry],
    classes: &[String],
) -> (Vec<usize>, HashSet<usize>) {
    let newest = newest(known);
    // Per image, what the table now says of all its copies.
    let mut asked: HashMap<Sha256, Vec<&Word>> = HashMap::new();
    for (object, column) in objects.iter().zip(columns) {
        if let Some(id) = newest.get(object.uri.as_str()).and_then(|entry| entry.id) {
            asked.entry(id).or_default().push(column);
        }
    }
    let agreed = |entry: &Entry| {
        let words = entry.id.and_then(|id| asked.get(&id));
        words.is_some_and(|words| matches!(words[0], Word::One(_)) && words.iter().all(|word| *word == words[0]))
    };
    let accounted = |i: usize| {
        newest.get(objects[i].uri.as_str()).is_some_and(|entry| {
            let same_label = match (&labels[i], &entry.label) {
                _ if entry.action == Action::Ignored => true,
                (Word::One(name), Some(known)) => name == known,
                (Word::One(_), None) => false,
                (_, known) => known.is_none(),
            };
            // What was kept out is taken up again once its reason is gone.
            let settled = match entry.reason {
                Some(Reason::UnknownClass) => {
                    !classes.is_empty() && entry.label.as_ref().is_none_or(|label| !classes.contains(label))
                }
                Some(Reason::NoSplit) => !matches!(columns[i], Word::One(_)),
                Some(Reason::SplitConflict) => !agreed(entry),
                Some(Reason::Unreadable) => false,
                _ => entry.action != Action::Deferred,
            };
            settled && same_label && entry.size == objects[i].size && entry.action != Action::Removed
        })
    };
    let mut fresh = Vec::new();
    let mut retagged = HashSet::new();
    for (i, object) in objects.iter().enumerate() {
        let same_etag = newest.get(object.uri.as_str()).is_some_and(|entry| entry.etag == object.etag);
        if !same_etag && accounted(i) {
            retagged.insert(i);
        }
        if !same_etag || !accounted(i) {
            fresh.push(i);
        }
    }
    (fresh, retagged)
}
