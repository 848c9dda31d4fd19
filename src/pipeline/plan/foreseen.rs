//! What will be kept out for sure, told before a pixel is read.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::pipeline::Pipeline;
use crate::sample::{Object, Reason};
use crate::sniff;
use crate::split::assign::Word;
use crate::split::column::is_split_name;

/// Objects that will be kept out for one reason, unless they turn out to be broken or duplicates.
#[derive(Debug, Clone, Serialize)]
pub struct Foreseen {
    /// The reason.
    pub reason: Reason,
    /// Objects.
    pub objects: u64,
    /// One of them.
    pub example: String,
}

/// Foresees what becomes of the rows `fresh`. Only what is named like an image counts: the others may be ignored.
pub(super) fn foresee(
    pipeline: &Pipeline,
    objects: &[Object],
    labels: &[Word],
    columns: &[Word],
    fresh: &[usize],
) -> Vec<Foreseen> {
    let classes = &pipeline.source.classes;
    let reason = |row: usize| match (&labels[row], &columns[row]) {
        (Word::Missing, _) => Some(Reason::NoLabel),
        (Word::Several(_), _) => Some(Reason::LabelConflict),
        (Word::One(name), _) if !classes.is_empty() && !classes.contains(name) => Some(Reason::UnknownClass),
        (_, Word::Missing) => Some(Reason::NoSplit),
        (_, Word::One(name)) if !is_split_name(name) => Some(Reason::NoSplit),
        (_, Word::Several(_)) => Some(Reason::SplitConflict),
        _ => None,
    };
    let mut foreseen: BTreeMap<Reason, Foreseen> = BTreeMap::new();
    for &row in fresh.iter().filter(|&&row| sniff::claimed(&objects[row].uri).is_some()) {
        if let Some(reason) = reason(row) {
            let empty = || Foreseen { reason, objects: 0, example: objects[row].uri.clone() };
            foreseen.entry(reason).or_insert_with(empty).objects += 1;
        }
    }
    foreseen.into_values().collect()
}

impl Foreseen {
    /// `695 of 697 new or changed objects will be kept out as no_label, such as a/b.jpg: No label was found for it`.
    pub fn in_words(&self, of: u64) -> String {
        let Foreseen { reason, objects, example } = self;
        let meaning = reason.meaning().trim_end_matches('.');
        format!("{objects} of {of} new or changed objects will be kept out as {reason}, such as {example}: {meaning}")
    }
}
