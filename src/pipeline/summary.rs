//! What a run did, for people and machines.

use std::collections::BTreeMap;

use serde::Serialize;

use super::index::Index;
use super::plan::Plan;
use crate::dataset::version::Shard;
use crate::sample::Indexed;
use crate::split::assign::{Assigned, Assignment};

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The dataset, as the file names it.
    pub dataset: String,
    /// The new version.
    pub version: u64,
    /// The run.
    pub run: String,
    /// Objects that were new or changed.
    pub objects: u64,
    /// Objects that the base version accounts for.
    pub unchanged: u64,
    /// Files that the globs leave out.
    pub excluded: u64,
    /// Objects whose modification time or place changed, but not their content.
    pub touched: u64,
    /// Objects per action.
    pub actions: BTreeMap<&'static str, u64>,
    /// Samples per action and change.
    pub changes: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Objects kept out, per reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Classes in the order of their codes.
    pub classes: Vec<String>,
    /// New samples per split, in order.
    pub splits: Vec<SplitCount>,
    /// Bytes read at the source.
    pub bytes_read: u64,
    /// Bytes of the new shards.
    pub bytes_written: u64,
    /// New shards.
    pub shards: u64,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Samples of a split.
#[derive(Debug, Clone, Serialize)]
pub struct SplitCount {
    /// The split.
    pub split: String,
    /// Its samples.
    pub samples: u64,
    /// Of them, samples per class; empty where there are no labels.
    pub classes: BTreeMap<String, u64>,
}

impl SplitCount {
    /// Counts the samples of each split, given as split and label.
    pub fn of<'a>(splits: &[String], samples: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Vec<SplitCount> {
        let empty = |split: &String| SplitCount { split: split.clone(), samples: 0, classes: BTreeMap::new() };
        let mut counts: Vec<SplitCount> = splits.iter().map(empty).collect();
        for (split, label) in samples {
            if let Some(count) = counts.iter_mut().find(|count| count.split == split) {
                count.samples += 1;
                if let Some(label) = label {
                    *count.classes.entry(label.to_owned()).or_default() += 1;
                }
            }
        }
        counts
    }
}

impl Summary {
    /// Counts what a committed run did.
    pub(super) fn of(
        plan: &Plan,
        index: &Index,
        assignment: &Assignment,
        news: &[Option<usize>],
        run: &str,
        version: u64,
        shards: &[Shard],
    ) -> Summary {
        let told = news.iter().filter(|news| news.is_none()).count();
        let rows: Vec<(&Assigned, &Indexed)> = assignment
            .rows
            .iter()
            .zip(&index.rows)
            .zip(news)
            .filter(|(_, news)| news.is_some())
            .map(|(row, _)| row)
            .collect();
        let mut actions = BTreeMap::new();
        let mut changes: BTreeMap<&'static str, BTreeMap<&'static str, u64>> = BTreeMap::new();
        let mut reasons = BTreeMap::new();
        for (row, indexed) in &rows {
            *actions.entry(row.action.as_str()).or_default() += 1;
            if let Some(reason) = row.reason {
                *reasons.entry(reason.as_str()).or_default() += 1;
            }
            if row.action.in_dataset() {
                let of_action = changes.entry(row.action.as_str()).or_default();
                indexed.changes.iter().for_each(|change| *of_action.entry(change.as_str()).or_default() += 1);
            }
        }
        let samples = rows.iter().filter_map(|(row, _)| Some((row.split.as_deref()?, row.label.as_deref())));
        Summary {
            dataset: plan.pipeline.dataset.url.clone(),
            version,
            run: run.to_owned(),
            objects: rows.len() as u64,
            unchanged: (plan.objects.len() - plan.fresh.len()) as u64,
            excluded: plan.excluded,
            touched: (index.touched.len() + told) as u64,
            actions,
            changes,
            reasons,
            classes: assignment.classes.clone(),
            splits: SplitCount::of(&assignment.splits, samples),
            bytes_read: index.rows.iter().filter(|row| row.id.is_some()).map(|row| row.object.size).sum(),
            bytes_written: shards.iter().map(|shard| shard.file.bytes).sum(),
            shards: shards.len() as u64,
            warnings: plan.warnings.iter().chain(&assignment.warnings).cloned().collect(),
        }
    }
}
