//! The assignment itself: every object of the index gets its final action, and every sample its class and split.
//!
//! A pure function: neither the order of the listing nor the number of threads nor the clock has a say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::column;
use super::duplicates::{self, Candidate, Known, Verdict};
use super::stratified::{Quotas, fill};
use super::{Dedupe, Ratios, Split, Strategy};
use crate::sample::{Action, Indexed, Reason, Sha256, rank};

/// What a table or a rule says about an object: a label, or a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Nothing is asked.
    NotAsked,
    /// It says nothing.
    Missing,
    /// It says this.
    One(String),
    /// It says several things.
    Several(Vec<String>),
}

/// A sample of an earlier version.
#[derive(Debug, Clone)]
pub struct Placed {
    /// SHA-256 of its source bytes.
    pub id: Sha256,
    /// Its class.
    pub label: Option<String>,
    /// Its key.
    pub uri: String,
    /// Its split, for good.
    pub split: String,
}

/// What the assignment is a function of, beside the index.
pub struct Rules<'a> {
    /// Seed of the ranks.
    pub seed: u64,
    /// `[dedupe]`.
    pub dedupe: Dedupe,
    /// `[split]`.
    pub split: &'a Split,
    /// The class names that the file fixes; empty if it fixes none.
    pub classes: &'a [String],
    /// The class names of the base version, in the order of their codes.
    pub known_classes: &'a [String],
    /// The splits of the base version, in order.
    pub known_splits: &'a [String],
    /// The samples of the base version.
    pub placed: &'a [Placed],
    /// What the base version keeps out as `label_conflict`: id, label, key.
    pub disputed: &'a [(Sha256, Option<String>, String)],
}

/// What the assignment decides about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// What becomes of it.
    pub action: Action,
    /// Why it is kept out.
    pub reason: Option<Reason>,
    /// More about the reason.
    pub detail: Option<String>,
    /// Class name, known even of objects that are kept out.
    pub label: Option<String>,
    /// Split, of samples only.
    pub split: Option<String>,
    /// The object that stands for it.
    pub duplicate_of: Option<String>,
}

/// The whole assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// For every row of the index, in its order.
    pub rows: Vec<Assigned>,
    /// Class names in the order of their codes.
    pub classes: Vec<String>,
    /// The splits in order.
    pub splits: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Assigns. `index` is sorted by key; `labels` and `columns` (the split that a table names) run parallel to it.
pub fn assign(index: &[Indexed], labels: &[Word], columns: &[Word], rules: &Rules) -> Assignment {
    let mut rows: Vec<Assigned> = index.iter().zip(labels).map(|(row, label)| labelled(row, label, rules)).collect();
    recognise(index, &mut rows, rules);
    let mut warnings = Vec::new();
    // What the table keeps out must not stand for a copy that it lets in: splits are read before duplicates are dropped.
    if rules.split.strategy == Strategy::Column {
        column::read_splits(index, columns, &mut rows, rules);
    }
    drop_duplicates(index, &mut rows, rules);
    if rules.split.strategy == Strategy::Column {
        column::keep_together(index, columns, &mut rows, rules, &mut warnings);
        column::follow(index, &mut rows);
    }
    let classes = classes(&rows, rules);
    let splits = splits(&rows, rules);
    match rules.split.strategy {
        Strategy::Stratified => stratify(index, &mut rows, &classes, rules, &mut warnings),
        Strategy::Hash => by_hash(index, &mut rows, rules),
        Strategy::Column => {}
    }
    if classes.len() == 1 {
        warnings.push(format!("there is only one class, `{}`: nothing can be learned from it", classes[0]));
    }
    Assignment { rows, classes, splits, warnings }
}

impl Assigned {
    pub(super) fn keep_out(&mut self, action: Action, reason: Reason, detail: impl Into<Option<String>>) {
        (self.action, self.reason, self.detail) = (action, Some(reason), detail.into());
    }
}

/// Takes over what the scan said and adds the label, without which a good image is kept out.
fn labelled(row: &Indexed, label: &Word, rules: &Rules) -> Assigned {
    let mut assigned = Assigned {
        action: row.action,
        reason: row.reason,
        detail: row.detail.clone(),
        label: None,
        split: None,
        duplicate_of: None,
    };
    if row.action == Action::Ignored {
        return assigned;
    }
    if let Word::One(name) = label {
        assigned.label = Some(name.clone());
    }
    if !row.action.in_dataset() {
        return assigned;
    }
    match label {
        Word::NotAsked => {}
        Word::Missing => assigned.keep_out(Action::Quarantined, Reason::NoLabel, None),
        Word::Several(labels) => {
            let detail = format!("the label table says {}", list(labels));
            assigned.keep_out(Action::Quarantined, Reason::LabelConflict, detail);
        }
        Word::One(name) if !rules.classes.is_empty() && !rules.classes.contains(name) => {
            let detail = format!("`{name}` is not among source.classes");
            assigned.keep_out(Action::Quarantined, Reason::UnknownClass, detail);
        }
        Word::One(_) => {}
    }
    assigned
}

/// A committed sample that is met again is itself, whatever the scan or the settings say of it now.
fn recognise(index: &[Indexed], rows: &mut [Assigned], rules: &Rules) {
    let committed: HashSet<(Sha256, Option<&str>, &str)> =
        rules.placed.iter().map(|placed| (placed.id, placed.label.as_deref(), placed.uri.as_str())).collect();
    for (row, indexed) in rows.iter_mut().zip(index) {
        let uri = indexed.object.uri.as_str();
        if indexed.id.is_some_and(|id| committed.contains(&(id, row.label.as_deref(), uri))) {
            (row.action, row.reason, row.detail) = (Action::Duplicate, None, None);
            row.duplicate_of = Some(uri.to_owned());
        }
    }
}

pub(super) fn list(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" and ")
}

fn drop_duplicates(index: &[Indexed], rows: &mut [Assigned], rules: &Rules) {
    let mut known = Known::default();
    for placed in rules.placed {
        known.samples.entry(placed.id).or_default().push((placed.label.as_deref(), &placed.uri));
    }
    for (id, label, uri) in rules.disputed {
        known.disputed.entry(*id).or_default().push((label.as_deref(), uri));
    }
    let labels: Vec<Option<String>> = rows.iter().map(|row| row.label.clone()).collect();
    let candidates: Vec<Candidate> = (0..index.len())
        .filter(|&row| rows[row].action.in_dataset())
        .filter_map(|row| {
            let id = index[row].id?;
            Some(Candidate { row, id, label: labels[row].as_deref(), uri: &index[row].object.uri })
        })
        .collect();
    for (candidate, verdict) in candidates.iter().zip(duplicates::find(&candidates, &known, rules.dedupe)) {
        let row = &mut rows[candidate.row];
        match verdict {
            Verdict::Unique => {}
            Verdict::DuplicateOf(uri) => (row.action, row.duplicate_of) = (Action::Duplicate, Some(uri)),
            Verdict::LabelConflict(labels) => {
                let others: Vec<String> = labels.iter().map(|(label, uri)| format!("`{label}` at {uri}")).collect();
                let detail = format!("the same bytes are labelled {}", others.join(" and "));
                row.keep_out(Action::Quarantined, Reason::LabelConflict, detail);
            }
        }
    }
}

/// The class list: the file's, or the known ones with the new ones appended in sorted order.
fn classes(rows: &[Assigned], rules: &Rules) -> Vec<String> {
    if !rules.classes.is_empty() {
        return rules.classes.to_vec();
    }
    let used = rows.iter().filter(|row| row.action.in_dataset()).filter_map(|row| row.label.as_ref());
    let new: BTreeSet<&String> = used.filter(|label| !rules.known_classes.contains(label)).collect();
    rules.known_classes.iter().chain(new).cloned().collect()
}

/// The splits: the file's, or with `column` the known ones with the new ones appended in sorted order.
fn splits(rows: &[Assigned], rules: &Rules) -> Vec<String> {
    let mut splits = rules.known_splits.to_vec();
    let mut add = |name: &String| {
        if !splits.contains(name) {
            splits.push(name.clone());
        }
    };
    match rules.split.strategy {
        Strategy::Column => {
            let mut used: Vec<&String> =
                rows.iter().filter_map(|row| row.split.as_ref()).collect::<BTreeSet<_>>().into_iter().collect();
            // The usual names in their usual order, then the others by name.
            let usual = |name: &str| ["train", "val", "validation", "test"].iter().position(|usual| *usual == name);
            used.sort_by_key(|name| usual(name).unwrap_or(usize::MAX));
            used.into_iter().for_each(&mut add);
        }
        _ => rules.split.ratios.0.iter().for_each(|(name, _)| add(name)),
    }
    splits
}

/// New samples by id, with the rows of each: rows of one id stay together whatever their labels.
fn fresh<'a>(index: &[Indexed], rows: &'a [Assigned]) -> BTreeMap<Sha256, Vec<(usize, &'a Assigned)>> {
    let mut fresh: BTreeMap<Sha256, Vec<(usize, &Assigned)>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        if let (true, Some(id)) = (row.action.in_dataset(), index[i].id) {
            fresh.entry(id).or_default().push((i, row));
        }
    }
    fresh
}

/// A class: samples placed per split, and the new ones with their ranks.
type Stratum = (Vec<usize>, Vec<(u64, Sha256)>);

fn stratify(index: &[Indexed], rows: &mut [Assigned], classes: &[String], rules: &Rules, warnings: &mut Vec<String>) {
    let Ratios(shares) = &rules.split.ratios;
    let ratios: Vec<f64> = shares.iter().map(|(_, ratio)| *ratio).collect();
    let placed_split: HashMap<Sha256, &str> = rules.placed.iter().map(|p| (p.id, p.split.as_str())).collect();
    // An image of several labels counts for the first of them.
    let code = |label: Option<&str>| label.and_then(|label| classes.iter().position(|class| class == label));
    let mut strata: BTreeMap<Option<usize>, Stratum> = BTreeMap::new();
    let empty = || (vec![0; ratios.len()], Vec::new());
    let mut seen = BTreeSet::new();
    for placed in rules.placed {
        if let Some(split) = shares.iter().position(|(name, _)| *name == placed.split)
            && seen.insert(placed.id)
        {
            strata.entry(code(placed.label.as_deref())).or_insert_with(empty).0[split] += 1;
        }
    }
    let mut chosen: HashMap<Sha256, String> = HashMap::new();
    for (id, members) in fresh(index, rows) {
        match placed_split.get(&id) {
            Some(split) => {
                chosen.insert(id, (*split).to_owned());
            }
            None => {
                let stratum = members.iter().map(|(_, row)| code(row.label.as_deref())).min().flatten();
                strata.entry(stratum).or_insert_with(empty).1.push((rank("split", rules.seed, &[&id.0]), id));
            }
        }
    }
    let mut quotas = Quotas::new(&ratios);
    for (placed, mut ids) in strata.into_values() {
        ids.sort_unstable();
        let total = placed.iter().sum::<usize>() + ids.len();
        let filled = fill(&quotas.next(total), &placed, ids.len());
        let in_order = shares.iter().zip(&filled).flat_map(|((name, _), count)| std::iter::repeat_n(name, *count));
        chosen.extend(ids.into_iter().map(|(_, id)| id).zip(in_order.cloned()));
    }
    place(index, rows, &chosen);
    tell_gaps(rows, classes, rules, warnings);
}

/// Warns of classes that a split with a share lacks, samples of earlier versions counted.
fn tell_gaps(rows: &[Assigned], classes: &[String], rules: &Rules, warnings: &mut Vec<String>) {
    let before = rules.placed.iter().map(|placed| (placed.label.as_deref(), Some(placed.split.as_str())));
    let now = rows.iter().filter(|row| row.action.in_dataset());
    let now = now.map(|row| (row.label.as_deref(), row.split.as_deref()));
    // In the order of the classes; what has no label comes first.
    let code = |label: Option<&str>| label.and_then(|label| classes.iter().position(|class| class == label));
    let mut counts: BTreeMap<Option<usize>, BTreeMap<Option<&str>, usize>> = BTreeMap::new();
    for (label, split) in before.chain(now) {
        *counts.entry(code(label)).or_default().entry(split).or_default() += 1;
    }
    let Ratios(shares) = &rules.split.ratios;
    let mut lacking = Vec::new();
    for (class, splits) in counts {
        let wanted = shares.iter().filter(|(_, share)| *share > 0.0).map(|(name, _)| name.as_str());
        let missing: Vec<&str> = wanted.filter(|name| !splits.contains_key(&Some(*name))).collect();
        if !missing.is_empty() {
            let class = class.map_or("the dataset", |code| classes[code].as_str());
            let total: usize = splits.values().sum();
            lacking.push(format!("{class} ({total} in all) has none in {}", missing.join(" and ")));
        }
    }
    if lacking.is_empty() {
        return;
    }
    let more = lacking.len().saturating_sub(5);
    lacking.truncate(5);
    let more = if more > 0 { format!("; and {more} more classes") } else { String::new() };
    warnings.push(format!("too few samples for every split: {}{more}", lacking.join("; ")));
}

fn by_hash(index: &[Indexed], rows: &mut [Assigned], rules: &Rules) {
    let placed: HashMap<Sha256, &str> = rules.placed.iter().map(|p| (p.id, p.split.as_str())).collect();
    let chosen = fresh(index, rows).into_keys().map(|id| {
        let split = placed.get(&id).copied().unwrap_or_else(|| hashed(id, rules.seed, &rules.split.ratios));
        (id, split.to_owned())
    });
    let chosen = chosen.collect();
    place(index, rows, &chosen);
}

/// The split whose share of [0, 1) holds the id's rank.
fn hashed(id: Sha256, seed: u64, ratios: &Ratios) -> &str {
    let at = rank("split", seed, &[&id.0]) as f64 / 2f64.powi(64);
    let mut end = 0.0;
    let within = |(_, share): &&(String, f64)| {
        end += share;
        at < end
    };
    let last = ratios.0.iter().rev().find(|(_, share)| *share > 0.0);
    ratios.0.iter().find(within).or(last).map_or("train", |(name, _)| name)
}

fn place(index: &[Indexed], rows: &mut [Assigned], chosen: &HashMap<Sha256, String>) {
    for (row, indexed) in rows.iter_mut().zip(index) {
        if row.action.in_dataset() {
            row.split = indexed.id.and_then(|id| chosen.get(&id).cloned());
        }
    }
}
