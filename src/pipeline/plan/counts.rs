//! The counts of a plan.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::{Foreseen, Plan};
use crate::sniff;
use crate::split::assign::Word;

/// The counts of a plan, for people and machines.
#[derive(Debug, Clone, Serialize)]
pub struct Counts {
    /// The source's folder.
    pub source: String,
    /// The dataset's folder.
    pub dataset: String,
    /// The version to build on; null if there is none.
    pub base_version: Option<u64>,
    /// Objects listed.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// New objects.
    pub new: u64,
    /// Objects whose content or label is not that of the base version.
    pub changed: u64,
    /// Objects that need not be read.
    pub unchanged: u64,
    /// Objects of the base version that are gone; their samples are kept.
    pub gone: u64,
    /// Bytes to read.
    pub bytes_to_read: u64,
    /// Disk that the run may need, at most, in bytes.
    pub disk_estimate: u64,
    /// Files that the globs leave out.
    pub excluded: u64,
    /// Links, pipes and devices that the walk passed over.
    pub skipped: u64,
    /// Keys of tables that match no object.
    pub orphans: u64,
    /// Objects per label, as the label rule sees them.
    pub labels: BTreeMap<String, u64>,
    /// Objects without a label that are named like images.
    pub unlabelled: u64,
    /// What will be kept out for sure.
    pub foreseen: Vec<Foreseen>,
}

impl Plan {
    /// Counts and bytes.
    pub fn counts(&self) -> Counts {
        let known: HashSet<&str> = self.known.iter().map(|entry| entry.uri.as_str()).collect();
        let listed: HashSet<&str> = self.objects.iter().map(|object| object.uri.as_str()).collect();
        let changed = self.fresh.iter().filter(|&&row| known.contains(self.objects[row].uri.as_str())).count() as u64;
        let bytes_to_read = self.fresh.iter().map(|&row| self.objects[row].size).sum();
        let mut labels: BTreeMap<String, u64> = BTreeMap::new();
        let mut unlabelled = 0;
        for (object, label) in self.objects.iter().zip(&self.labels) {
            match label {
                Word::One(name) => *labels.entry(name.clone()).or_default() += 1,
                // Such as `.DS_Store`: likely to be ignored, and then it needs none.
                Word::Missing if sniff::claimed(&object.uri).is_some() => unlabelled += 1,
                Word::Missing | Word::NotAsked | Word::Several(_) => {}
            }
        }
        Counts {
            source: self.source.display().to_string(),
            dataset: self.dataset.display().to_string(),
            base_version: self.base.as_ref().map(|base| base.number),
            objects: self.objects.len() as u64,
            bytes: self.objects.iter().map(|object| object.size).sum(),
            new: self.fresh.len() as u64 - changed,
            changed,
            unchanged: (self.objects.len() - self.fresh.len()) as u64,
            gone: known.iter().filter(|uri| !listed.contains(*uri)).count() as u64,
            bytes_to_read,
            disk_estimate: disk_estimate(bytes_to_read, self.fresh.len() as u64),
            excluded: self.excluded,
            skipped: self.skipped.len() as u64,
            orphans: self.orphans.len() as u64,
            labels,
            unlabelled,
            foreseen: self.foreseen.clone(),
        }
    }
}

/// Disk that a run may need: the shards hold the bytes once; re-encoded images are staged as well, and may grow.
fn disk_estimate(bytes: u64, objects: u64) -> u64 {
    bytes * 2 + objects * 1024 + (16 << 20)
}
