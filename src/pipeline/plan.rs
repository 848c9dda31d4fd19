//! The plan: what a run would do, found out without writing anything.

mod error;
mod place;
mod news;
mod foreseen;
mod counts;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use counts::Counts;
pub use error::PlanError;
pub use foreseen::Foreseen;
pub use news::newest;
use news::{fresh, moved};
use place::{check_apart, check_path, check_unoccupied};

use super::Pipeline;
use super::scan::{self, Batch};
use crate::dataset::manifest::Entry;
use crate::dataset::version::{self, Inputs, Version};
use crate::sample::{Object, Sha256, rank};
use crate::source::folder::{self, Listing, Skipped};
use crate::source::label::{Labeler, Labelling};
use crate::source::table::{Found, KeyTable, TableError};
use crate::source::{LabelRule, Source};
use crate::split::assign::Word;
use crate::split::{SplitTable, Strategy};
use crate::store::local_folder;

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
    /// What will be kept out for sure.
    pub foreseen: Vec<Foreseen>,
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

/// Plans a run of `pipeline`. `limit`: take only so many objects, chosen by hash.
///
/// # Errors
/// See [`PlanError`].
pub fn plan(pipeline: Pipeline, limit: Option<usize>) -> Result<Plan, PlanError> {
    let source = local_folder(&pipeline.source.url)?;
    let dataset = local_folder(&pipeline.dataset.url)?;
    let base = base(&pipeline, &source, &dataset)?;
    let known = base.as_ref().map(Version::manifest).transpose()?.unwrap_or_default();
    let Listing { mut objects, excluded, skipped, .. } = listing(&pipeline, &source)?;
    if let Some(limit) = limit {
        objects.sort_by_cached_key(|object| rank("limit", pipeline.seed, &[object.uri.as_bytes()]));
        objects.truncate(limit);
        objects.sort_by(|a, b| a.uri.cmp(&b.uri));
    }
    let labeler = Labeler::new(&pipeline.source.label)?;
    let labels: Vec<Word> = objects.iter().map(|object| word_of_label(labeler.label(&object.uri))).collect();
    let asked = pipeline.source.label != LabelRule::None;
    if asked && labels.iter().all(|label| *label == Word::Missing) {
        let hint = no_labels_hint(&pipeline.source);
        return Err(PlanError::NoLabels { source_url: source.display().to_string(), hint });
    }
    let mut warnings: Vec<String> = passed_over(&skipped);
    // What a trial leaves out is no orphan's fault.
    let mut orphans = if limit.is_none() { labeler.orphans(&objects) } else { Vec::new() };
    warnings.extend(orphans_in_words(&orphans, "the label table"));
    let table = split_table(&pipeline)?;
    let columns = match &table {
        Some(table) => objects.iter().map(|object| word_of_cell(table.get(&object.uri))).collect(),
        None => vec![Word::NotAsked; objects.len()],
    };
    if let Some(table) = table.filter(|_| pipeline.split.table.is_some() && limit.is_none()) {
        let of_splits = table.orphans(&objects);
        warnings.extend(orphans_in_words(&of_splits, "the split table"));
        orphans.extend(of_splits);
    }
    let inputs = inputs(&pipeline, &objects, &labels, &columns);
    if let Some(base) = &base {
        let changed = settings_changed(&pipeline, &inputs, base);
        if limit.is_some() && !changed.is_empty() {
            return Err(PlanError::OtherTrial { folder: dataset.display().to_string() });
        }
        warnings.extend(changed);
    }
    let moved = moved(&objects, &columns, &known);
    if moved > 0 {
        warnings.push(format!(
            "the split table now puts {moved} committed samples into another split: they stay where they are"
        ));
    }
    let (fresh, retagged) = fresh(&pipeline, &objects, &labels, &columns, &known);
    let foreseen = foreseen::foresee(&pipeline, &objects, &labels, &columns, &fresh);
    warnings.extend(foreseen.iter().map(|foreseen| foreseen.in_words(fresh.len() as u64)));
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
        foreseen,
        skipped,
        excluded,
        orphans,
        inputs,
        warnings,
    })
}

/// Everything that keeps a run of `pipeline` from being planned, each with the part that it concerns.
pub fn obstacles(pipeline: &Pipeline) -> Vec<(&'static str, PlanError)> {
    let source = local_folder(&pipeline.source.url).map_err(PlanError::from);
    let dataset = local_folder(&pipeline.dataset.url).map_err(PlanError::from);
    let mut found = Vec::new();
    if let (Ok(source), Ok(dataset)) = (&source, &dataset)
        && let Err(error) = base(pipeline, source, dataset)
    {
        found.push(("dataset", error));
    }
    if let Err(error) = source.and_then(|source| listing(pipeline, &source)) {
        found.push(("source", error));
    }
    if let Err(error) = dataset {
        found.push(("dataset", error));
    }
    if let Err(error) = Labeler::new(&pipeline.source.label) {
        found.push(("labels", error.into()));
    }
    if let Err(error) = split_table(pipeline) {
        found.push(("splits", error.into()));
    }
    found
}

/// The version to build on, if the dataset may lie where it does.
fn base(pipeline: &Pipeline, source: &Path, dataset: &Path) -> Result<Option<Version>, PlanError> {
    check_path(dataset)?;
    check_apart(source, dataset)?;
    let base = version::find(dataset, None)?;
    match &base {
        Some(base) => check_consistent(pipeline, base)?,
        None => check_unoccupied(dataset)?,
    }
    Ok(base)
}

fn listing(pipeline: &Pipeline, source: &Path) -> Result<Listing, PlanError> {
    let listing = folder::list(source, &pipeline.source.include, &pipeline.source.exclude)?;
    if listing.objects.is_empty() {
        return Err(PlanError::Empty { source_url: source.display().to_string(), excluded: listing.excluded });
    }
    Ok(listing)
}

fn no_labels_hint(source: &Source) -> String {
    match &source.label {
        LabelRule::Parent => "source.label is `parent`, and they lie in no folder of their own; \
             sort them into a folder per class, use a table or a regex, or set source.label = { from = \"none\" }"
            .to_owned(),
        LabelRule::Regex { pattern } => format!("none of their keys matches source.label.pattern `{pattern}`"),
        LabelRule::Table { table, key, .. } => {
            format!(
                "no `{key}` of {table} names one of them; keys are compared with the path relative to source.url, \
                 or with on = \"stem\" with the file's name less its extension"
            )
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

fn passed_over(skipped: &[Skipped]) -> Vec<String> {
    let mut warnings: Vec<String> =
        skipped.iter().take(20).map(|skipped| format!("passed over {}: {}", skipped.uri, skipped.why)).collect();
    if skipped.len() > 20 {
        warnings.push(format!("passed over {} more", skipped.len() - 20));
    }
    warnings
}

fn orphans_in_words(orphans: &[String], table: &str) -> Option<String> {
    let some: Vec<&str> = orphans.iter().take(3).map(String::as_str).collect();
    let more = if orphans.len() > 3 { ", …" } else { "" };
    let keys = match orphans.len() {
        0 => return None,
        1 => format!("1 key of {table} matches"),
        n => format!("{n} keys of {table} match"),
    };
    Some(format!("{keys} no object: {}{more}", some.join(", ")))
}

/// What must not change once samples are placed.
fn check_consistent(pipeline: &Pipeline, base: &Version) -> Result<(), PlanError> {
    let url = base.url();
    let wanted_classes = &pipeline.source.classes;
    if base.state.seed != pipeline.seed {
        let (known, wanted) = (format!("seed {}", base.state.seed), format!("seed {}", pipeline.seed));
        return Err(PlanError::Contradicts { url, known, wanted });
    }
    let (labelled, wanted) = (!base.state.classes.is_empty(), pipeline.source.label != LabelRule::None);
    if labelled != wanted {
        let words = |labelled| if labelled { "labels" } else { "no labels" }.to_owned();
        return Err(PlanError::Contradicts { url, known: words(labelled), wanted: words(wanted) });
    }
    if !wanted_classes.is_empty() && !wanted_classes.starts_with(&base.state.classes) {
        let known = format!("the classes {}", base.state.classes.join(", "));
        return Err(PlanError::Contradicts { url, known, wanted: wanted_classes.join(", ") });
    }
    Ok(())
}

fn settings_changed(pipeline: &Pipeline, inputs: &Inputs, base: &Version) -> Vec<String> {
    let mut warnings = Vec::new();
    let version = base.number;
    if pipeline.name != base.state.name {
        warnings.push(format!("the dataset is named `{}` until its next version", base.state.name));
    }
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
}
