//! The plan: what a run would do, found out without writing anything.

mod place;
mod news;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde::Serialize;

pub use news::newest;
use news::{fresh, moved};
use place::{check_apart, check_unoccupied};

use super::Pipeline;
use super::scan::{self, Batch};
use crate::dataset::manifest::Entry;
use crate::dataset::version::{self, Inputs, OpenError, Version};
use crate::sample::{Object, Sha256, rank};
use crate::sniff;
use crate::source::folder::{self, ListError, Skipped};
use crate::source::label::{LabelError, Labeler, Labelling};
use crate::source::table::{Found, KeyTable, TableError};
use crate::source::{LabelRule, Source};
use crate::split::assign::Word;
use crate::split::{SplitTable, Strategy};
use crate::store::{StoreError, local_folder};

/// Why nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The source cannot be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// The source holds nothing that the file wants.
    #[error("{source_url} holds no file that the pipeline takes ({}): check source.url, source.include and source.exclude", excluded_words(.excluded))]
    Empty {
        /// The source.
        source_url: String,
        /// Files that the globs leave out.
        excluded: u64,
    },
    /// No object has a label.
    #[error("no object of {source_url} has a label: {hint}")]
    NoLabels {
        /// The source.
        source_url: String,
        /// What to do about it.
        hint: String,
    },
    /// The label rule does not work.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// The split table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The dataset cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The dataset's folder holds something else.
    #[error(
        "{folder} is not empty and not a swinpipe dataset (it holds `{found}`): name another folder in dataset.url"
    )]
    Occupied {
        /// The folder.
        folder: String,
        /// Something in it.
        found: String,
    },
    /// The dataset's folder cannot be one.
    #[error("the dataset cannot be at {folder}: {file} is a file; name a folder in dataset.url")]
    IsAFile {
        /// The folder.
        folder: String,
        /// The file, there or on the way.
        file: String,
    },
    /// The dataset lies in its source, or the source in it, by way of a link.
    #[error(
        "the dataset {dataset} and the source folder {source_folder} lie one inside the other, by way of a link: the dataset would ingest itself; name another folder in dataset.url"
    )]
    Nested {
        /// The dataset's folder, links resolved.
        dataset: String,
        /// The source's, likewise.
        source_folder: String,
    },
    /// A URL is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The seed or the classes would contradict what is committed.
    #[error(
        "{url} was made with {known}, the file says {wanted}: committed samples keep their split and their class's code; keep the old setting, or name another dataset"
    )]
    Contradicts {
        /// The dataset.
        url: String,
        /// Its setting.
        known: String,
        /// The file's.
        wanted: String,
    },
}

fn excluded_words(excluded: &u64) -> String {
    match excluded {
        0 => "the folder is empty".to_owned(),
        n => format!("{n} files are left out by source.include and source.exclude"),
    }
}

/// What a run would do.
pub struct Plan {
    /// The pipeline file, resolved.
    pub pipeline: Pipeline,
    /// The source's folder.
    pub source: PathBuf,
    /// The dataset's folder, which may not exist yet.
    pub dataset: PathBuf,
    /// The version to build on.
    pub base: Option<Version>,
    /// The base version's manifest.
    pub known: Vec<Entry>,
    /// Every object of the listing, sorted by key.
    pub objects: Vec<Object>,
    /// The labels, parallel to `objects`.
    pub labels: Vec<Word>,
    /// The splits that a table names, parallel to `objects`; all `NotAsked` unless the strategy is `column`.
    pub columns: Vec<Word>,
    /// Rows of `objects` that are new, changed or relabelled since the base version.
    pub fresh: Vec<usize>,
    /// Those of `fresh` of which only the etag is new: their content may be what it was.
    pub retagged: HashSet<usize>,
    /// What the walk passed over.
    pub skipped: Vec<Skipped>,
    /// Files that the globs leave out.
    pub excluded: u64,
    /// Keys of tables that match no object.
    pub orphans: Vec<String>,
    /// Digests of everything that the version depends on.
    pub inputs: Inputs,
    /// What a person should know.
    pub warnings: Vec<String>,
}

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
    pub labels: Vec<(String, u64)>,
}

/// Plans a run of `pipeline`. `limit`: take only so many objects, chosen by hash.
///
/// # Errors
/// See [`PlanError`].
pub fn plan(pipeline: Pipeline, limit: Option<usize>) -> Result<Plan, PlanError> {
    let source = local_folder(&pipeline.source.url)?;
    let dataset = local_folder(&pipeline.dataset.url)?;
    check_apart(&source, &dataset)?;
    let base = version::find(&dataset, None)?;
    if base.is_none() {
        check_unoccupied(&dataset)?;
    }
    let known = base.as_ref().map(Version::manifest).transpose()?.unwrap_or_default();
    let mut listing = folder::list(&source, &pipeline.source.include, &pipeline.source.exclude)?;
    if listing.objects.is_empty() {
        let source_url = source.display().to_string();
        return Err(PlanError::Empty { source_url, excluded: listing.excluded });
    }
    if let Some(limit) = limit {
        listing.objects.sort_by_cached_key(|object| rank("limit", pipeline.seed, &[object.uri.as_bytes()]));
        listing.objects.truncate(limit);
        listing.objects.sort_by(|a, b| a.uri.cmp(&b.uri));
    }
    let objects = listing.objects;
    let labeler = Labeler::new(&pipeline.source.label)?;
    let labels: Vec<Word> = objects.iter().map(|object| word_of_label(labeler.label(&object.uri))).collect();
    let asked = pipeline.source.label != LabelRule::None;
    if asked && labels.iter().all(|label| *label == Word::Missing) {
        let hint = no_labels_hint(&pipeline.source);
        return Err(PlanError::NoLabels { source_url: source.display().to_string(), hint });
    }
    let mut orphans = labeler.orphans(&objects);
    let table = split_table(&pipeline)?;
    let columns = match &table {
        Some(table) => objects.iter().map(|object| word_of_cell(table.get(&object.uri))).collect(),
        None => vec![Word::NotAsked; objects.len()],
    };
    if let Some(table) = table.filter(|_| pipeline.split.table.is_some()) {
        orphans.extend(table.orphans(&objects));
    }
    let inputs = inputs(&pipeline, &objects, &labels, &columns);
    let mut warnings = warnings(&listing.skipped, &orphans);
    if let Some(base) = &base {
        check_consistent(&pipeline, base)?;
        warnings.extend(settings_changed(&inputs, base));
    }
    let moved = moved(&objects, &columns, &known);
    if moved > 0 {
        warnings.push(format!(
            "the split table now puts {moved} committed samples into another split: they stay where they are"
        ));
    }
    let (fresh, retagged) = fresh(&objects, &labels, &columns, &known, &pipeline.source.classes);
    Ok(Plan {
        pipeline,
        source,
        dataset,
        base,
        known,
        objects,
        labels,
        columns,
        fresh,
        retagged,
        skipped: listing.skipped,
        excluded: listing.excluded,
        orphans,
        inputs,
        warnings,
    })
}

fn no_labels_hint(source: &Source) -> String {
    match &source.label {
        LabelRule::Parent => "source.label is `parent`, and they lie in no folder of their own; \
             sort them into a folder per class, use a table or a regex, or set source.label = { from = \"none\" }"
            .to_owned(),
        LabelRule::Regex { pattern } => format!("none of their keys matches source.label.pattern `{pattern}`"),
        LabelRule::Table { table, key, .. } => {
            format!("no `{key}` of {table} names one of them; keys are compared with the path relative to source.url")
        }
        LabelRule::None => "none is asked for".to_owned(),
    }
}

fn word_of_label(labelling: Labelling) -> Word {
    match labelling {
        Labelling::Unlabelled => Word::NotAsked,
        Labelling::Missing => Word::Missing,
        Labelling::Label(name) => Word::One(name),
        Labelling::Conflict(names) => Word::Several(names),
    }
}

fn word_of_cell(found: Found<'_>) -> Word {
    match found {
        Found::Missing => Word::Missing,
        Found::Value(value) => Word::One(value.to_owned()),
        Found::Conflict(values) => Word::Several(values.to_vec()),
    }
}

/// The table that names the splits: `split.table`, or a further column of the label table.
fn split_table(pipeline: &Pipeline) -> Result<Option<KeyTable>, TableError> {
    let split = &pipeline.split;
    if split.strategy != Strategy::Column {
        return Ok(None);
    }
    let table = match (&split.table, &pipeline.source.label) {
        (Some(SplitTable { path, key, on }), _) => KeyTable::load(path.as_ref(), key, &split.column, *on)?,
        (None, LabelRule::Table { table, key, on, .. }) => KeyTable::load(table.as_ref(), key, &split.column, *on)?,
        // Refused when the file was loaded.
        (None, _) => return Ok(None),
    };
    Ok(Some(table))
}

fn digest(value: &impl Serialize) -> String {
    Sha256::of(&serde_json::to_vec(value).expect("settings have string keys")).to_string()
}

fn inputs(pipeline: &Pipeline, objects: &[Object], labels: &[Word], columns: &[Word]) -> Inputs {
    use sha2::Digest;
    use std::fmt::Write;
    let mut all = sha2::Sha256::new();
    let mut line = String::new();
    for ((object, label), column) in objects.iter().zip(labels).zip(columns) {
        line.clear();
        // Debug quotes: no key can imitate another field.
        writeln!(line, "{:?} {} {:?} {label:?} {column:?}", object.uri, object.size, object.etag)
            .expect("a string takes everything");
        all.update(&line);
    }
    Inputs {
        objects: Sha256(all.finalize().into()).to_string(),
        clean: digest(&pipeline.clean.per_image()),
        assign: digest(&(&pipeline.seed, &pipeline.dedupe, &pipeline.split, &pipeline.source.classes)),
    }
}

fn warnings(skipped: &[Skipped], orphans: &[String]) -> Vec<String> {
    let mut warnings: Vec<String> =
        skipped.iter().take(20).map(|skipped| format!("passed over {}: {}", skipped.uri, skipped.why)).collect();
    if skipped.len() > 20 {
        warnings.push(format!("passed over {} more", skipped.len() - 20));
    }
    if !orphans.is_empty() {
        let some: Vec<&str> = orphans.iter().take(3).map(String::as_str).collect();
        let more = if orphans.len() > 3 { ", …" } else { "" };
        let keys = match orphans.len() {
            1 => "1 key of the table matches".to_owned(),
            n => format!("{n} keys of the table match"),
        };
        warnings.push(format!("{keys} no object: {}{more}", some.join(", ")));
    }
    warnings
}

/// What must not change once samples are placed.
fn check_consistent(pipeline: &Pipeline, base: &Version) -> Result<(), PlanError> {
    let url = base.url();
    let wanted_classes = &pipeline.source.classes;
    if base.state.seed != pipeline.seed {
        let (known, wanted) = (format!("seed {}", base.state.seed), format!("seed {}", pipeline.seed));
        return Err(PlanError::Contradicts { url, known, wanted });
    }
    if !wanted_classes.is_empty() && !wanted_classes.starts_with(&base.state.classes) {
        let known = format!("the classes {}", base.state.classes.join(", "));
        return Err(PlanError::Contradicts { url, known, wanted: wanted_classes.join(", ") });
    }
    Ok(())
}

fn settings_changed(inputs: &Inputs, base: &Version) -> Vec<String> {
    let mut warnings = Vec::new();
    let version = base.number;
    if inputs.clean != base.state.inputs.clean {
        warnings.push(format!(
            "[clean] is not that of version {version}: it applies to new and changed objects only; \
             for a dataset cleaned anew, name another dataset.url"
        ));
    }
    if inputs.assign != base.state.inputs.assign {
        warnings.push(format!(
            "[dedupe], [split] or source.classes are not those of version {version}: \
             they apply to new samples only, and no sample moves"
        ));
    }
    warnings
}

impl Plan {
    /// Batches of the objects to scan.
    pub fn batches(&self) -> Vec<Batch> {
        let fresh = self.fresh.iter().map(|&row| self.objects[row].clone()).collect();
        scan::batches(fresh, &self.pipeline.clean, self.pipeline.seed)
    }

    /// Counts and bytes.
    pub fn counts(&self) -> Counts {
        let known: HashSet<&str> = self.known.iter().map(|entry| entry.uri.as_str()).collect();
        let listed: HashSet<&str> = self.objects.iter().map(|object| object.uri.as_str()).collect();
        let changed = self.fresh.iter().filter(|&&row| known.contains(self.objects[row].uri.as_str())).count() as u64;
        let bytes_to_read = self.fresh.iter().map(|&row| self.objects[row].size).sum();
        let mut labels: HashMap<String, u64> = HashMap::new();
        for (object, label) in self.objects.iter().zip(&self.labels) {
            let name = match label {
                Word::One(name) => name.clone(),
                Word::NotAsked => continue,
                // Such as `.DS_Store`: likely to be ignored, and then it needs none.
                Word::Missing if sniff::claimed(&object.uri).is_none() => "(not named like an image)".to_owned(),
                Word::Missing => "(no label)".to_owned(),
                Word::Several(_) => "(several labels)".to_owned(),
            };
            *labels.entry(name).or_default() += 1;
        }
        let mut labels: Vec<_> = labels.into_iter().collect();
        labels.sort();
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
        }
    }
}

/// Disk that a run may need: the shards hold the bytes once; re-encoded images are staged as well, and may grow.
fn disk_estimate(bytes: u64, objects: u64) -> u64 {
    bytes * 2 + objects * 1024 + (16 << 20)
}
