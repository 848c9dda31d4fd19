//! The run: the flow from source to committed version, one line per stage.
//!
//! Nothing that a reader sees changes before the commit; whatever happens before it, the next run finds the finished units
//! and goes on. One run at a time works on a dataset: the lock is the operating system's, and goes with the process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::io;

use serde::Serialize;

use super::Pipeline;
use super::event::{Event, Stage, Watch};
use super::layout::{self, Unit};
use super::plan::{self, Plan, PlanError};
use super::scan::{self, ScanError, Scanned};
use super::write::{self, Receipt, UnitError};
use crate::clean::fingerprint;
use crate::dataset::commit::{self, CommitError};
use crate::dataset::describe;
use crate::dataset::manifest::{self, Entry};
use crate::dataset::version::{self, FORMAT, OpenError, Shard, State, Version};
use crate::sample::{Action, Change, Indexed, Reason, Sha256};
use crate::shard::writer::{WriteError, Written};
use crate::split::assign::{self, Assignment, Placed, Rules};
use crate::store::{Store, StoreError};

/// The file whose lock a run holds, in the dataset's folder.
pub const LOCK: &str = "_runs/lock";

/// Why a run ends without a version.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is nothing to run on.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Another run is at work.
    #[error("another run is working on {folder}: wait for it to end, and run again")]
    Locked {
        /// The dataset's folder.
        folder: String,
    },
    /// The lock cannot be taken.
    #[error("cannot lock {folder}/{LOCK}: {source}")]
    Lock {
        /// The dataset's folder.
        folder: String,
        /// The system's words.
        source: io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A scan failed.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// A unit failed.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// A manifest or table cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The commit failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The new version cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Too much is broken.
    #[error("{}", .0.message())]
    Gate(Gate),
    /// There would be no sample.
    #[error("not one of {objects} objects can become a sample ({why}): nothing is committed; {look}")]
    NothingLeft {
        /// Objects looked at.
        objects: usize,
        /// Their reasons.
        why: String,
        /// Where to look.
        look: String,
    },
    /// Something is counted twice or not at all: a mistake of ours.
    #[error("{0}: nothing is committed; please report this")]
    Miscounted(String),
}

impl RunError {
    /// Whether the run ended because it was told to.
    pub fn is_stopped(&self) -> bool {
        matches!(self, RunError::Scan(ScanError::Stopped) | RunError::Unit(UnitError::Stopped))
    }
}

/// The quarantine rate is above the limit.
#[derive(Debug)]
pub struct Gate {
    /// Objects kept out.
    pub quarantined: usize,
    /// Objects that are new or changed, less what is ignored.
    pub objects: usize,
    /// The limit.
    pub limit: f64,
    /// Objects per reason, most first.
    pub reasons: Vec<(Reason, usize)>,
    /// Path of the list.
    pub list: String,
}

impl Gate {
    fn message(&self) -> String {
        let rate = self.quarantined as f64 / self.objects as f64;
        format!(
            "{} of {} new objects ({:.1}%) would be quarantined, more than clean.max_quarantine_rate = {} allows: {}\n\
             nothing is committed; {} lists them all. Mend them at the source, or raise the limit with\n  \
             --set clean.max_quarantine_rate={:.2}",
            self.quarantined,
            self.objects,
            rate * 100.0,
            self.limit,
            reasons_in_words(&self.reasons),
            self.list,
            (rate * 100.0).ceil() / 100.0,
        )
    }
}

fn reasons_in_words(reasons: &[(Reason, usize)]) -> String {
    reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// A version was committed.
    Committed(Box<Summary>),
    /// The base version already is what the run would make.
    NothingToDo {
        /// The dataset, as the file names it.
        dataset: String,
        /// The version.
        version: u64,
    },
}

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
    /// Objects per action.
    pub actions: BTreeMap<&'static str, u64>,
    /// Samples per action and change.
    pub changes: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Objects kept out, per reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Classes in the order of their codes.
    pub classes: Vec<String>,
    /// New samples per split, in order, and class.
    pub splits: Vec<(String, BTreeMap<String, u64>)>,
    /// Bytes read at the source.
    pub bytes_read: u64,
    /// Bytes of the new shards.
    pub bytes_written: u64,
    /// New shards.
    pub shards: u64,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Runs a pipeline. `limit`: take only so many objects, into a dataset of its own.
///
/// # Errors
/// See [`RunError`].
pub fn run(mut pipeline: Pipeline, limit: Option<usize>, watch: &Watch) -> Result<Outcome, RunError> {
    if limit.is_some() {
        pipeline.dataset.url = sample_url(&pipeline.dataset.url);
    }
    let plan = watch.stage(Stage::List, 0, 0, || plan::plan(pipeline, limit))?;
    plan.warnings.iter().for_each(|warning| watch.tell(Event::Warn(warning.clone())));
    let store = Store::create(&plan.dataset)?;
    let _lock = lock(&store)?;
    // What another run committed between the plan and the lock is seen by its commit as a conflict.
    let Some(version) = build(&plan, &store, watch)? else {
        let version = plan.base.as_ref().map_or(0, |base| base.number);
        finish(&store, plan.base.as_ref())?;
        return Ok(Outcome::NothingToDo { dataset: plan.pipeline.dataset.url.clone(), version });
    };
    Ok(Outcome::Committed(Box::new(version)))
}

/// Where a trial run writes.
pub fn sample_url(url: &str) -> String {
    format!("{}-sample", url.trim_end_matches('/'))
}

fn lock(store: &Store) -> Result<File, RunError> {
    let folder = store.folder().display().to_string();
    let failed = |source| RunError::Lock { folder: folder.clone(), source };
    let path = store.folder().join(LOCK);
    std::fs::create_dir_all(store.folder().join("_runs")).map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RunError::Locked { folder }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Scans, assigns, writes and commits; `None` if there is nothing to do.
fn build(plan: &Plan, store: &Store, watch: &Watch) -> Result<Option<Summary>, RunError> {
    if plan.fresh.is_empty() && plan.base.is_some() {
        return Ok(None);
    }
    let batches = plan.batches();
    let scanned = scan::scan(store, &plan.source, &batches, &plan.pipeline.clean, watch)?;
    let mut index = Index::of(plan, scanned);
    // Ends: every round defers at least one more object.
    loop {
        let assignment = watch.stage(Stage::Assign, 0, 0, || index.assign(plan));
        assignment.warnings.iter().for_each(|warning| watch.tell(Event::Warn(warning.clone())));
        let Some(draft) = Draft::of(plan, &index, assignment) else { return Ok(None) };
        draft.check(store)?;
        match draft.write(store, watch) {
            Err(UnitError::Changed(rows)) => rows.into_iter().for_each(|row| index.defer(row)),
            Err(error) => return Err(error.into()),
            Ok(receipts) => return draft.commit(store, &receipts, watch).map(Some),
        }
    }
}

/// What the scan found, sorted by key, with what the plan knows of each object.
struct Index {
    rows: Vec<Indexed>,
    segments: Vec<Option<String>>,
    /// Rows of the plan's objects.
    planned: Vec<usize>,
}

impl Index {
    fn of(plan: &Plan, scanned: Vec<Scanned>) -> Index {
        let by_uri: HashMap<&str, usize> =
            plan.fresh.iter().map(|&row| (plan.objects[row].uri.as_str(), row)).collect();
        let mut all: Vec<(usize, Indexed, Option<String>)> = scanned
            .into_iter()
            .flat_map(|batch| batch.rows.into_iter().map(move |row| (row, batch.segment.clone())))
            .map(|(row, segment)| (by_uri[row.object.uri.as_str()], row, segment))
            .collect();
        all.sort_unstable_by_key(|(planned, ..)| *planned);
        let mut index = Index { rows: Vec::new(), segments: Vec::new(), planned: Vec::new() };
        for (planned, row, segment) in all {
            index.rows.push(row);
            index.segments.push(segment);
            index.planned.push(planned);
        }
        index
    }

    /// Leaves an object that changed since it was scanned to the next run.
    fn defer(&mut self, row: usize) {
        let row = &mut self.rows[row];
        row.action = Action::Deferred;
        row.detail = Some("it changed while the run was at work".to_owned());
        (row.reason, row.image, row.staged) = (None, None, None);
        row.changes = Vec::<Change>::new();
    }

    fn assign(&self, plan: &Plan) -> Assignment {
        let pick = |words: &[assign::Word]| self.planned.iter().map(|&row| words[row].clone()).collect::<Vec<_>>();
        let state = plan.base.as_ref().map(|base| &base.state);
        let placed: Vec<Placed> = plan.known.iter().filter_map(placed).collect();
        let disputed: Vec<_> = plan.known.iter().filter_map(disputed).collect();
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
}

fn disputed(entry: &Entry) -> Option<(Sha256, Option<String>, String)> {
    let id = entry.id.filter(|_| entry.reason == Some(Reason::LabelConflict))?;
    Some((id, entry.label.clone(), entry.uri.clone()))
}

fn placed(entry: &Entry) -> Option<Placed> {
    let (id, split) = (entry.id?, entry.split.clone()?);
    entry.action.in_dataset().then(|| Placed { id, label: entry.label.clone(), uri: entry.uri.clone(), split })
}

/// A version that is decided and laid out, but not written.
struct Draft<'a> {
    plan: &'a Plan,
    index: &'a Index,
    assignment: Assignment,
    run: String,
    version: u64,
    units: Vec<Unit>,
    entries: Vec<Entry>,
}

impl<'a> Draft<'a> {
    /// `None` if the manifest would say nothing new.
    fn of(plan: &'a Plan, index: &'a Index, assignment: Assignment) -> Option<Draft<'a>> {
        let version = plan.base.as_ref().map_or(0, |base| base.number + 1);
        let run = run_id(plan, index, version);
        let stem = format!("{run}-{version}");
        let (seed, config) = (plan.pipeline.seed, &plan.pipeline.dataset);
        let units = layout::layout(&index.rows, &assignment.rows, &assignment.splits, seed, config, &stem);
        let mut draft = Draft { plan, index, assignment, run, version, units, entries: Vec::new() };
        draft.entries = draft.entries();
        (!draft.entries.is_empty()).then_some(draft)
    }

    /// The manifest's new rows: an object that was only touched is none.
    fn entries(&self) -> Vec<Entry> {
        let mut places: HashMap<usize, (&str, u64)> = HashMap::new();
        for file in self.units.iter().flat_map(|unit| &unit.files).filter(|file| file.split.is_some()) {
            places.extend(file.rows.iter().enumerate().map(|(at, row)| (*row, (file.path.as_str(), at as u64))));
        }
        let mut known: HashMap<&str, Vec<&Entry>> = HashMap::new();
        for entry in &self.plan.known {
            known.entry(&entry.uri).or_default().push(entry);
        }
        let entry = |(i, row): (usize, &Indexed)| {
            let assigned = &self.assignment.rows[i];
            let image = row.image.as_ref();
            let place = places.get(&i);
            Entry {
                uri: row.object.uri.clone(),
                etag: row.object.etag.clone(),
                size: row.object.size,
                id: row.id,
                image_sha256: image.filter(|_| assigned.action.in_dataset()).map(|image| image.sha256),
                label: assigned.label.clone(),
                declared_format: row.claimed,
                real_format: row.format,
                action: assigned.action,
                changes: row.changes.clone(),
                reason: assigned.reason,
                detail: assigned.detail.clone(),
                width: image.map(|image| image.width),
                height: image.map(|image| image.height),
                mode: image.map(|image| image.mode.clone().into_owned()),
                orientation: image.map(|image| image.orientation.into()),
                frames: image.map(|image| image.frames),
                phash: image.map(|image| image.phash),
                duplicate_of: assigned.duplicate_of.clone(),
                split: assigned.split.clone(),
                shard: place.map(|(shard, _)| (*shard).to_owned()),
                row: place.map(|(_, row)| *row),
                run: self.run.clone(),
                version: self.version,
            }
        };
        let says_something = |entry: &Entry| {
            let touched = entry.duplicate_of.as_deref() == Some(&entry.uri);
            let told = known.get(entry.uri.as_str()).into_iter().flatten().any(|known| same(known, entry));
            !touched && !told
        };
        self.index.rows.iter().enumerate().map(entry).filter(says_something).collect()
    }

    /// Stops a run whose result nobody would want.
    fn check(&self, store: &Store) -> Result<(), RunError> {
        let rows = &self.assignment.rows;
        let objects = rows.len() - layout::count(rows, Action::Ignored) - layout::count(rows, Action::Deferred);
        let refused: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].action.in_quarantine()).collect();
        let mut by_reason: BTreeMap<Reason, usize> = BTreeMap::new();
        refused
            .iter()
            .filter_map(|&row| rows[row].reason)
            .for_each(|reason| *by_reason.entry(reason).or_default() += 1);
        let mut reasons: Vec<_> = by_reason.into_iter().collect();
        reasons.sort_by_key(|&(reason, count)| (std::cmp::Reverse(count), reason));
        let limit = self.plan.pipeline.clean.max_quarantine_rate;
        let gate = objects > 0 && refused.len() as f64 > limit * objects as f64;
        let left = rows.iter().any(|row| row.action.in_dataset()) || self.plan.base.is_some();
        if !gate && left {
            return Ok(());
        }
        let path = format!("_runs/{}/refused.csv", self.run);
        store.put(&path, self.refused_csv(&refused))?;
        let list = store.folder().join(path).display().to_string();
        if gate {
            return Err(RunError::Gate(Gate { quarantined: refused.len(), objects, limit, reasons, list }));
        }
        let why = if reasons.is_empty() { "all are ignored".to_owned() } else { reasons_in_words(&reasons) };
        Err(RunError::NothingLeft { objects: rows.len(), why, look: format!("{list} lists what was refused") })
    }

    fn refused_csv(&self, refused: &[usize]) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut csv = "uri,action,reason,detail,label\n".to_owned();
        for &row in refused {
            let assigned = &self.assignment.rows[row];
            let cells = [
                self.index.rows[row].object.uri.as_str(),
                assigned.action.as_str(),
                assigned.reason.map_or("", Reason::as_str),
                assigned.detail.as_deref().unwrap_or(""),
                assigned.label.as_deref().unwrap_or(""),
            ];
            csv.push_str(&cells.map(quoted).join(","));
            csv.push('\n');
        }
        csv
    }

    fn write(&self, store: &Store, watch: &Watch) -> Result<Vec<Receipt>, UnitError> {
        let segments: Vec<Option<&str>> = self.index.segments.iter().map(Option::as_deref).collect();
        let inputs = write::Inputs {
            store,
            source: &self.plan.source,
            index: &self.index.rows,
            segments: &segments,
            assigned: &self.assignment.rows,
            classes: &self.assignment.classes,
            row_group_size: self.plan.pipeline.dataset.row_group_size.0,
        };
        write::write(&inputs, &self.units, &format!("_runs/{}", self.run), watch)
    }

    /// Writes the manifest and commits.
    fn commit(&self, store: &Store, receipts: &[Receipt], watch: &Watch) -> Result<Summary, RunError> {
        let files = self.units.iter().flat_map(|unit| &unit.files);
        let written: Vec<(Option<&String>, &Written)> =
            files.map(|file| file.split.as_ref()).zip(receipts.iter().flat_map(|receipt| &receipt.files)).collect();
        let shards: Vec<Shard> = written
            .iter()
            .filter_map(|(split, file)| split.map(|split| Shard { file: (*file).clone(), split: split.clone() }))
            .collect();
        self.check_counts(&written)?;
        watch.stage(Stage::Commit, 0, 0, || -> Result<(), RunError> {
            let state = self.state(store, &written, &shards)?;
            commit::commit(store, self.plan.base.as_ref(), &state, &shards)?;
            let version = version::find(store.folder(), None)?;
            finish(store, version.as_ref())
        })?;
        Ok(self.summary(&shards))
    }

    /// Every object ends in exactly one action, and every action has the rows that it should.
    fn check_counts(&self, written: &[(Option<&String>, &Written)]) -> Result<(), RunError> {
        let rows = &self.assignment.rows;
        let objects: HashSet<&str> = self.index.rows.iter().map(|row| row.object.uri.as_str()).collect();
        let samples = rows.iter().filter(|row| row.action.in_dataset() && row.split.is_some()).count() as u64;
        let refused = rows.iter().filter(|row| row.action.in_quarantine()).count() as u64;
        let by_action: usize = Action::ALL.iter().map(|&action| layout::count(rows, action)).sum();
        let in_files = |kept_out: bool| -> u64 {
            written.iter().filter(|(split, _)| split.is_none() == kept_out).map(|(_, file)| file.rows).sum()
        };
        let in_dataset = rows.iter().filter(|row| row.action.in_dataset()).count() as u64;
        let checks = [
            ("objects planned, objects scanned", self.plan.fresh.len() as u64, objects.len() as u64),
            ("objects scanned, objects with an action", rows.len() as u64, by_action as u64),
            ("samples, samples with a split", in_dataset, samples),
            ("samples, rows of shards", samples, in_files(false)),
            ("objects kept out, rows of the quarantine", refused, in_files(true)),
        ];
        match checks.iter().find(|(_, wanted, found)| wanted != found) {
            Some((what, wanted, found)) => Err(RunError::Miscounted(format!("{what}: {wanted} and {found}"))),
            None => Ok(()),
        }
    }

    fn state(
        &self,
        store: &Store,
        written: &[(Option<&String>, &Written)],
        shards: &[Shard],
    ) -> Result<State, RunError> {
        let base = self.plan.base.as_ref().map(|base| &base.state);
        let stem = format!("_manifest/{}-{}", self.version, self.run);
        let part = manifest::write(store, format!("{stem}.parquet"), &self.entries)?;
        let table = commit::write_shard_table(store, format!("{stem}.shards.parquet"), shards)?;
        let quarantine = written.iter().filter(|(split, _)| split.is_none()).map(|(_, file)| (*file).clone());
        let with = |earlier: Option<&Vec<Written>>, new: Vec<Written>| {
            earlier.into_iter().flatten().cloned().chain(new).collect::<Vec<_>>()
        };
        let strategy = serde_json::to_value(self.plan.pipeline.split.strategy).ok();
        Ok(State {
            format: FORMAT,
            swinpipe: env!("CARGO_PKG_VERSION").to_owned(),
            name: self.plan.pipeline.name.clone(),
            run: self.run.clone(),
            seed: self.plan.pipeline.seed,
            strategy: strategy.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default(),
            phash: fingerprint::VERSION,
            classes: self.assignment.classes.clone(),
            splits: self.assignment.splits.clone(),
            inputs: self.plan.inputs.clone(),
            manifest: with(base.map(|base| &base.manifest), vec![part]),
            shards: with(base.map(|base| &base.shards), vec![table]),
            quarantine: with(base.map(|base| &base.quarantine), quarantine.collect()),
        })
    }

    fn summary(&self, shards: &[Shard]) -> Summary {
        let rows = &self.assignment.rows;
        let mut actions = BTreeMap::new();
        let mut changes: BTreeMap<&'static str, BTreeMap<&'static str, u64>> = BTreeMap::new();
        let mut reasons = BTreeMap::new();
        let mut splits: Vec<(String, BTreeMap<String, u64>)> =
            self.assignment.splits.iter().map(|split| (split.clone(), BTreeMap::new())).collect();
        for (row, indexed) in rows.iter().zip(&self.index.rows) {
            *actions.entry(row.action.as_str()).or_default() += 1;
            if let Some(reason) = row.reason {
                *reasons.entry(reason.as_str()).or_default() += 1;
            }
            if row.action.in_dataset() {
                let of_action = changes.entry(row.action.as_str()).or_default();
                indexed.changes.iter().for_each(|change| *of_action.entry(change.as_str()).or_default() += 1);
            }
            if let Some((_, classes)) = splits.iter_mut().find(|(split, _)| Some(split) == row.split.as_ref()) {
                *classes.entry(row.label.clone().unwrap_or_default()).or_default() += 1;
            }
        }
        Summary {
            dataset: self.plan.pipeline.dataset.url.clone(),
            version: self.version,
            run: self.run.clone(),
            objects: rows.len() as u64,
            unchanged: (self.plan.objects.len() - self.plan.fresh.len()) as u64,
            actions,
            changes,
            reasons,
            classes: self.assignment.classes.clone(),
            splits,
            bytes_read: self.index.rows.iter().filter(|row| row.id.is_some()).map(|row| row.object.size).sum(),
            bytes_written: shards.iter().map(|shard| shard.file.bytes).sum(),
            shards: shards.len() as u64,
            warnings: self.plan.warnings.iter().chain(&self.assignment.warnings).cloned().collect(),
        }
    }
}

/// Whether two rows say the same about an object that was only touched.
fn same(known: &Entry, entry: &Entry) -> bool {
    let told = |e: &Entry| (e.id, e.label.clone(), e.action, e.reason, e.size, e.duplicate_of.clone());
    told(known) == told(entry) && (entry.action != Action::Deferred || known.etag == entry.etag)
}

/// A run is named by what it makes: the inputs, the version it builds on, and what it leaves to the next run.
fn run_id(plan: &Plan, index: &Index, version: u64) -> String {
    let deferred: Vec<&str> =
        index.rows.iter().filter(|row| row.action == Action::Deferred).map(|row| row.object.uri.as_str()).collect();
    let base = plan.base.as_ref().map(|base| &base.state.run);
    let pipeline = Pipeline { dataset: plan.pipeline.dataset.clone(), ..plan.pipeline.clone() };
    let sizes = (pipeline.dataset.shard_size, pipeline.dataset.row_group_size);
    let everything = (FORMAT, env!("CARGO_PKG_VERSION"), &pipeline.name, sizes, &plan.inputs, base, version, deferred);
    let bytes = serde_json::to_vec(&everything).expect("settings have string keys");
    Sha256::of(&bytes).to_string()[..12].to_owned()
}

/// After the commit, or when it is found done: the card, and away with what no version names.
fn finish(store: &Store, version: Option<&Version>) -> Result<(), RunError> {
    let Some(version) = version else { return Ok(()) };
    describe::write(version)?;
    let state = &version.state;
    let shards = version.shards()?;
    let named: HashSet<&str> = state
        .manifest
        .iter()
        .chain(&state.shards)
        .chain(&state.quarantine)
        .chain(shards.iter().map(|shard| &shard.file))
        .map(|file| file.path.as_str())
        .collect();
    for folder in ["data", "_manifest", "_quarantine"] {
        for (path, _) in store.list(folder)? {
            // Left by a run that ended before its commit; the lock says that it is not at work.
            if !named.contains(path.as_str()) && is_ours(&path) {
                store.delete(&path)?;
            }
        }
    }
    store.sweep(|path| is_ours(path) || ["_runs/", "_delta_log/"].iter().any(|folder| path.starts_with(folder)))?;
    for (path, _) in store.list("_runs")? {
        if path != LOCK {
            store.delete(&path)?;
        }
    }
    Ok(())
}

/// Whether a file has a name that a run gives: `<run>-<version>-<unit>.parquet`, `<version>-<run>[.shards].parquet`.
fn is_ours(path: &str) -> bool {
    if [describe::CARD, describe::CROISSANT].contains(&path) {
        return true;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(stem) = name.strip_suffix(".parquet") else { return false };
    let stem = stem.strip_suffix(".shards").unwrap_or(stem);
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let run = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match stem.split('-').collect::<Vec<_>>()[..] {
        [first, version, unit] => run(first) && number(version) && number(unit),
        [version, last] => number(version) && run(last),
        _ => false,
    }
}
