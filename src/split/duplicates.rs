//! Exact duplicates: objects with the same source bytes.

use std::collections::HashMap;

use super::{Dedupe, OnLabelConflict};
use crate::sample::Sha256;

/// An object that could be a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its row in the index.
    pub row: usize,
    /// SHA-256 of its source bytes.
    pub id: Sha256,
    /// Its class name; `None` in a dataset without labels.
    pub label: Option<&'a str>,
    /// Its key.
    pub uri: &'a str,
}

/// A sample of an earlier version: its label and the key it came from.
pub type Known<'a> = HashMap<Sha256, Vec<(Option<&'a str>, &'a str)>>;

/// What the search for duplicates decides about a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is a sample.
    Unique,
    /// The object with this key, first of its kind, stands for it.
    DuplicateOf(String),
    /// The same bytes carry these labels, sorted.
    LabelConflict(Vec<String>),
}

/// Decides about every candidate. `candidates` are sorted by key; `known` are the samples of earlier versions, which stay.
pub fn find(candidates: &[Candidate], known: &Known, dedupe: Dedupe) -> Vec<Verdict> {
    let mut by_id: HashMap<Sha256, Vec<usize>> = HashMap::with_capacity(candidates.len());
    for (i, candidate) in candidates.iter().enumerate() {
        by_id.entry(candidate.id).or_default().push(i);
    }
    let mut verdicts = vec![Verdict::Unique; candidates.len()];
    for (id, members) in by_id {
        let earlier: &[(Option<&str>, &str)] = known.get(&id).map_or(&[], Vec::as_slice);
        let labels = || earlier.iter().map(|(label, _)| *label).chain(members.iter().map(|&i| candidates[i].label));
        let mut distinct: Vec<&str> = labels().flatten().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let conflict = distinct.len() > 1 && dedupe.label_conflict == OnLabelConflict::Quarantine;
        let mut first: HashMap<Option<&str>, &str> = earlier.iter().copied().collect();
        for i in members {
            let Candidate { label, uri, .. } = candidates[i];
            // A label that an earlier version committed stands: only what contradicts it is kept out.
            if let Some(of) = first.get(&label).filter(|_| !conflict || !earlier.is_empty()) {
                verdicts[i] = Verdict::DuplicateOf((*of).to_owned());
            } else if conflict {
                verdicts[i] = Verdict::LabelConflict(distinct.iter().map(|&label| label.to_owned()).collect());
            } else {
                first.insert(label, uri);
            }
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates<'a>(rows: &[(u8, Option<&'a str>, &'a str)]) -> Vec<Candidate<'a>> {
        let candidate =
            |(row, &(id, label, uri)): (usize, &(u8, _, _))| Candidate { row, id: Sha256([id; 32]), label, uri };
        rows.iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn the_first_by_key_stands_for_the_others() {
        let rows = candidates(&[(1, Some("cat"), "a"), (1, Some("cat"), "b"), (2, Some("cat"), "c")]);
        let verdicts = find(&rows, &Known::new(), Dedupe::default());
        assert_eq!(verdicts, [Verdict::Unique, Verdict::DuplicateOf("a".into()), Verdict::Unique]);
    }

    #[test]
    fn two_labels_quarantine_all_copies_or_keep_one_row_each() {
        let rows = candidates(&[(1, Some("cat"), "a"), (1, Some("dog"), "b"), (1, Some("dog"), "c")]);
        let both = Verdict::LabelConflict(vec!["cat".into(), "dog".into()]);
        assert_eq!(find(&rows, &Known::new(), Dedupe::default()), vec![both; 3]);
        let keep = Dedupe { label_conflict: OnLabelConflict::Keep, ..Dedupe::default() };
        let verdicts = find(&rows, &Known::new(), keep);
        assert_eq!(verdicts, [Verdict::Unique, Verdict::Unique, Verdict::DuplicateOf("b".into())]);
    }

    #[test]
    fn a_committed_sample_stays_and_its_copies_yield() {
        let known = Known::from([(Sha256([1; 32]), vec![(Some("cat"), "old")])]);
        let rows = candidates(&[(1, Some("cat"), "a"), (1, Some("dog"), "b")]);
        let verdicts = find(&rows, &known, Dedupe::default());
        let conflict = Verdict::LabelConflict(vec!["cat".into(), "dog".into()]);
        assert_eq!(verdicts, [Verdict::DuplicateOf("old".into()), conflict]);
    }

    #[test]
    fn unlabelled_copies_are_duplicates() {
        let rows = candidates(&[(1, None, "a"), (1, None, "b")]);
        let verdicts = find(&rows, &Known::new(), Dedupe::default());
        assert_eq!(verdicts, [Verdict::Unique, Verdict::DuplicateOf("a".into())]);
    }
}
