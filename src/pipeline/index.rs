//! The index: what the scan found of every new or changed object, with what the plan knows of it.

use std::collections::{HashMap, HashSet};

use super::plan::{self, Plan};
use super::scan::Scanned;
use crate::dataset::manifest::Entry;
use crate::sample::{Action, Change, Indexed, Reason, Sha256};
use crate::split::assign::{self, Assignment, Placed, Rules};

/// What the scan found, sorted by key.
pub struct Index {
    /// The objects to assign.
    pub rows: Vec<Indexed>,
    /// Per row, the segment that holds its staged bytes.
    pub segments: Vec<Option<String>>,
    /// Per row, the row of the plan's objects.
    planned: Vec<usize>,
    /// Objects whose etag changed and nothing else: what the manifest says of them, under the new etag.
    pub touched: Vec<Entry>,
}

impl Index {
    /// Sorts what was scanned.
    pub fn of(plan: &Plan, scanned: Vec<Scanned>) -> Index {
        let by_uri: HashMap<&str, usize> =
            plan.fresh.iter().map(|&row| (plan.objects[row].uri.as_str(), row)).collect();
        let mut all: Vec<(usize, Indexed, Option<String>)> = scanned
            .into_iter()
            .flat_map(|batch| batch.rows.into_iter().map(move |row| (row, batch.segment.clone())))
            .map(|(row, segment)| (by_uri[row.object.uri.as_str()], row, segment))
            .collect();
        all.sort_unstable_by_key(|(planned, ..)| *planned);
        let newest = plan::newest(&plan.known);
        let mut index = Index { rows: Vec::new(), segments: Vec::new(), planned: Vec::new(), touched: Vec::new() };
        for (planned, row, segment) in all {
            if plan.retagged.contains(&planned)
                && let Some(known) = newest.get(row.object.uri.as_str())
                && is_same_content(&row, known)
            {
                index.touched.push(Entry { etag: row.object.etag, ..(*known).clone() });
                continue;
            }
            index.rows.push(row);
            index.segments.push(segment);
            index.planned.push(planned);
        }
        index
    }

    /// Leaves an object that changed since it was scanned to the next run.
    pub fn defer(&mut self, row: usize) {
        let row = &mut self.rows[row];
        row.action = Action::Deferred;
        row.detail = Some("it changed while the run was at work".to_owned());
        (row.reason, row.image, row.staged) = (None, None, None);
        row.changes = Vec::<Change>::new();
    }

    /// Decides what becomes of every row.
    pub fn assign(&self, plan: &Plan) -> Assignment {
        let pick = |words: &[assign::Word]| self.planned.iter().map(|&row| words[row].clone()).collect::<Vec<_>>();
        let state = plan.base.as_ref().map(|base| &base.state);
        let placed: Vec<Placed> = plan.known.iter().filter_map(placed).collect();
        let disputed = self.disputed(plan);
        let rules = Rules {
            seed: plan.pipeline.seed,
            dedupe: plan.pipeline.dedupe,
            split: &plan.pipeline.split,
            classes: &plan.pipeline.source.classes,
            known_classes: state.map_or(&[], |state| &state.classes),
            known_splits: state.map_or(&[], |state| &state.splits),
            placed: &placed,
            disputed: &disputed,
        };
        assign::assign(&self.rows, &pick(&plan.labels), &pick(&plan.columns), &rules)
    }

    /// What the base version keeps out for its label and what is at the source as it was.
    fn disputed(&self, plan: &Plan) -> Vec<(Sha256, Option<String>, String)> {
        let scanned: HashSet<&str> = self.rows.iter().map(|row| row.object.uri.as_str()).collect();
        let listed: HashMap<&str, &assign::Word> =
            plan.objects.iter().zip(&plan.labels).map(|(object, label)| (object.uri.as_str(), label)).collect();
        let stands = |entry: &&Entry| {
            let label = entry.label.clone().map(assign::Word::One);
            let uri = entry.uri.as_str();
            entry.reason == Some(Reason::LabelConflict)
                && !scanned.contains(uri)
                && listed.get(uri).is_some_and(|listed| Some(*listed) == label.as_ref())
        };
        let entries = plan.known.iter().filter(stands);
        entries.filter_map(|entry| Some((entry.id?, entry.label.clone(), entry.uri.clone()))).collect()
    }
}

/// Whether the object is what the manifest knows, but for its etag.
fn is_same_content(row: &Indexed, known: &Entry) -> bool {
    match (row.id, known.id) {
        // What the scan kept out then and lets in now, since the settings changed, is news.
        (Some(id), Some(same)) => {
            let of_scan = known.reason.filter(|reason| !reason.is_assigned());
            id == same && (known.action.in_dataset() || row.reason == of_scan)
        }
        // Not read, then as now, for the same reason.
        (None, None) => row.action == known.action && row.reason == known.reason,
        _ => false,
    }
}

fn placed(entry: &Entry) -> Option<Placed> {
    let (id, split) = (entry.id?, entry.split.clone()?);
    entry.action.in_dataset().then(|| Placed { id, label: entry.label.clone(), uri: entry.uri.clone(), split })
}
