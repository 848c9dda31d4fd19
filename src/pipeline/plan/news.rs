//! What is new at the source since the base version.

use std::collections::{HashMap, HashSet};

use crate::dataset::manifest::Entry;
use crate::pipeline::Pipeline;
use crate::sample::{Action, Object, Reason, Sha256};
use crate::split::assign::Word;
use crate::split::column::is_split_name;
use crate::split::{OnLabelConflict, Strategy};

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
    pipeline: &Pipeline,
    objects: &[Object],
    labels: &[Word],
    columns: &[Word],
    known: &[Entry],
) -> (Vec<usize>, HashSet<usize>) {
    let news = News::of(pipeline, objects, labels, columns, known);
    let mut fresh = Vec::new();
    let mut retagged = HashSet::new();
    for (i, object) in objects.iter().enumerate() {
        let same_etag = news.newest.get(object.uri.as_str()).is_some_and(|entry| entry.etag == object.etag);
        match (news.is_accounted(i), same_etag) {
            (true, true) => {}
            (true, false) => {
                retagged.insert(i);
                fresh.push(i);
            }
            (false, _) => fresh.push(i),
        }
    }
    (fresh, retagged)
}

/// The listing beside the base version's manifest.
struct News<'a> {
    pipeline: &'a Pipeline,
    objects: &'a [Object],
    labels: &'a [Word],
    columns: &'a [Word],
    newest: HashMap<&'a str, &'a Entry>,
    /// Per image, what the table now says of all its copies.
    splits: HashMap<Sha256, Vec<&'a Word>>,
    /// Per image, its labels: of samples, and of listed objects that are kept out for their labels.
    labelled: HashMap<Sha256, HashSet<&'a str>>,
    /// Per image, the split of its samples.
    placed: HashMap<Sha256, &'a str>,
}

impl<'a> News<'a> {
    fn of(
        pipeline: &'a Pipeline,
        objects: &'a [Object],
        labels: &'a [Word],
        columns: &'a [Word],
        known: &'a [Entry],
    ) -> News<'a> {
        let newest = newest(known);
        let mut splits: HashMap<Sha256, Vec<&Word>> = HashMap::new();
        let mut labelled: HashMap<Sha256, HashSet<&str>> = HashMap::new();
        for ((object, label), column) in objects.iter().zip(labels).zip(columns) {
            let Some(entry) = newest.get(object.uri.as_str()) else { continue };
            let Some(id) = entry.id else { continue };
            splits.entry(id).or_default().push(column);
            if let (Some(Reason::LabelConflict), Word::One(label)) = (entry.reason, label)
                && object.etag == entry.etag
            {
                labelled.entry(id).or_default().insert(label);
            }
        }
        let mut placed = HashMap::new();
        for entry in known.iter().filter(|entry| entry.action.in_dataset()) {
            let (Some(id), Some(split)) = (entry.id, entry.split.as_deref()) else { continue };
            placed.insert(id, split);
            labelled.entry(id).or_default().extend(entry.label.as_deref());
        }
        News { pipeline, objects, labels, columns, newest, splits, labelled, placed }
    }

    /// Whether the newest row of an object still tells what becomes of it, its etag left aside.
    fn is_accounted(&self, i: usize) -> bool {
        let object = &self.objects[i];
        let Some(entry) = self.newest.get(object.uri.as_str()) else { return false };
        let same_label = match (&self.labels[i], &entry.label) {
            _ if entry.action == Action::Ignored => true,
            (Word::One(name), Some(known)) => name == known,
            (Word::One(_), None) => false,
            (_, known) => known.is_none(),
        };
        let is_past = matches!(entry.action, Action::Deferred | Action::Removed);
        same_label && !is_past && entry.size == object.size && self.is_settled(i, entry)
    }

    /// Whether the reason for which an object is kept out still stands: once it is gone, the object is taken up again.
    fn is_settled(&self, i: usize, entry: &Entry) -> bool {
        let classes = &self.pipeline.source.classes;
        let by_column = self.pipeline.split.strategy == Strategy::Column;
        match entry.reason {
            Some(Reason::NoLabel) => self.labels[i] == Word::Missing,
            Some(Reason::UnknownClass) => {
                !classes.is_empty() && entry.label.as_ref().is_none_or(|label| !classes.contains(label))
            }
            // Of an object whose own table rows contradict each other no label is known.
            Some(Reason::LabelConflict) if entry.label.is_none() => matches!(self.labels[i], Word::Several(_)),
            Some(Reason::LabelConflict) => {
                let labels = entry.id.and_then(|id| self.labelled.get(&id));
                let others =
                    labels.is_some_and(|labels| labels.iter().any(|label| Some(*label) != entry.label.as_deref()));
                others && self.pipeline.dedupe.label_conflict == OnLabelConflict::Quarantine
            }
            Some(Reason::NoSplit) => by_column && !matches!(&self.columns[i], Word::One(name) if is_split_name(name)),
            Some(Reason::SplitConflict) => by_column && !self.splits_agree(entry),
            Some(Reason::Unreadable) => false,
            _ => true,
        }
    }

    /// Whether the table names one split for all copies of an image, and that of its samples if it has any.
    fn splits_agree(&self, entry: &Entry) -> bool {
        let Some(id) = entry.id else { return false };
        let Some([first @ Word::One(name), rest @ ..]) = self.splits.get(&id).map(Vec::as_slice) else { return false };
        let as_placed = self.placed.get(&id).is_none_or(|placed| placed == name);
        rest.iter().all(|word| word == first) && as_placed
    }
}
