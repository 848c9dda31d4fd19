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

/// Labels and keys under which earlier versions met an image.
type Met<'a> = HashMap<Sha256, Vec<(Option<&'a str>, &'a str)>>;

/// What earlier versions decided.
#[derive(Debug, Default)]
pub struct Known<'a> {
    /// Samples, which stay.
    pub samples: Met<'a>,
    /// Objects kept out because their bytes have several labels.
    pub disputed: Met<'a>,
}

/// What the search for duplicates decides about a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is a sample.
    Unique,
    /// The object with this key, first of its kind, stands for it.
    DuplicateOf(String),
    /// The same bytes carry these labels, sorted, each with the first object that has it.
    LabelConflict(Vec<(String, String)>),
}

/// Decides about every candidate. `candidates` are sorted by key.
pub fn find(candidates: &[Candidate], known: &Known, dedupe: Dedupe) -> Vec<Verdict> {
    let mut by_id: HashMap<Sha256, Vec<usize>> = HashMap::with_capacity(candidates.len());
    for (i, candidate) in candidates.iter().enumerate() {
        by_id.entry(candidate.id).or_default().push(i);
    }
    let mut verdicts = vec![Verdict::Unique; candidates.len()];
    for (id, members) in by_id {
        let earlier: &[(Option<&str>, &str)] = known.samples.get(&id).map_or(&[], Vec::as_slice);
        // An object that is met again does not dispute with itself.
        let again = |uri: &str| members.iter().any(|&i| candidates[i].uri == uri);
        let disputed = known.disputed.get(&id).into_iter().flatten().filter(|(_, uri)| !again(uri));
        let met = earlier.iter().chain(disputed).copied();
        let now = members.iter().map(|&i| (candidates[i].label, candidates[i].uri));
        let mut distinct: Vec<(&str, &str)> = met.chain(now).filter_map(|(label, uri)| Some((label?, uri))).collect();
        distinct.sort_unstable();
        distinct.dedup_by_key(|(label, _)| *label);
        let conflict = distinct.len() > 1 && dedupe.label_conflict == OnLabelConflict::Quarantine;
        let mut first: HashMap<Option<&str>, &str> = earlier.iter().copied().collect();
        for i in members {
            let Candidate { label, uri, .. } = candidates[i];
            // A label that an earlier version committed stands: only what contradicts it is kept out.
            if let Some(of) = first.get(&label).filter(|_| !conflict || !earlier.is_empty()) {
                verdicts[i] = Verdict::DuplicateOf((*of).to_owned());
            } else if conflict {
                let owned = |&(label, uri): &(&str, &str)| (label.to_owned(), uri.to_owned());
                verdicts[i] = Verdict::LabelConflict(distinct.iter().map(owned).collect());
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
        let verdicts = find(&rows, &Known::default(), Dedupe::default());
        assert_eq!(verdicts, [Verdict::Unique, Verdict::DuplicateOf("a".into()), Verdict::Unique]);
    }

    #[test]
    fn two_labels_quarantine_all_copies_or_keep_one_row_each() {
        let rows = candidates(&[(1, Some("cat"), "a"), (1, Some("dog"), "b"), (1, Some("dog"), "c")]);
        let both = Verdict::LabelConflict(vec![("cat".into(), "a".into()), ("dog".into(), "b".into())]);
        assert_eq!(find(&rows, &Known::default(), Dedupe::default()), vec![both; 3]);
        let keep = Dedupe { label_conflict: OnLabelConflict::Keep, ..Dedupe::default() };
        let verdicts = find(&rows, &Known::default(), keep);
        assert_eq!(verdicts, [Verdict::Unique, Verdict::Unique, Verdict::DuplicateOf("b".into())]);
    }

    #[test]
    fn a_committed_sample_stays_and_its_copies_yield() {
        let samples = Met::from([(Sha256([1; 32]), vec![(Some("cat"), "old")])]);
        let known = Known { samples, disputed: Met::new() };
        let rows = candidates(&[(1, Some("cat"), "a"), (1, Some("dog"), "b")]);
        let verdicts = find(&rows, &known, Dedupe::default());
        let conflict = Verdict::LabelConflict(vec![("cat".into(), "a".into()), ("dog".into(), "b".into())]);
        assert_eq!(verdicts, [Verdict::DuplicateOf("old".into()), conflict]);
    }

    #[test]
    fn a_dispute_is_not_settled_by_touching_one_side() {
        let disputed = Met::from([(Sha256([1; 32]), vec![(Some("cat"), "a"), (Some("dog"), "b")])]);
        let known = Known { samples: Met::new(), disputed };
        let verdicts = find(&candidates(&[(1, Some("cat"), "a")]), &known, Dedupe::default());
        let conflict = vec![("cat".into(), "a".into()), ("dog".into(), "b".into())];
        assert_eq!(verdicts, [Verdict::LabelConflict(conflict)]);
        // Both sides now agree.
        let verdicts = find(&candidates(&[(1, Some("cat"), "a"), (1, Some("cat"), "b")]), &known, Dedupe::default());
        assert_eq!(verdicts, [Verdict::Unique, Verdict::DuplicateOf("a".into())]);
    }

    #[test]
    fn unlabelled_copies_are_duplicates() {
        let rows = candidates(&[(1, None, "a"), (1, None, "b")]);
        let verdicts = find(&rows, &Known::default(), Dedupe::default());
        assert_eq!(verdicts, [Verdict::Unique, Verdict::DuplicateOf("a".into())]);
    }
}
